"""Decisions as rules make them, for tests of what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

from csms.ledger import chargepoints, clock, connectors, readings, transactions
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context
from csms.ledger.metering import meter_value
from csms.ledger.samples import Sample
from csms.ledger.state import ChargePoint, ChargePointState
from csms.ledger.transactions import StartRequest, StopRequest

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_numbers = count(1)


def context(now=NOW):
    return Context(now, "m1", "gw1", lambda kind, _now: f"{kind}_{next(_numbers)}")


def new_state(client_id="CP1", registration="Accepted"):
    return ChargePointState(
        charge_point=ChargePoint(client_id=client_id, registration=registration),
        sequence=0,
        readings_known_since=datetime(1970, 1, 1, tzinfo=UTC),
    )


def connected(client_id="CP1"):
    return chargepoints.connect(new_state(client_id), context(), version="1.6", remote_address="10.0.0.1")


def status(state, status="Charging", info=None, connector_id=1):
    return connectors.status(
        state,
        context(),
        connector_id=connector_id,
        status=status,
        error_code="NoError",
        instant=clock.judge(None, NOW),
        info=info,
    )


def start_request(at="2026-03-01T11:00:00Z", tag="TAG1", meter="1000.5"):
    return StartRequest(1, tag, Decimal(meter), clock.judge(at, NOW))


def started(state, transaction_id, **request):
    return transactions.start(
        state, context(), start_request(**request), transaction_id=transaction_id, earlier=None, tariff=Tariff()
    )


def stopped(state, transaction_id):
    return transactions.stop(
        state,
        context(),
        StopRequest(transaction_id, Decimal(3000), clock.judge("2026-03-01T11:30:00Z", NOW), "Local"),
        transaction=state.running[transaction_id],
        known=frozenset(),
        tariff=Tariff(energy_rate=Decimal("0.3333")),
        body={},
    )


def metered(state, transaction_id, wh="1500.25", minutes=5):
    at = clock.judge((datetime(2026, 3, 1, 11, 0, tzinfo=UTC) + timedelta(minutes=minutes)).isoformat(), NOW)
    value = meter_value(at, [Sample(wh, unit="Wh"), Sample("7.2", measurand="Power.Active.Import", unit="kW")])
    return readings.meter_values(
        state,
        context(),
        connector_id=1,
        transaction=state.running[transaction_id],
        readings=[value],
        known=frozenset(),
    )
