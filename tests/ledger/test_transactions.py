"""The notes of the field on transactions, as far as they can occur with OCPP 1.6 and are for the ledger to know."""

from __future__ import annotations

import pytest

from csms.ledger.authorization import IdTag, TagFacts, Use, authorize
from tests.ledger.station import Station, sample

NO_TIME = "1970-01-01T00:00:00Z"


def test_a_start_that_comes_again_has_the_same_id_and_makes_no_event(station: Station) -> None:
    """StartTransaction sent again (answer lost, offline queue; mobilityhouse#186)."""
    first = station.start()
    assert station.start() == first
    assert station.types() == ["started"]
    station.stop(first)
    assert station.start() == first, "the queue is sent again after the session has ended"
    assert station.types() == ["started", "completed", "session_cost"]
    assert not station.state.running


@pytest.mark.parametrize(
    "other",
    [{"connector_id": 2}, {"id_tag": "OTHER"}, {"time": "10:00:01"}, {"meter": 1001}],
    ids=["connector", "tag", "time", "meter"],
)
def test_a_start_that_differs_is_another_one(station: Station, other: dict[str, object]) -> None:
    """Same charger, connector, idTag, timestamp and meterStart give the same transactionId: nothing less does."""
    first = station.start()
    assert station.start(**other) != first  # type: ignore[arg-type]
    assert len(station.payloads("started")) == 2


def test_a_start_of_a_station_without_a_clock_that_comes_again_while_it_runs(station: Station) -> None:
    """StartTransaction sent again, with a clock at 1970: the station's own text tells."""
    first = station.start(NO_TIME, 0)
    assert station.start(NO_TIME, 0) == first
    assert station.types() == ["started"]


def test_a_start_of_a_station_without_a_clock_after_the_last_has_ended_is_new(station: Station) -> None:
    """1970: every start of such a station looks alike; only a running one can be meant."""
    first = station.start(NO_TIME, 0)
    station.stop(first, NO_TIME, 500)
    second = station.start(NO_TIME, 0)
    assert second != first
    assert list(station.state.running) == [second]


def test_a_start_offline_with_a_blocked_tag_is_stored_like_any_other(station: Station) -> None:
    """Unauthorised tag, started offline (steve#25): the energy flowed, the answer says Blocked."""
    blocked = IdTag(id_tag="TAG", status="Blocked")
    assert authorize(TagFacts(tag=blocked), Use(client_id="CP1", now=station.now), "Accepted").status == "Blocked"
    assert station.start(id_tag="TAG") == 1
    assert station.transactions[1].status == "active"


def test_ids_are_the_ones_that_the_database_gave(station: Station) -> None:
    """transactionId: positive 32-bit, from the database, never 0 or -1, never from a clock (lbbrhzn#2128)."""
    assert [station.start(meter=meter) for meter in (1, 2, 3)] == [1, 2, 3]


@pytest.mark.parametrize("transaction_id", [0, -1, 4711, 9223372036854775807])
def test_a_stop_of_an_unknown_transaction_is_kept_as_an_orphan(station: Station, transaction_id: int) -> None:
    """StopTransaction for 0, -1 or an unknown id (libocpp#495, steve#292): kept, told of, and no connector is guessed."""
    running = station.start()
    station.stop(transaction_id, "11:00", 5000, id_tag="TAG")
    assert station.payload("orphan_stop") == {
        "transactionId": transaction_id,
        "stopTime": "2026-03-01T11:00:00Z",
        "meterStop": 5000,
        "idTag": "TAG",
        "reason": "Local",
    }
    assert [record.kind for record in station.records] == ["OrphanStop"]
    assert list(station.state.running) == [running]


def test_a_stop_that_comes_again_changes_nothing(station: Station) -> None:
    """StopTransaction twice: one `completed`, one `session_cost`; simulators do it under a new message id at shutdown."""
    transaction_id = station.start()
    station.stop(transaction_id)
    events, row = list(station.events), station.transactions[transaction_id]
    station.stop(transaction_id)
    station.stop(transaction_id, "11:30", 99999, reason="Reboot")
    assert station.events == events
    assert station.transactions[transaction_id] == row


def test_a_tag_longer_than_20_or_with_a_number_sign_is_taken(station: Station) -> None:
    """idTag longer than 20 in a stop (lbbrhzn#1803); a tag may start with `#` (steve#1322)."""
    transaction_id = station.start(id_tag="#4711")
    station.stop(transaction_id, id_tag="T" * 36)
    assert station.payload("completed")["idTag"] == "#4711"
    assert station.transactions[transaction_id].stop_id_tag == "T" * 36


def test_a_new_start_closes_the_forgotten_one_with_its_last_meter(station: Station) -> None:
    """A new StartTransaction on a connector that still has a running one: the old one is closed as forgotten."""
    forgotten = station.start("10:00", 1000)
    station.meter(("10:20", "3000"), transaction_id=forgotten)
    new = station.start("11:30", 3100)
    assert station.types() == ["started", "meter_reading", "completed", "session_cost", "started"]
    completed = station.payload("completed")
    assert (completed["transactionId"], completed["quality"], completed["reason"]) == (forgotten, "estimated", "Other")
    assert (completed["meterStop"], completed["energyUsed"], completed["stopTime"]) == (3000, 2, "2026-03-01T10:20:00Z")
    assert station.transactions[forgotten].status == "closed"
    assert list(station.state.running) == [new]


def test_a_forgotten_one_without_a_reading_ends_with_nothing_used(station: Station) -> None:
    """A new StartTransaction on a busy connector, and nothing is known of the old one but its start."""
    station.start("10:00", 1000)
    station.start("11:30", 3100)
    completed = station.payload("completed")
    assert (completed["meterStop"], completed["energyUsed"], completed["duration"]) == (1000, 0, 90)


def test_a_start_on_another_connector_closes_nothing(station: Station) -> None:
    """Never attach a connector to another connector's session."""
    first = station.start("10:00", connector_id=1)
    second = station.start("10:30", connector_id=2)
    assert list(station.state.running) == [first, second]
    station.stop(second)
    assert list(station.state.running) == [first]


def test_a_queued_older_start_does_not_close_the_running_one(station: Station) -> None:
    """A queued, older start (its time before the running one's) must not close the running one."""
    running = station.start("11:00", 5000)
    older = station.start("10:00", 1000)
    assert set(station.state.running) == {running, older}
    station.stop(older, "10:30", 2000)
    assert station.payload("completed")["energyUsed"] == 1
    assert list(station.state.running) == [running]
    station.status(1, "Charging")
    assert station.payload("status_changed")["transactionId"] == running


def test_a_status_belongs_to_the_younger_of_two_running_transactions(station: Station) -> None:
    """A queued, older start beside the running one: what the connector does now is of the younger."""
    running = station.start("11:00", 5000)
    station.start("10:00", 1000)
    station.status(1, "SuspendedEV")
    assert station.payload("status_changed")["transactionId"] == running


def test_the_late_true_stop_of_a_forgotten_one_is_a_correction(station: Station) -> None:
    """If the real stop arrives later, publish the correction with `supersedes` (the earlier eventId)."""
    forgotten = station.start("10:00", 1000)
    station.meter(("10:20", "3000"), transaction_id=forgotten)
    running = station.start("11:30", 4500)
    originals = {event["eventType"]: event for event in station.events if event["eventType"] != "started"}
    station.stop(forgotten, "11:00", 4500, reason="Local")
    corrected, cost = station.events[-2:]
    assert corrected["supersedes"] == originals["completed"]["eventId"]
    assert cost["supersedes"] == originals["session_cost"]["eventId"]
    assert corrected["payload"]["quality"] == "good"
    assert (corrected["payload"]["energyUsed"], corrected["payload"]["stopTime"]) == (3.5, "2026-03-01T11:00:00Z")
    assert "supersedes" not in originals["completed"]
    assert station.transactions[forgotten].status == "completed"
    assert list(station.state.running) == [running]
    station.stop(forgotten, "11:00", 4500)
    assert len(station.payloads("completed")) == 2, "a correction that comes again is none"


def test_a_correction_does_not_forget_that_the_start_was_at_no_time(station: Station) -> None:
    """1970, then forgotten, then the true stop: the start is still a guess."""
    forgotten = station.start(NO_TIME, 1000)
    station.start("2026-03-01T12:30:00Z", 4500)
    station.stop(forgotten, "2026-03-01T12:20:00Z", 4500)
    assert station.payloads("completed")[-1]["quality"] == "clock_suspect"


def test_a_forgotten_one_keeps_the_reset_that_its_readings_told(station: Station) -> None:
    """The true stop goes on from what the readings said, not from the guess of the close."""
    forgotten = station.start("10:00", 1000)
    station.meter(("10:20", "3000"), ("10:30", "100"), transaction_id=forgotten)
    station.start("11:30", 600)
    station.stop(forgotten, "11:00", 600)
    corrected = station.payloads("completed")[-1]
    assert (corrected["energyUsed"], corrected["quality"]) == (2.5, "estimated")


def test_closing_meter_values_after_the_stop_belong_to_it(station: Station) -> None:
    """Closing meter values that arrive after the stop belong to that transaction (lbbrhzn#2075)."""
    transaction_id = station.start()
    station.stop(transaction_id, "11:00", 11000)
    closing = station.value("11:00", sample("11000", context="Transaction.End"))
    station.meter(closing, transaction_id=transaction_id)
    station.meter(("10:59:59", "10999"))
    assert [payload["transactionId"] for payload in station.payloads("meter_reading")] == [transaction_id] * 2
    assert [reading.transaction_id for reading in station.readings] == [transaction_id] * 2
    assert len(station.payloads("completed")) == 1
    assert station.transactions[transaction_id].energy_wh == 10000


def test_closing_meter_values_belong_to_the_last_transaction_after_a_late_correction(station: Station) -> None:
    """lbbrhzn#2075 with a forgotten session before: its late stop does not make it the connector's last."""
    forgotten = station.start("09:00", 1000)
    last = station.start("10:00", 2000)
    station.stop(last, "11:00", 3000)
    station.stop(forgotten, "09:30", 1500)
    station.meter(("10:59", "2990"))
    assert station.payload("meter_reading")["transactionId"] == last


def test_meter_values_for_a_forgotten_one_are_kept_but_do_not_open_it_again(station: Station) -> None:
    """A queue may hold readings of a session that was closed as forgotten meanwhile."""
    forgotten = station.start("10:00", 1000)
    running = station.start("11:00", 2000)
    station.meter(("10:30", "1500"), transaction_id=forgotten)
    assert station.readings[-1].transaction_id == forgotten
    assert station.transactions[forgotten].status == "closed"
    assert list(station.state.running) == [running]
