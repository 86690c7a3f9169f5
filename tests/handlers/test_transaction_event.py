"""TransactionEvent, StatusNotification and MeterValues of OCPP 2.0.1 and 2.1, as stations send them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import orjson
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from csms.handlers.request import Policy
from csms.ledger.authorization import IdTag, TagInfo
from csms.ledger.cost import Tariff
from csms.ledger.state import Reading, Transaction
from csms.ocppj.versions import V21, V201
from tests.fakes import NOW, FakeAuthority, FakeLedger, state_of
from tests.handlers.station import Station

TOKEN = {"idToken": "TAG1", "type": "ISO14443"}
POLICY = Policy(tariff=Tariff(energy_rate=Decimal("0.35"), time_rate=Decimal("0.02"), session_fee=Decimal("0.5")))


@pytest.fixture(params=[V201, V21], ids=["2.0.1", "2.1"])
def station(request):
    return Station(version=request.param, policy=POLICY)


def _value(at, *sampled):
    return {"timestamp": at, "sampledValue": list(sampled)}


def _register(value, **members):
    return {"value": value, "unitOfMeasure": {"unit": "Wh"}, **members}


def _event(station, kind, seq_no, at, *values, transaction_id="A-1", info=None, mode="strict", **members):
    info = {"transactionId": transaction_id, **(info or {})}
    payload = {"eventType": kind, "seqNo": seq_no, "timestamp": at, "triggerReason": "Trigger", **members}
    payload |= {"transactionInfo": info}
    if values:
        payload["meterValue"] = [_value(at, *values)]
    return station.ask("TransactionEvent", payload, mode)


def _start(station, *, at="2026-03-01T11:00:00Z", **members):
    begin = _register(1000, context="Transaction.Begin")
    chosen = {"evse": {"id": 1, "connectorId": 1}, "idToken": TOKEN, "triggerReason": "Authorized", **members}
    return _event(station, "Started", 0, at, begin, **chosen)


def _end(station, seq_no=1, **members):
    end = _register(3000, context="Transaction.End")
    return _event(station, "Ended", seq_no, "2026-03-01T11:30:00Z", end, **members)


def test_a_session(station):
    assert _start(station).payload == {"idTokenInfo": {"status": "Accepted"}}
    answer = _event(station, "Updated", 1, "2026-03-01T11:10:00Z", _register(2000))
    assert (answer.payload, answer.event_types) == ({}, ["meter_reading"])
    answer = _end(station, 2, info={"stoppedReason": "EVDisconnected"})
    # 2 kWh * 0.35 + 30 minutes * 0.02 + 0.5
    assert answer.payload == {"totalCost": 1.8}
    assert answer.event_types == ["completed", "session_cost"]
    completed = answer.events[0].payload
    assert (completed.energy_used, completed.reason, completed.id_tag) == (2, "EVDisconnected", "TAG1")
    assert (completed.evse_id, completed.station_connector_id, completed.station_transaction_id) == (1, 1, "A-1")


def test_an_answer_that_was_lost(station):
    """The same again on another socket, with nothing in memory: the same answers, and nothing twice."""
    first = [_start(station), _event(station, "Updated", 1, "2026-03-01T11:10:00Z", _register(2000)), _end(station, 2)]
    ended = station.ledger.transactions
    latest = max(transaction.start_time for transaction in ended.values())
    station.state = replace(state_of(station.client_id), latest_start=latest)
    again = [_start(station), _event(station, "Updated", 1, "2026-03-01T11:10:00Z", _register(2000)), _end(station, 2)]
    assert [answer.payload for answer in again] == [answer.payload for answer in first]
    assert [answer.events for answer in again] == [[], [], []]
    assert station.ledger.transactions == ended
    assert len(ended) == 1


def test_an_answer_that_was_lost_while_it_runs(station):
    _start(station)
    before = _event(station, "Updated", 1, "2026-03-01T11:10:00Z", _register(2000))
    again = _event(station, "Updated", 1, "2026-03-01T11:10:00Z", _register(2000))
    assert (again.payload, again.events, again.changes) == (before.payload, [], [])


def test_another_stations_transaction_is_none_of_its_business(station):
    _start(station)
    thief = Station("CP2", ledger=station.ledger, version=station.version)
    answer = _end(thief)
    assert answer.event_types == ["started", "completed", "session_cost"]
    assert station.ledger.transactions[1].status == "active"


def test_multipliers_are_powers_of_ten(station):
    _start(station)
    values = [
        {"value": 15, "unitOfMeasure": {"unit": "Wh", "multiplier": 2}},
        {"value": 7.2005, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W", "multiplier": 3}},
        {"value": 2301, "measurand": "Voltage", "unitOfMeasure": {"unit": "V", "multiplier": -1}},
        {"value": 1, "measurand": "Frequency", "unitOfMeasure": {"unit": "Hz", "multiplier": 1000000}},
    ]
    answer = _event(station, "Updated", 1, "2026-03-01T11:10:00Z", *values)
    measurands = orjson.loads(bytes(answer.events[0].payload.measurands))
    assert {name: (item["value"], item["unit"]) for name, item in measurands.items()} == {
        "Energy.Active.Import.Register": (1.5, "kWh"),
        "Power.Active.Import": (7.201, "kW"),
        "Voltage": (230.1, "V"),
    }
    assert answer.deviations == ["sampledValue: 1 values are no numbers"]


@pytest.mark.parametrize(
    ("sent", "kept"), [(1e-07, "0.0000001"), (0.1, "0.1"), (12345678.9, "12345678.9"), (1e3, "1000.0")]
)
def test_numbers_are_taken_exactly(station, sent, kept):
    _start(station)
    answer = _event(station, "Updated", 1, "2026-03-01T11:10:00Z", {"value": sent, "measurand": "SoC"})
    (reading,) = [change for change in answer.changes if isinstance(change, Reading)]
    assert f'"value":"{kept}"' in reading.samples.decode()


def test_signed_values_are_kept_as_they_came_and_what_they_sign_counts(station):
    signature = {
        "signedMeterData": "T0NNRnx7fXx7fQ==\u20ac",
        "signingMethod": "ECDSA-secp256r1-SHA256",
        "encodingMethod": "OCMF",
        "publicKey": "MFkw\u2026",
    }
    _start(station)
    end = _register(3000, context="Transaction.End", signedMeterValue=signature)
    answer = _event(station, "Ended", 1, "2026-03-01T11:30:00Z", end)
    completed = next(event.payload for event in answer.events if event.event_type == "completed")
    assert completed.energy_used == 2
    (signed,) = completed.signed_data
    assert (signed.value, signed.signing_method) == (signature["signedMeterData"], signature["signingMethod"])
    assert (signed.encoding_method, signed.public_key) == (signature["encodingMethod"], signature["publicKey"])
    assert signed.context == "Transaction.End"


# Tokens.


def _known(station, **tags):
    for name, members in tags.items():
        station.ledger.tags[name.casefold()] = IdTag(id_tag=name, **{"status": "Accepted", **members})


def test_an_unwelcome_token_has_its_transaction_all_the_same(station):
    """It began offline: the energy flows (steve#25)."""
    _known(station, TAG1={"status": "Blocked"})
    answer = _start(station, offline=True)
    assert answer.payload["idTokenInfo"]["status"] == "Blocked"
    assert answer.event_types == ["started"]


def test_one_transaction_at_a_time(station):
    _known(station, TAG1={"max_transactions": 1})
    assert _start(station).payload["idTokenInfo"]["status"] == "Accepted"
    second = _start(station, at="2026-03-01T11:05:00Z", transaction_id="B", evse={"id": 2, "connectorId": 1})
    assert second.payload["idTokenInfo"]["status"] == "ConcurrentTx"
    assert _start(station).payload["idTokenInfo"]["status"] == "Accepted"


def test_one_of_the_group_may_stop(station):
    _known(station, TAG1={"parent_id_tag": "G"}, TAG2={"parent_id_tag": "G", "max_transactions": 0})
    assert _start(station).payload["idTokenInfo"]["groupIdToken"] == {"idToken": "G", "type": "Central"}
    answer = _end(station, idToken={"idToken": "tag2", "type": "ISO14443"}, triggerReason="StopAuthorized")
    assert answer.payload["idTokenInfo"]["status"] == "Accepted"
    assert answer.events[0].payload.id_tag == "TAG1"


def test_a_token_that_comes_later(station):
    where = {"evse": {"id": 1}, "triggerReason": "CablePluggedIn"}
    begun = _event(station, "Started", 0, "2026-03-01T11:00:00Z", **where)
    assert (begun.payload, begun.events) == ({}, [])
    answer = _event(station, "Updated", 1, "2026-03-01T11:01:00Z", idToken=TOKEN, triggerReason="Authorized")
    assert answer.payload == {"idTokenInfo": {"status": "Accepted"}}
    assert answer.event_types == ["started"]
    assert (answer.events[0].payload.id_tag, answer.events[0].supersedes) == ("TAG1", UNSET)


def test_nobody_is_no_tag(station):
    answer = _start(station, idToken={"idToken": "", "type": "NoAuthorization"})
    assert answer.payload == {"idTokenInfo": {"status": "Accepted"}}
    assert answer.events[0].payload.id_tag == ""


def test_an_authority_that_takes_its_time():
    authority = FakeAuthority()
    station = Station(version=V201, policy=POLICY, authority=authority)
    begin = {"timestamp": "2026-03-01T11:00:00Z", "sampledValue": [_register(1000)]}
    waiting = station.send(
        "TransactionEvent",
        {
            "eventType": "Started", "seqNo": 0, "timestamp": "2026-03-01T11:00:00Z", "triggerReason": "Authorized",
            "transactionInfo": {"transactionId": "A"}, "idToken": TOKEN, "meterValue": [begin],
        },
    )  # fmt: skip
    assert waiting.answer is None
    authority.say(TagInfo("Expired"))
    assert waiting.answer.payload == {"idTokenInfo": {"status": "Expired"}}


def test_what_it_costs_so_far_where_that_is_told():
    station = Station(version=V201, policy=Policy(tariff=POLICY.tariff, tells_running_cost=True))
    station.now = datetime(2026, 3, 1, 11, 9, 58, tzinfo=UTC)
    _start(station)
    answer = _event(station, "Updated", 1, "2026-03-01T11:10:00Z", _register(2000))
    # 1 kWh * 0.35 + 10 minutes * 0.02 + 0.5
    assert answer.payload == {"totalCost": 1.05}


# What stations get wrong.


@pytest.mark.parametrize("evse", [{"id": -1}, {"id": 2**40, "connectorId": 1}, {"id": 1, "connectorId": -5}])
def test_an_impossible_evse_does_not_cost_the_transaction(evse):
    """The schema of 2.1 lets none below 0 pass; that of 2.0.1 does."""
    station = Station(version=V201)
    answer = _start(station, evse=evse, mode="off")
    assert answer.events[0].payload.connector_id == 0
    assert any("evse" in deviation for deviation in answer.deviations)


@pytest.mark.parametrize("transaction_id", ["", "x" * 256])
def test_an_impossible_transaction_id(station, transaction_id):
    assert _start(station, transaction_id=transaction_id, mode="off").code == "PropertyConstraintViolation"


def test_a_long_transaction_id_is_taken(station):
    answer = _start(station, transaction_id="x" * 200, mode="tolerant")
    assert answer.event_types == ["started"]
    assert answer.deviations


@pytest.mark.parametrize("seq_no", [-1, 2**40])
def test_an_impossible_number(seq_no):
    station = Station(version=V201)
    answer = _event(station, "Started", seq_no, "2026-03-01T11:00:00Z", evse={"id": 1}, idToken=TOKEN)
    assert answer.event_types == ["started"]
    assert answer.deviations == [f"seqNo: {seq_no} is not allowed, 0 stands in"]


def test_a_gap_is_named(station):
    _start(station)
    answer = _event(station, "Updated", 3, "2026-03-01T11:10:00Z", _register(2000))
    assert answer.deviations == ["seqNo: 1 to 2 did not come before 3"]


def test_what_is_not_as_it_should_be_is_logged(station, logged):
    _event(station, "Updated", 3, "2026-03-01T11:10:00Z", _register(2000))
    _end(station, 4)
    _event(station, "Updated", 5, "2026-03-01T11:31:00Z", _register(3001))
    assert [line.partition(": transaction 1: ")[2] for line in logged.about("CP1")] == [
        "its Started did not come",
        "of its events 0 to 2 did not come",
        "an event came after its Ended",
    ]


def test_a_station_without_a_clock(station):
    answer = _event(station, "Started", 0, "1970-01-01T00:00:01Z", evse={"id": 1})
    (row,) = [change for change in answer.changes if isinstance(change, Transaction)]
    assert (row.quality, row.start_time) == ("clock_suspect", station.now)
    again = _event(station, "Started", 0, "1970-01-01T00:00:01Z", evse={"id": 1})
    assert again.events == []
    ended = _end(station)
    assert ended.event_types == ["started", "completed", "session_cost"]


def test_many_transactions_at_once_are_many_transactions():
    ledger = FakeLedger()
    station = Station(version=V201, ledger=ledger)
    for number in range(1, 21):
        at = (NOW - timedelta(minutes=30 - number)).isoformat()
        _event(station, "Started", 0, at, transaction_id=f"T{number}", evse={"id": number})
    assert sorted(ledger.transactions) == list(range(1, 21))
    assert {item.connector_id for item in ledger.transactions.values()} == set(range(1, 21))


# The blocks beside.


def test_status_notifications(station):
    status = {"timestamp": "2026-03-01T11:00:00Z", "connectorStatus": "Occupied", "evseId": 2, "connectorId": 1}
    answer = station.ask("StatusNotification", status, "strict")
    (event,) = answer.events
    assert (event.payload.status, event.payload.station_status) == ("Preparing", "Occupied")
    assert (event.payload.connector_id, event.payload.evse_id, event.payload.station_connector_id) == (2, 2, 1)
    again = station.ask("StatusNotification", status, "strict")
    assert (again.payload, again.events, again.changes) == ({}, [], [])
    second = station.ask("StatusNotification", {**status, "connectorId": 2, "connectorStatus": "Available"}, "strict")
    assert second.events[0].payload.connector_id == 3


def test_the_status_of_an_impossible_connector(station):
    status = {"timestamp": "2026-03-01T11:00:00Z", "connectorStatus": "Occupied", "evseId": 2**40, "connectorId": 1}
    assert station.ask("StatusNotification", status).code == "PropertyConstraintViolation"


def test_meter_values_outside_of_transactions(station):
    values = {"evseId": 1, "meterValue": [_value("2026-03-01T11:00:00Z", _register(500, context="Sample.Clock"))]}
    answer = station.ask("MeterValues", values, "strict")
    (event,) = answer.events
    assert (event.payload.connector_id, event.payload.evse_id, bytes(event.payload.total_energy)) == (1, 1, b"0.5")
    assert station.ask("MeterValues", values, "strict").events == []
    main = station.ask("MeterValues", {**values, "evseId": 0}, "strict")
    assert main.events[0].payload.connector_id == 0
    started = _start(station)
    assert started.events[0].payload.current_meter == 500


def test_the_row_of_a_transaction(station):
    answer = _start(station, transaction_id="7f", reservationId=4, numberOfPhasesUsed=3, cableMaxCurrent=32)
    (row,) = [change for change in answer.changes if isinstance(change, Transaction)]
    assert (row.transaction_id, row.station_transaction_id, row.evse_id, row.station_connector_id) == (1, "7f", 1, 1)
    assert (row.reservation_id, row.trail.phases_used, row.trail.cable_max_current) == (4, 3, 32)
