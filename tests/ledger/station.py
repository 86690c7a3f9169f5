"""A charge point and its ledger, with what the store does between two rules: remember, and look up.

Every event that a rule makes is checked against docs/schemas and against the promises of its envelope.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, TypeVar

from msgspec import structs
from msgspec.structs import replace

from csms.events.business import BusinessEvent
from csms.events.identity import event_id
from csms.ledger import chargepoints, clock, connectors, readings, transactions
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context, Decision
from csms.ledger.metering import MeterValue, meter_value
from csms.ledger.readings import Known
from csms.ledger.samples import Sample
from csms.ledger.state import (
    ChargePoint,
    ChargePointState,
    EventProgress,
    MeterProgress,
    Reading,
    Record,
    Transaction,
)
from tests.events import published

Answer = TypeVar("Answer")
DAY = "2026-03-01T"
CLIENT_ID = "CP-1"
GATEWAY_ID = "gw"
NEW = ChargePointState(
    charge_point=ChargePoint(client_id=CLIENT_ID, registration="Accepted"),
    sequence=0,
    readings_known_since=datetime(1970, 1, 1, tzinfo=UTC),
)


def at(text: str) -> str:
    """Return a time of day, "10:00" or "10:00:30", as a charge point writes it; anything longer stays."""
    if len(text) > len("10:00:00.000"):
        return text
    return f"{DAY}{text if text.count(':') == 2 else f'{text}:00'}Z"


def sample(value: str, **members: str) -> Sample:
    return Sample(value=value, **members)


class Station:
    """Drives the rules as handlers and the store do. ``now`` is the time of arrival of the next message."""

    def __init__(self, tariff: Tariff | None = None) -> None:
        self.tariff = tariff or Tariff()
        self.state = NEW
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
        self.events: list[dict[str, Any]] = []
        self.transactions: dict[int, Transaction] = {}
        self.readings: list[Reading] = []
        self.records: list[Record] = []
        self._progress: dict[int, dict[str, Any]] = {}
        self._ids = count(1)
        self._messages = count(1)
        self._random = count(1)

    # Messages.

    def connect(self) -> None:
        self._apply(chargepoints.connect(self.state, self.context(), version="1.6", remote_address="10.0.0.7"))

    def disconnect(self, reason: str = "socket closed") -> None:
        self._apply(chargepoints.disconnect(self.state, self.context(), reason=reason))

    def status(self, connector_id: int, status: str, error_code: str = "NoError", **members: str) -> None:
        instant = clock.judge(at("11:59"), self.now)
        context = self.context()
        self._apply(
            connectors.status(
                self.state,
                context,
                connector_id=connector_id,
                status=status,
                error_code=error_code,
                instant=instant,
                **members,
            )
        )

    def start(self, time: str = "10:00", meter: int | str = 1000, *, connector_id: int = 1, id_tag: str = "TAG") -> int:
        """Send StartTransaction; a negative meter is an unknown one."""
        request = transactions.StartRequest(connector_id, id_tag, Decimal(meter), clock.judge(at(time), self.now))
        earlier = [transaction for transaction in self.transactions.values() if request.repeats(transaction)]
        return self._apply(
            transactions.start(
                self.state,
                self.context(),
                request,
                transaction_id=next(self._ids),
                earlier=earlier[-1] if earlier else None,
                tariff=self.tariff,
            )
        )

    def stop(
        self,
        transaction_id: int,
        time: str = "11:00",
        meter: int | str = 11000,
        *,
        reason: str = "Local",
        id_tag: str | None = None,
        data: tuple[MeterValue, ...] = (),
    ) -> None:
        """Send StopTransaction; a negative meter is an unknown one."""
        instant = clock.judge(at(time), self.now)
        request = transactions.StopRequest(transaction_id, Decimal(meter), instant, reason, id_tag, data)
        self._apply(
            transactions.stop(
                self.state,
                self.context(),
                request,
                transaction=self.state.running.get(transaction_id) or self.transactions.get(transaction_id),
                known=self.known(),
                tariff=self.tariff,
                body={"transactionId": transaction_id},
            )
        )

    def value(self, time: str, *samples: Sample | str) -> MeterValue:
        """Make a meter value; a text stands for a register in Wh."""
        made = [item if isinstance(item, Sample) else sample(item) for item in samples]
        return meter_value(clock.judge(at(time), self.now), made)

    def meter(
        self, *values: MeterValue | tuple[str, str], connector_id: int = 1, transaction_id: int | None = None
    ) -> None:
        """Send MeterValues; a pair of texts stands for time and register."""
        made = [item if isinstance(item, MeterValue) else self.value(*item) for item in values]
        found = None
        if transaction_id is not None:
            found = self.state.running.get(transaction_id) or self.transactions.get(transaction_id)
        asks = readings.may_be_known(self.state, connector_id, made)
        self._apply(
            readings.meter_values(
                self.state,
                self.context(),
                connector_id=connector_id,
                transaction=found,
                readings=made,
                known=self.known() if asks else readings.NOTHING_KNOWN,
            )
        )

    # What came of them.

    def payloads(self, event_type: str) -> list[dict[str, Any]]:
        return [event["payload"] for event in self.events if event["eventType"] == event_type]

    def payload(self, event_type: str) -> dict[str, Any]:
        """Return the payload of the one event of a type."""
        (payload,) = self.payloads(event_type)
        return payload

    def types(self) -> list[str]:
        return [event["eventType"] for event in self.events]

    def known(self) -> Known:
        return frozenset((reading.connector_id, reading.taken_at, reading.samples) for reading in self.readings)

    def session(self, meter_start: int | str, *registers: str, meter_stop: int | str) -> dict[str, Any]:
        """Run a session from 10:00 to 11:00 with a register every minute; return its completed payload."""
        transaction_id = self.start(meter=meter_start)
        for minute, register in enumerate(registers, 1):
            self.meter((f"10:{minute:02}", register), transaction_id=transaction_id)
        self.stop(transaction_id, meter=meter_stop)
        return self.payloads("completed")[-1]

    def context(self) -> Context:
        message_id = f"m{next(self._messages)}"
        return Context(self.now, message_id, GATEWAY_ID, self._new_event_id)

    def apply(self, decision: Decision[Answer]) -> Answer:
        return self._apply(decision)

    def _new_event_id(self, event_type: str, now: datetime) -> str:
        return event_id(event_type, now, lambda _: next(self._random))

    def _apply(self, decision: Decision[Answer]) -> Answer:
        for event in decision.events:
            self._publish(event)
        for change in decision.changes:
            self._write(change)
        assert decision.state.sequence == len(self.events)
        self.state = decision.state
        active = {key: value for key, value in self.transactions.items() if value.status == "active"}
        assert active == self.state.running, "what is stored and what is in memory are not the same"
        self.now += timedelta(milliseconds=1)
        return decision.answer

    def _publish(self, event: BusinessEvent) -> None:
        body = published.check(event)
        assert (body["clientId"], body["gatewayId"]) == (CLIENT_ID, GATEWAY_ID)
        assert body["sequence"] == len(self.events) + 1
        assert body["eventId"] not in {earlier["eventId"] for earlier in self.events}
        self.events.append(body)

    def _write(self, change: object) -> None:
        if isinstance(change, Transaction):
            # As in the store: while a transaction runs, what its progress says stands over its own row.
            progress = self._progress.get(change.transaction_id, {}) if change.status == "active" else {}
            self.transactions[change.transaction_id] = replace(change, **progress)
        elif isinstance(change, MeterProgress | EventProgress):
            told = {name: value for name, value in structs.asdict(change).items() if name != "transaction_id"}
            progress = self._progress.setdefault(change.transaction_id, {})
            progress.update(told)
            running = self.transactions[change.transaction_id]
            self.transactions[change.transaction_id] = replace(running, **progress)
        elif isinstance(change, Reading):
            self.readings.append(change)
        elif isinstance(change, Record):
            self.records.append(change)
