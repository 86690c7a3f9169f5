"""What the API shows of stations of OCPP 2.x: what every version has, and what they call it themselves."""

from __future__ import annotations

from pytest_twisted import ensureDeferred

from csms.ledger import chargepoints, clock, connectors, transaction_events
from csms.ledger.cost import Tariff
from csms.ledger.event_facts import TransactionEvent
from csms.ledger.metering import meter_value
from csms.ledger.samples import Sample, SignedSample
from tests.fakes import NOW
from tests.store.decisions import context, new_state

V1 = "/api/v1"
OF_STATION = {"evseId": 2, "stationConnectorId": 1}


async def _commit(desk, decision):
    await desk.store.commit(decision)
    return decision.state


def _take(state, seq_no, at, *samples, kind="Updated"):
    instant = clock.judge(at, NOW)
    event = TransactionEvent(
        kind=kind, station_transaction_id="9c-1", seq_no=seq_no, instant=instant, trigger_reason="Trigger", evse_id=2,
        station_connector_id=1, id_tag="TAG1", remote_start_id=5, readings=[meter_value(instant, list(samples))],
    )  # fmt: skip
    found = state.running.get(1)
    return transaction_events.take(
        state, context(), event, found=found, transaction_id=1, known=frozenset(), tariff=Tariff(), body={}
    )


async def _charge(desk):
    state = await _commit(desk, chargepoints.connect(new_state(), context(), version="2.0.1", remote_address=None))
    instant = clock.judge("2026-03-01T10:59:00Z", NOW)
    place = {"evse_id": 2, "station_connector_id": 1}
    told = connectors.station_status(state, context(), status="Occupied", instant=instant, **place)
    state = await _commit(desk, told)
    begin = Sample("1000", context="Transaction.Begin")
    state = await _commit(desk, _take(state, 0, "2026-03-01T11:00:00Z", begin, kind="Started"))
    signed = SignedSample("AAEC", format="SignedData", encoding_method="OCMF", public_key="MFkw")
    return await _commit(desk, _take(state, 3, "2026-03-01T11:05:00Z", Sample("1500"), signed))


@ensureDeferred
async def test_a_transaction_shows_what_the_station_calls_it(desk):
    await _charge(desk)
    shown = (await desk.http.get(f"{V1}/transactions/1")).json
    assert shown == {
        "transactionId": 1,
        "clientId": "CP1",
        "connectorId": 2,
        "idTag": "TAG1",
        "status": "active",
        "startTime": "2026-03-01T11:00:00Z",
        "meterStart": 1000,
        "currentMeter": 1500,
        "energyUsed": 0.5,
        "quality": "good",
        "stationTransactionId": "9c-1",
        "remoteStartId": 5,
        "missingEvents": "1 to 2",
        **OF_STATION,
    }
    closed = (await desk.http.post(f"{V1}/transactions/1/close")).json
    assert (closed["status"], closed["stationTransactionId"]) == ("closed", "9c-1")


@ensureDeferred
async def test_a_connector_shows_the_stations_own_word(desk):
    await _charge(desk)
    (connector,) = (await desk.http.get(f"{V1}/chargepoints/CP1")).json["connectors"]
    assert connector.pop("changedAt")
    assert connector == {
        "connectorId": 2,
        "status": "Charging",
        "errorCode": "NoError",
        "transactionId": 1,
        "stationStatus": "Occupied",
        **OF_STATION,
    }


@ensureDeferred
async def test_a_reading_shows_how_its_signed_value_was_made(desk):
    await _charge(desk)
    items = (await desk.http.get(f"{V1}/transactions/1/readings")).json["items"]
    assert items[1]["samples"] == [
        {"value": "1500"},
        {"value": "AAEC", "format": "SignedData", "encodingMethod": "OCMF", "publicKey": "MFkw"},
    ]
