"""To which transaction a reading belongs, what it publishes, and what a repetition does: nothing."""

from __future__ import annotations

import pytest

from csms.ledger.samples import Sample
from tests.ledger.station import Station, sample

OCMF = 'OCMF|{"FV":"1.0","RD":[{"RV":1.5,"TX":"\\u00e9 B"}]}|{"SA":"ECDSA-secp256r1","SD":"3045022100"}'


def owners(station: Station) -> list[int | None]:
    assert [payload.get("transactionId") for payload in station.payloads("meter_reading")] == [
        reading.transaction_id for reading in station.readings
    ]
    return [reading.transaction_id for reading in station.readings]


def test_a_reading_without_a_transaction_id_belongs_to_the_running_one(station: Station) -> None:
    """MeterValues without a transactionId during a session (core#1025)."""
    transaction_id = station.start("10:00", 1000)
    station.meter(("10:30", "1500"))
    assert owners(station) == [transaction_id]
    station.stop(transaction_id, meter=-1)
    assert station.payload("completed")["energyUsed"] == 0.5


def test_a_reading_from_before_the_session_stays_unattached(station: Station) -> None:
    """core#1025: it belongs to the running transaction if its time is in the session; else it stays unattached."""
    station.start("10:00", 1000)
    station.meter(("09:59:59", "900"), ("10:00", "1000"))
    assert owners(station) == [None, 1]


def test_a_reading_after_the_session_stays_unattached(station: Station) -> None:
    """core#1025: a clock-aligned reading after the stop is nobody's."""
    transaction_id = station.start("10:00", 1000)
    station.stop(transaction_id, "11:00", 2000)
    station.meter(("10:45", "1800"), ("11:00", "2000"), ("11:15", "2000"))
    assert owners(station) == [transaction_id, transaction_id, None]


def test_a_reading_never_belongs_to_another_connectors_session(station: Station) -> None:
    """Never attach a connector to another connector's session, not even where the message names it."""
    first = station.start("10:00", 1000, connector_id=1)
    second = station.start("10:00", 5000, connector_id=2)
    station.meter(("10:30", "5500"), connector_id=2)
    station.meter(("10:31", "5600"), connector_id=2, transaction_id=first)
    station.meter(("10:31", "7"), connector_id=3)
    assert owners(station) == [second, second, None]
    station.stop(first, meter=-1)
    assert station.payload("completed")["energyUsed"] == 0


def test_connector_0_is_the_station(station: Station) -> None:
    """Connector 0 is the station: its meter is no session's."""
    transaction_id = station.start("10:00", 1000)
    station.meter(("10:30", "999999"), connector_id=0)
    station.meter(("10:31", "999999"), connector_id=0, transaction_id=transaction_id)
    assert owners(station) == [None, None]
    assert station.state.running[transaction_id].meter.latest_wh is None


def test_a_session_that_was_started_at_the_station_takes_no_reading_that_does_not_name_it(station: Station) -> None:
    """Connector 0 is the station, also where a charge point starts a transaction there."""
    transaction_id = station.start("10:00", 1000, connector_id=0)
    station.meter(("10:30", "999999"), connector_id=0)
    station.meter(("10:31", "2000"), connector_id=0, transaction_id=transaction_id)
    assert owners(station) == [None, transaction_id]


def test_of_two_running_the_one_whose_time_it_is_gets_the_reading(station: Station) -> None:
    """A queued, older start beside the running one: readings go by their time."""
    running = station.start("11:00", 5000)
    older = station.start("10:00", 1000)
    station.meter(("10:30", "2000"), ("11:30", "6000"))
    assert owners(station) == [older, running]


def test_a_message_without_a_time_in_any_session_is_kept(station: Station) -> None:
    station.meter(("10:00", "1500"))
    assert owners(station) == [None]
    assert station.payload("meter_reading") == {
        "connectorId": 1,
        "timestamp": "2026-03-01T10:00:00Z",
        "measurands": {"Energy.Active.Import.Register": {"value": 1.5, "unit": "kWh"}},
        "totalEnergy": 1.5,
    }


def test_each_reading_time_is_an_event_of_its_own(station: Station) -> None:
    """Contracts §3: one event per reading time."""
    station.meter(("10:00", "1"), ("10:01", "2"), ("10:02", "3"))
    assert [payload["timestamp"][11:16] for payload in station.payloads("meter_reading")] == ["10:00", "10:01", "10:02"]
    assert [event["sequence"] for event in station.events] == [1, 2, 3]
    assert len({event["causationId"] for event in station.events}) == 1


def test_readings_that_came_before_create_nothing(station: Station) -> None:
    """MeterValues sent again after a lost answer; transactionData repeats what MeterValues told."""
    transaction_id = station.start()
    station.meter(("10:15", "2000"), ("10:30", "3000"))
    station.meter(("10:15", "2000"), ("10:30", "3000"))
    assert len(station.readings) == len(station.payloads("meter_reading")) == 2
    data = (station.value("10:30", "3000"), station.value("10:45", "4000"))
    station.stop(transaction_id, data=data)
    station.meter(("10:45", "4000"))
    assert [reading.taken_at.minute for reading in station.readings] == [15, 30, 45]
    assert len(station.payloads("meter_reading")) == 3


def test_the_same_time_with_other_values_is_another_reading(station: Station) -> None:
    station.meter(("10:15", "2000"))
    station.meter(station.value("10:15", sample("230", measurand="Voltage")))
    assert len(station.payloads("meter_reading")) == 2


def test_transaction_data_comes_before_the_end_that_it_explains(station: Station) -> None:
    transaction_id = station.start()
    station.stop(transaction_id, meter=5000, data=(station.value("10:30", "3000"), station.value("11:00", "5000")))
    assert station.types() == ["started", "meter_reading", "meter_reading", "completed", "session_cost"]
    assert owners(station) == [transaction_id] * 2
    assert station.payload("completed")["energyUsed"] == 4


def test_the_current_power_and_the_total_are_told_apart(station: Station) -> None:
    station.meter(
        station.value("10:00", sample("7400", measurand="Power.Active.Import"), sample("55", measurand="SoC"))
    )
    reading = station.payload("meter_reading")
    assert reading["currentPower"] == 7.4
    assert "totalEnergy" not in reading


def signed(text: str, **members: str) -> Sample:
    return sample(text, format="SignedData", **members)


@pytest.mark.parametrize("in_stop", [True, False])
def test_signed_data_travels_in_completed_byte_for_byte(station: Station, in_stop: bool) -> None:
    """SignedData (OCMF and others) is kept byte for byte, is left out of arithmetic and travels in the completed event."""
    transaction_id = station.start(meter=1000)
    begin = station.value("10:00", signed(OCMF, context="Transaction.Begin"))
    end = station.value(
        "11:00", signed(OCMF[::-1], context="Transaction.End", measurand="Energy.Active.Import.Register")
    )
    if not in_stop:
        station.meter(begin, end, transaction_id=transaction_id)
    station.stop(transaction_id, meter=2000, data=(begin, end) if in_stop else ())
    completed = station.payload("completed")
    assert completed["signedData"] == [
        {"timestamp": "2026-03-01T10:00:00Z", "value": OCMF, "context": "Transaction.Begin"},
        {
            "timestamp": "2026-03-01T11:00:00Z",
            "value": OCMF[::-1],
            "context": "Transaction.End",
            "measurand": "Energy.Active.Import.Register",
        },
    ]
    assert (completed["energyUsed"], completed["quality"]) == (1, "good")
    assert not station.payloads("meter_reading"), "nothing that was measured can be told"
    assert len(station.readings) == 2


def test_signed_data_that_comes_twice_travels_once(station: Station) -> None:
    """SignedData in MeterValues and again in transactionData beside other values."""
    transaction_id = station.start(meter=1000)
    station.meter(station.value("10:00", signed(OCMF)), transaction_id=transaction_id)
    station.stop(transaction_id, data=(station.value("10:00", signed(OCMF), sample("1000")),))
    assert [value["value"] for value in station.payload("completed")["signedData"]] == [OCMF]


def test_of_very_many_signed_values_the_first_and_the_latest_travel(station: Station) -> None:
    """SignedData every minute for hours: the beginning and the end are what an invoice needs; the rest is in the readings."""
    transaction_id = station.start(meter=1000)
    for minute in range(60):
        values = [station.value(f"10:{minute:02}:{second:02}", signed(f"{minute}-{second}")) for second in (0, 30)]
        station.meter(*values, transaction_id=transaction_id)
    station.stop(transaction_id)
    travelled = [value["value"] for value in station.payload("completed")["signedData"]]
    assert (travelled[0], travelled[-1], len(travelled)) == ("0-0", "59-30", 64)
    assert len(station.readings) == 120
