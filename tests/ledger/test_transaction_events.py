"""Transactions by the events of OCPP 2.x: in any order, again, in part; and as a session of 1.6 would be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from csms.ledger.cost import Tariff
from csms.ledger.state import Reservation
from tests.ledger.event_station import END, STATION_ID, EventStation
from tests.ledger.station import CLIENT_ID, Station, sample

TARIFF = Tariff(energy_rate=Decimal("0.35"), time_rate=Decimal("0.02"), session_fee=Decimal("0.5"))
BUSINESS = ("started", "meter_reading", "completed", "session_cost")


@pytest.fixture
def station() -> EventStation:
    return EventStation(TARIFF)


def _run(station: EventStation) -> None:
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", trigger_reason="Authorized")
    station.event("Updated", 1, "10:05", "1500")
    station.event("Ended", 2, "10:10:30", "2234", stopped_reason="EVDisconnected")


def test_a_session_is_told_as_one_of_1_6(station):
    other = Station(TARIFF)
    transaction = other.start("10:00", 1000)
    other.meter(("10:05", "1500"), transaction_id=transaction)
    other.stop(transaction, "10:10:30", 2234, reason="EVDisconnected")
    _run(station)
    assert [event["eventType"] for event in station.events] == [event["eventType"] for event in other.events]
    for event_type in BUSINESS:
        assert station.version_neutral(event_type) == other.payloads(event_type)
    for payload in (event["payload"] for event in station.events):
        assert (payload["evseId"], payload["stationConnectorId"]) == (1, 1)
        assert payload["stationTransactionId"] == STATION_ID


def test_the_numbers_that_stay(station):
    _run(station)
    completed = station.payload("completed")
    assert (completed["energyUsed"], completed["duration"], completed["quality"]) == (1.234, 10.5, "good")
    assert (completed["meterStart"], completed["currentMeter"], completed["meterStop"]) == (1000, 1500, 2234)
    assert station.payload("session_cost")["estimatedCost"] == 1.14
    assert len(station.readings) == 3


def test_a_reason_that_is_not_told_is_local(station):
    station.event("Started", 0, "10:00", "1000")
    station.event("Ended", 1, "10:10", "1500")
    assert station.payload("completed")["reason"] == "Local"


# Order.


def test_everything_again_changes_nothing(station):
    _run(station)
    before = len(station.events)
    for _ in range(2):
        station.restart()
        _run(station)
    assert len(station.events) == before
    assert len(station.readings) == 3
    assert station.records == []


def test_an_ended_that_comes_again_is_answered_with_the_same_cost(station):
    _run(station)
    station.restart()
    again = station.event("Ended", 2, "10:10:30", "2234", stopped_reason="EVDisconnected")
    assert (again.arrival, again.transaction.cost) == ("again", Decimal("1.14"))


def test_gaps_are_kept_and_filled(station):
    station.event("Started", 0, "10:00", "1000")
    station.event("Updated", 4, "10:20", "1400")
    assert station.found().trail.missing == ((1, 3),)
    late = station.event("Updated", 2, "10:10", "1200")
    assert late.arrival == "late"
    assert station.found().trail.missing == ((1, 1), (3, 3))
    assert station.found().trail.highest == 4
    assert [payload["totalEnergy"] for payload in station.payloads("meter_reading")] == [1.4, 1.2]
    station.event("Ended", 5, "10:30", "1500")
    assert station.payload("completed")["energyUsed"] == 0.5


def test_a_late_event_does_not_turn_the_state_back(station):
    station.status_of("Occupied")
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", charging_state="EVConnected")
    station.event("Updated", 2, "10:02", charging_state="SuspendedEV")
    station.event("Updated", 1, "10:01", charging_state="Charging")
    assert station.found().trail.charging_state == "SuspendedEV"
    assert station.state.connectors[1].status == "SuspendedEV"


def test_an_updated_whose_started_never_came(station):
    station.event("Updated", 3, "10:05", "1500", id_tag="TAG")
    assert station.payload("started")["startTime"] == "2026-03-01T10:05:00Z"
    assert station.found().quality == "estimated"
    assert station.found().trail.missing == ((0, 2),)
    station.event("Ended", 4, "10:10", "2000")
    completed = station.payload("completed")
    assert (completed["energyUsed"], completed["quality"], completed["idTag"]) == (0.5, "estimated", "TAG")


def test_an_ended_alone(station):
    taken = station.event("Ended", 7, "10:10", "2000", id_tag="TAG", stopped_reason="PowerLoss")
    assert station.types() == ["started", "completed", "session_cost"]
    assert station.payload("completed")["quality"] == "estimated"
    assert taken.is_new
    assert taken.transaction.status == "completed"


def test_a_started_that_comes_last_corrects_what_was_said(station):
    station.event("Ended", 2, "10:10:30", "2234")
    station.event("Updated", 1, "10:05", "1500")
    station.event("Started", 0, "10:00", "1000", id_tag="TAG")
    completed = [event for event in station.events if event["eventType"] == "completed"]
    assert "supersedes" not in completed[0]
    for earlier, later in pairwise(completed):
        assert later["supersedes"] == earlier["eventId"]
    last = completed[-1]["payload"]
    assert (last["energyUsed"], last["duration"], last["quality"]) == (1.234, 10.5, "good")
    assert (last["idTag"], last["currentMeter"], last["meterStart"]) == ("TAG", 1500, 1000)
    started = [event for event in station.events if event["eventType"] == "started"]
    assert started[1]["supersedes"] == started[0]["eventId"]
    assert started[1]["payload"]["startTime"] == "2026-03-01T10:00:00Z"
    assert station.state.running == {}


def test_what_comes_after_the_end_is_kept_and_flagged(station):
    _run(station)
    before = len(station.events)
    taken = station.event("Updated", 3, "10:20", "2500")
    assert taken.is_after_end
    assert [record.kind for record in station.records] == ["TransactionEventAfterEnd"]
    assert station.types()[before:] == ["meter_reading"]
    assert station.found().energy_wh == Decimal(1234)
    station.event("Ended", 4, "10:21", "2600")
    assert len(station.payloads("completed")) == 1


def test_a_station_that_does_not_count(station):
    station.event("Started", 0, "10:00", "1000", charging_state="EVConnected")
    station.event("Updated", 0, "10:05", "1500", charging_state="Charging")
    station.event("Updated", 0, "10:06", charging_state="SuspendedEV")
    station.event("Ended", 0, "10:10", "2000")
    assert station.payload("completed")["energyUsed"] == 1
    assert station.found().trail.charging_state == "SuspendedEV"


def test_an_id_that_is_used_again_is_another_transaction(station):
    _run(station)
    station.event("Started", 0, "11:00", "2234", id_tag="OTHER")
    station.event("Ended", 1, "11:10", "3234")
    assert [payload["transactionId"] for payload in station.payloads("completed")] == [1, 4]
    assert station.payloads("completed")[1]["energyUsed"] == 1


# Whose, where.


def test_started_waits_until_it_is_known_whose_it_is(station):
    """As in 1.6, where a transaction begins when somebody is authorised: no `started` without a tag, and no correction."""
    station.status_of("Occupied")
    station.event("Started", 0, "10:00", "1000", trigger_reason="CablePluggedIn", charging_state="EVConnected")
    assert station.types() == ["status_changed"]
    assert "transactionId" not in station.payload("status_changed")
    station.restart()
    station.event("Updated", 1, "10:01", id_tag="TAG", trigger_reason="Authorized", shows_token=True)
    station.event("Updated", 2, "10:02", charging_state="Charging")
    (started,) = [event for event in station.events if event["eventType"] == "started"]
    assert "supersedes" not in started
    assert (started["payload"]["idTag"], started["payload"]["startTime"]) == ("TAG", "2026-03-01T10:00:00Z")
    assert station.payload("started")["meterStart"] == 1000
    assert station.payloads("status_changed")[-1]["transactionId"] == started["payload"]["transactionId"]


@pytest.mark.parametrize(
    "members",
    [
        {"charging_state": "Charging"},
        {"register": "1100"},
        {"shows_token": True},
        {"reservation_id": 7},
    ],
)
def test_started_waits_no_longer_than_until_the_session_is_seen(station, members):
    station.event("Started", 0, "10:00", trigger_reason="CablePluggedIn")
    assert station.types() == []
    station.event("Updated", 1, "10:01", **members)
    assert station.types()[0] == "started"
    assert station.payload("started")["idTag"] == ""


def test_meter_values_of_a_session_that_nobody_was_seen_to_begin(station):
    station.event("Started", 0, "10:00", trigger_reason="CablePluggedIn")
    station.evse_values(1, ("10:05", "1500"))
    station.restart()
    station.evse_values(1, ("10:06", "1600"))
    assert station.types() == ["started", "meter_reading", "meter_reading"]
    assert [payload["transactionId"] for payload in station.payloads("meter_reading")] == [1, 1]


def test_a_cable_that_was_only_plugged_in(station):
    station.event("Started", 0, "10:00", "1000", trigger_reason="CablePluggedIn")
    station.event("Ended", 1, "10:10", "1000", trigger_reason="EVDeparted")
    assert station.types() == ["started", "completed", "session_cost"]


def test_one_that_was_forgotten_before_its_started_was_told(station):
    station.event("Started", 0, "10:00", "1000", trigger_reason="CablePluggedIn")
    station.event("Started", 0, "10:30", "1000", id_tag="TAG", station_id="other")
    assert station.types() == ["started", "completed", "session_cost", "started"]
    assert [payload["idTag"] for payload in station.payloads("started")] == ["", "TAG"]


def test_a_tag_that_comes_after_energy_is_told_by_a_started_that_supersedes(station):
    station.event("Started", 0, "10:00", "1000", trigger_reason="CablePluggedIn", charging_state="Charging")
    station.event("Updated", 1, "10:01", id_tag="TAG", trigger_reason="Authorized")
    first, second = [event for event in station.events if event["eventType"] == "started"]
    assert (first["payload"]["idTag"], second["payload"]["idTag"]) == ("", "TAG")
    assert second["supersedes"] == first["eventId"]
    station.event("Ended", 2, "10:10", "1500", id_tag="OTHER")
    assert station.payload("completed")["idTag"] == station.payload("session_cost")["idTag"] == "TAG"
    assert station.found().stop_id_tag == "OTHER"


def test_a_token_that_stops_is_not_the_one_that_started(station):
    station.event("Started", 0, "10:00", "1000", id_tag="TAG")
    station.event("Updated", 1, "10:05", id_tag="FRIEND", trigger_reason="StopAuthorized")
    station.event("Ended", 2, "10:10", "1500")
    assert station.payload("completed")["idTag"] == "TAG"
    assert station.found().stop_id_tag == "FRIEND"


def test_an_evse_that_comes_later(station):
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", evse=(None, None))
    assert station.payload("started")["connectorId"] == 0
    station.event("Updated", 1, "10:01", "1100", evse=(2, 1))
    second = station.payloads("started")[1]
    assert (second["connectorId"], second["evseId"], second["stationConnectorId"]) == (2, 2, 1)
    before = len(station.events)
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", evse=(None, None))
    assert len(station.events) == before
    assert len(station.readings) == 2
    station.event("Ended", 2, "10:10", "1500", evse=(None, None))
    assert station.payload("completed")["connectorId"] == 2


def test_an_evse_that_never_comes(station):
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", evse=(None, None))
    station.event("Ended", 1, "10:10", "1500", evse=(None, None))
    completed = station.payload("completed")
    assert (completed["connectorId"], completed["energyUsed"]) == (0, 0.5)
    assert "evseId" not in completed


def test_a_connector_that_comes_later(station):
    station.status_of("Available", 1, 1)
    station.status_of("Available", 1, 2)
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", evse=(1, None))
    station.event("Updated", 1, "10:01", evse=(1, 2))
    assert [payload["connectorId"] for payload in station.payloads("started")] == [1, 2]


def test_a_transaction_never_becomes_another_connectors(station):
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", evse=(1, 1))
    station.event("Updated", 1, "10:01", "1100", evse=(2, 1))
    assert station.found().connector_id == 1
    assert len(station.payloads("started")) == 1


def test_a_new_transaction_on_the_evse_closes_the_forgotten_one(station):
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", evse=(1, 1))
    station.event("Updated", 1, "10:05", "1500", evse=(1, 1))
    station.event("Started", 0, "10:20", "1600", id_tag="TAG2", station_id="B", evse=(1, 2))
    station.event("Started", 0, "10:20", "90", id_tag="TAG3", station_id="C", evse=(2, 1))
    completed = station.payload("completed")
    assert (completed["transactionId"], completed["quality"], completed["meterStop"]) == (1, "estimated", 1500)
    station.event("Ended", 2, "10:15", "1550")
    last = [event for event in station.events if event["eventType"] == "completed"][-1]
    assert (last["payload"]["energyUsed"], last["payload"]["quality"]) == (0.55, "good")
    assert "supersedes" in last


def test_a_queued_older_transaction_closes_nothing(station):
    station.event("Started", 0, "10:20", "1600", id_tag="TAG2", station_id="B")
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", is_offline=True)
    assert station.payloads("completed") == []


# What goes with it.


def test_what_is_kept_of_a_transaction(station):
    station.event(
        "Started", 0, "10:00", "1000", id_tag="TAG", tag_type="ISO14443", remote_start_id=17, phases_used=3,
        cable_max_current=32, trigger_reason="RemoteStart",
    )  # fmt: skip
    station.event("Updated", 1, "10:05", phases_used=1)
    told = station.found().trail
    assert (told.remote_start_id, told.phases_used, told.cable_max_current) == (17, 1, 32)
    assert (told.trigger_reason, told.tag_type) == ("RemoteStart", "ISO14443")


def test_a_reservation_is_used_up(station):
    reservation = Reservation(
        client_id=CLIENT_ID, reservation_id=5, connector_id=1, id_tag="TAG", expiry_date=station.now + timedelta(hours=1),
        status="ACTIVE", created_at=station.now, changed_at=station.now,
    )  # fmt: skip
    station.state = replace(station.state, reservations={5: reservation})
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", reservation_id=5)
    assert station.payload("reservation_changed")["status"] == "USED"
    assert station.payload("reservation_changed")["transactionId"] == 1
    told = [event["eventType"] for event in station.events]
    assert told.index("started") < told.index("reservation_changed"), "nothing names a transaction before its start"


def test_a_remote_start_that_is_learnt_of_late(station):
    """The station began before the daemon knew that it had accepted; later events do not repeat whose start it was."""
    station.event("Started", 0, "10:00", remote_start_id=7)
    assert station.payloads("started") == []
    station.state = replace(station.state, remote_starts={7: "TAG9"})
    station.event("Updated", 1, "10:01", charging_state="Charging")
    assert station.payload("started")["idTag"] == "TAG9"


def test_readings_that_say_more_than_the_register_are_told(station):
    begin = station.value("10:00", sample("1000", context="Transaction.Begin"), sample("42", measurand="SoC"))
    end = station.value("10:10", sample("1500", context=END), sample("60", measurand="SoC"))
    station.event("Started", 0, "10:00", values=(begin,))
    station.event("Ended", 1, "10:10", values=(end,))
    assert [payload["timestamp"][11:16] for payload in station.payloads("meter_reading")] == ["10:00", "10:10"]
    assert station.payload("completed")["energyUsed"] == 0.5


def test_without_a_register_at_the_beginning_the_first_one_counts(station):
    station.event("Started", 0, "10:00", id_tag="TAG")
    station.event("Updated", 1, "10:05", "1500")
    station.event("Ended", 2, "10:10", "2000")
    completed = station.payload("completed")
    assert (completed["meterStart"], completed["energyUsed"], completed["quality"]) == (1500, 0.5, "estimated")


def test_a_begin_that_comes_with_the_end(station):
    begin = station.value("10:00", sample("1000", context="Transaction.Begin"))
    station.event("Started", 0, "10:00", id_tag="TAG")
    station.event("Ended", 1, "10:10", "2000", values=(begin,))
    completed = station.payload("completed")
    assert (completed["meterStart"], completed["energyUsed"], completed["quality"]) == (1000, 1, "good")


def test_a_begin_of_0_before_a_large_register_is_suspect(station):
    station.event("Started", 0, "10:00", "0", id_tag="TAG")
    station.event("Updated", 1, "10:05", "910000")
    station.event("Ended", 2, "10:10", "910083")
    completed = station.payload("completed")
    assert (completed["energyUsed"], completed["quality"]) == (0.083, "estimated")


def test_meter_values_of_the_evse_belong_to_what_runs_there(station):
    station.status_of("Available", 1, 1)
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", evse=(1, 2))
    station.evse_values(1, ("10:05", "1500"))
    reading = station.payload("meter_reading")
    assert (reading["connectorId"], reading["transactionId"], reading["stationTransactionId"]) == (2, 1, STATION_ID)
    station.evse_values(0, ("10:05", "99000"))
    assert station.payloads("meter_reading")[1]["connectorId"] == 0
    assert "transactionId" not in station.payloads("meter_reading")[1]


# Status.


def _statuses(station: EventStation) -> list[str]:
    return [payload["status"] for payload in station.payloads("status_changed")]


def test_the_status_of_a_session_in_the_words_of_1_6(station):
    station.status_of("Available")
    station.status_of("Occupied")
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", charging_state="EVConnected")
    station.event("Updated", 1, "10:01", charging_state="Charging")
    station.event("Updated", 2, "10:05", charging_state="SuspendedEVSE")
    station.event("Updated", 3, "10:06", charging_state="Charging")
    station.event("Updated", 4, "10:07", charging_state="SuspendedEV")
    station.event("Ended", 5, "10:10", "1500", charging_state="EVConnected")
    station.status_of("Available")
    assert _statuses(station) == [
        *("Available", "Preparing", "Charging", "SuspendedEVSE", "Charging", "SuspendedEV", "Finishing", "Available")
    ]
    charging = station.payloads("status_changed")[2]
    assert charging["transactionId"] == 1
    assert charging["stationStatus"] == "Occupied"
    assert charging["errorCode"] == "NoError"


def test_a_transaction_before_the_word_of_the_connector(station):
    station.status_of("Available")
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", charging_state="Charging")
    station.status_of("Occupied")
    assert _statuses(station) == ["Available", "Charging"]
    assert station.state.evses[1].station_status == "Occupied"


@pytest.mark.parametrize("word", ["Faulted", "Unavailable"])
def test_a_fault_stands_over_what_the_transaction_does(station, word):
    station.event("Started", 0, "10:00", "1000", id_tag="TAG", charging_state="Charging")
    station.status_of(word)
    station.event("Updated", 1, "10:01", charging_state="SuspendedEVSE")
    assert _statuses(station) == ["Charging", word]


def test_an_offline_event_does_not_change_what_is_true_now(station):
    station.status_of("Available")
    station.event("Started", 0, "09:00", "1000", id_tag="TAG", charging_state="Charging", is_offline=True)
    station.event("Updated", 1, "09:05", "1500", charging_state="SuspendedEV", is_offline=True)
    station.event("Ended", 2, "09:10", "2000", charging_state="EVConnected", is_offline=True)
    assert _statuses(station) == ["Available"]
    assert station.found().trail.charging_state is None
    assert station.payload("completed")["energyUsed"] == 1


def test_a_fault_is_an_error(station):
    station.status_of("Faulted")
    assert station.payload("status_changed")["errorCode"] == "OtherError"


# Any order.

EVENTS = 7


@st.composite
def _orders(draw):
    """Draw an order in which every event comes at least once."""
    extra = draw(st.lists(st.integers(0, EVENTS - 1), max_size=8))
    return draw(st.permutations([*range(EVENTS), *extra]))


@settings(deadline=None)
@given(_orders(), st.sets(st.integers(0, 14), max_size=3), st.booleans(), st.booleans())
def test_in_any_order_with_any_repeats_and_restarts_a_session_is_the_same(order, restarts, begin_is_told, end_is_told):
    station = EventStation(TARIFF)
    for place, seq_no in enumerate(order):
        if place in restarts:
            station.restart()
        _send(station, seq_no, begin_is_told=begin_is_told, end_is_told=end_is_told)
    in_order = EventStation(TARIFF)
    for seq_no in range(EVENTS):
        _send(in_order, seq_no, begin_is_told=begin_is_told, end_is_told=end_is_told)
    originals = [event for event in station.events if event["eventType"] == "completed" and "supersedes" not in event]
    assert len(originals) == 1
    for event_type in ("started", "completed", "session_cost"):
        assert _last(station, event_type) == _last(in_order, event_type)
    assert {payload["timestamp"] for payload in station.payloads("meter_reading")} == {
        payload["timestamp"] for payload in in_order.payloads("meter_reading")
    }
    assert len(station.payloads("meter_reading")) == len(in_order.payloads("meter_reading"))
    assert len(station.readings) == len(in_order.readings)
    assert station.found().trail.missing == ()
    assert station.state.running == {}


def _last(station: EventStation, event_type: str) -> dict[str, object]:
    """Return what was said last. How a meter stood at the start is only settled when the transaction is."""
    unsettled = {"meterStart", "currentMeter"} if event_type == "started" else set()
    return {
        name: value
        for name, value in station.payloads(event_type)[-1].items()
        if name not in {"transactionId", *unsettled}
    }


def _send(station: EventStation, seq_no: int, *, begin_is_told: bool, end_is_told: bool) -> None:
    time = (datetime(2026, 3, 1, 10, 0, tzinfo=UTC) + timedelta(minutes=seq_no)).strftime("%H:%M")
    if seq_no == 0:
        register = "1000" if begin_is_told else None
        station.event("Started", 0, time, register, id_tag="TAG", trigger_reason="Authorized")
    elif seq_no == EVENTS - 1:
        station.event("Ended", seq_no, time, "2500" if end_is_told else None, stopped_reason="Remote")
    else:
        station.event("Updated", seq_no, time, str(1000 + 200 * seq_no))
