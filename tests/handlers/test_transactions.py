"""StartTransaction, StopTransaction and MeterValues as real charge points send them (1.6 §4.7, §4.8, §4.10)."""

from decimal import Decimal

import pytest

from csms.ledger.state import Reading
from tests.fakes import NOW
from tests.handlers.station import START, Station

STOP = {"transactionId": 1, "meterStop": 3000, "timestamp": "2026-03-01T11:30:00Z"}


def _sampled(value, **members):
    return {"value": value, **members}


def test_the_same_start_again():
    """The same id, and no second event (mobilityhouse#186)."""
    station = Station()
    number = station.start()
    answer = station.ask("StartTransaction", START)
    assert answer.payload["transactionId"] == number
    assert answer.events == []
    other = station.ask("StartTransaction", {**START, "timestamp": "2026-03-01T11:00:01Z"})
    assert other.payload["transactionId"] != number


def test_ids_are_positive_and_of_32_bits():
    station = Station()
    numbers = [station.start(connectorId=connector) for connector in range(1, 6)]
    assert len(set(numbers)) == 5
    assert all(0 < number < 2**31 for number in numbers)


@pytest.mark.parametrize("number", [0, -1, 4711, 2**31, 9223372036854775807, 10**30, 1.5, -(10**25)])
def test_a_stop_for_no_transaction(number):
    """Always a CALLRESULT (libocpp#495, steve#292): an orphan stop is kept, and said; nothing is guessed."""
    station = Station()
    station.start()
    answer = station.ask("StopTransaction", {**STOP, "transactionId": number, "idTag": "TAG1"})
    assert answer.payload == {"idTagInfo": {"status": "Accepted"}}
    assert answer.event_types == ["orphan_stop"]
    assert [change.kind for change in answer.changes] == ["OrphanStop"]
    assert 1 in station.state.running


def test_a_stop_for_another_charge_points_transaction():
    """It is none of its business (CVE-2026-28230)."""
    victim = Station()
    number = victim.start()
    thief = Station("CP2", ledger=victim.ledger)
    answer = thief.ask("StopTransaction", {**STOP, "transactionId": number})
    assert answer.payload == {}
    assert answer.event_types == ["orphan_stop"]
    assert victim.ledger.transactions[number].status == "active"


def test_a_stop_again():
    """A CALLRESULT each time, one completed, one session_cost."""
    station = Station()
    station.start()
    assert station.ask("StopTransaction", STOP).event_types == ["completed", "session_cost"]
    for repetition in (STOP, {**STOP, "meterStop": 9000}, {**STOP, "reason": "PowerLoss"}):
        answer = station.ask("StopTransaction", repetition)
        assert answer.payload == {}
        assert answer.events == []
        assert answer.changes == []


def test_a_stop_after_a_reconnection():
    """The transaction is found in the store where memory does not hold it."""
    station = Station()
    station.start()
    station.state = Station().state
    answer = station.ask("StopTransaction", STOP)
    assert answer.event_types == ["completed", "session_cost"]
    assert answer.events[0].payload.energy_used == 2


def test_transaction_data():
    """Closing meter values travel in the stop."""
    station = Station()
    station.start()
    data = [
        {
            "timestamp": "2026-03-01T11:00:00Z",
            "sampledValue": [_sampled("1000", context="Transaction.Begin", format="Raw", unit="Wh")],
        },
        {
            "timestamp": "2026-03-01T11:30:00Z",
            "sampledValue": [
                _sampled("3.5", context="Transaction.End", unit="kWh"),
                _sampled("OCMF|{}|{}", format="SignedData", context="Transaction.End"),
                _sampled("not a number", measurand="Voltage"),
            ],
        },
    ]
    answer = station.ask("StopTransaction", {**STOP, "meterStop": 3500, "transactionData": data}, "strict")
    assert answer.event_types == ["meter_reading", "meter_reading", "completed", "session_cost"]
    assert [change.energy_wh for change in answer.changes if isinstance(change, Reading)] == [1000, 3500]
    completed = answer.events[2].payload
    assert (completed.energy_used, completed.signed_data[0].value) == (2.5, "OCMF|{}|{}")
    assert answer.deviations == ["sampledValue: 1 values are no numbers"]


def test_numbers_for_sampled_values():
    station = Station()
    station.start()
    values = [{"timestamp": "2026-03-01T11:10:00Z", "sampledValue": [{"value": 1500}, {"value": 3.5, "unit": "W"}]}]
    answer = station.ask("MeterValues", {"connectorId": 1, "transactionId": 1, "meterValue": values})
    assert answer.event_types == ["meter_reading"]
    assert answer.events[0].payload.transaction_id == 1
    assert answer.deviations
    assert station.ask("MeterValues", {"connectorId": 1, "meterValue": values}, "strict").code


@pytest.mark.parametrize("number", [9223372036854775807, 0, -1, 77])
def test_meter_values_of_no_transaction(number):
    """Such ids mean none (lbbrhzn#45): the values belong to whatever ran on the connector then (core#1025)."""
    station = Station()
    mine = station.start()
    values = [{"timestamp": "2026-03-01T11:10:00Z", "sampledValue": [{"value": "1500"}]}]
    answer = station.ask("MeterValues", {"connectorId": 1, "transactionId": number, "meterValue": values})
    assert answer.events[0].payload.transaction_id == mine


@pytest.mark.parametrize(("sent", "meter_start"), [(1000.5, 1000.5), (0.1, 0.1), (1000.0, 1000), (0, 0)])
def test_a_fractional_meter_start(sent, meter_start):
    """Kept exactly, as a deviation; meterStart is in Wh as given."""
    answer = Station().ask("StartTransaction", {**START, "meterStart": sent})
    assert answer.events[0].payload.meter_start == meter_start
    assert answer.changes[0].meter_start_wh == Decimal(repr(sent))
    assert bool(answer.deviations) == isinstance(sent, float)


def test_a_fractional_meter_start_in_strict_mode():
    assert Station().ask("StartTransaction", {**START, "meterStart": 0.5}, "strict").code == "TypeConstraintViolation"


@pytest.mark.parametrize("member", ["meterStart", "connectorId"])
def test_a_boolean_is_no_number(member):
    assert Station().ask("StartTransaction", {**START, member: True}).code == "TypeConstraintViolation"


@pytest.mark.parametrize(
    ("text", "start_time", "quality"),
    [
        ("2026-03-01T11:00:00", "2026-03-01T11:00:00+00:00", "good"),
        ("2026-03-01T13:00:00+02:00", "2026-03-01T11:00:00+00:00", "good"),
        ("2026-02-01T11:00:00.123Z", "2026-02-01T11:00:00.123000+00:00", "good"),
        ("1970-01-01T00:00:12Z", None, "clock_suspect"),
        ("2019-12-31T23:59:59Z", None, "clock_suspect"),
        ("2026-03-03T12:00:00Z", None, "clock_suspect"),
        ("9999-12-31T23:59:59-01:00", None, "clock_suspect"),
        ("soon", None, "clock_suspect"),
        ("", None, "clock_suspect"),
    ],
)
def test_timestamps(text, start_time, quality):
    """No zone is UTC; an implausible time gives way to the time of arrival. An old queue is no clock fault."""
    station = Station()
    answer = station.ask("StartTransaction", {**START, "timestamp": text})
    started = answer.changes[0]
    assert started.quality == quality
    assert started.station_start == text
    assert started.start_time.isoformat() == (start_time or station.now.isoformat())
    assert bool(answer.deviations) == (quality != "good")
    stopped = station.ask("StopTransaction", {**STOP, "timestamp": text})
    assert stopped.payload == {}
    assert stopped.events[0].payload.quality == quality


@pytest.mark.parametrize("meter_stop", [-1, 10**14])
def test_an_unknown_meter_stop(meter_stop):
    """The last register reading stands in (field notes, metering)."""
    station = Station()
    station.start()
    values = [{"timestamp": "2026-03-01T11:10:00Z", "sampledValue": [{"value": "1700"}]}]
    station.ask("MeterValues", {"connectorId": 1, "transactionId": 1, "meterValue": values})
    answer = station.ask("StopTransaction", {**STOP, "meterStop": meter_stop})
    assert answer.events[0].payload.meter_stop == 1700


def test_the_reason_of_a_stop_is_local_where_it_is_absent():
    """1.6 §6.49."""
    station = Station()
    station.start()
    assert station.ask("StopTransaction", STOP).events[0].payload.reason == "Local"


def test_a_status_that_did_not_change_is_no_event():
    station = Station()
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    assert station.ask("StatusNotification", status).event_types == ["status_changed"]
    again = station.ask("StatusNotification", {**status, "timestamp": NOW.isoformat()})
    assert (again.payload, again.events) == ({}, [])
    answer = station.ask("StatusNotification", {**status, "status": "Charging"})
    assert answer.events[0].payload.previous_status == "Available"
