"""A charge point against a server on a real socket: what it sends, in which order, and what it records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest_twisted

INVALID = {"idTagInfo": {"status": "Invalid"}}


def registers(server):
    return [int(message.payload["meterValue"][0]["sampledValue"][0]["value"]) for message in server.sent("MeterValues")]


@pytest_twisted.ensureDeferred
async def test_a_session_from_boot_to_stop(server, make):
    # Slow enough that no reading waits for its answer when the session ends.
    charge_point = make(meter_start_wh=5000, speed=3_600)
    charge_point.start()
    await charge_point.when_done()
    actions = [message.action for message in server.messages]
    assert actions[:3] == ["BootNotification", "StatusNotification", "StatusNotification"]
    said = [
        message.payload["status"] if message.action == "StatusNotification" else message.action
        for message in server.messages[3:]
    ]
    assert [item for item in said if item != "MeterValues"] == [
        "Preparing",
        "Authorize",
        "StartTransaction",
        "Charging",
        "StopTransaction",
        "Finishing",
        "Available",
    ]
    assert said.index("StartTransaction") < said.index("MeterValues") < said.index("StopTransaction")
    assert len({message.message_id for message in server.messages}) == len(server.messages)


@pytest_twisted.ensureDeferred
async def test_the_record_says_exactly_what_was_sent(server, make):
    finished = []
    charge_point = make(meter_start_wh=5000, on_session=finished.append)
    charge_point.start()
    await charge_point.when_done()
    (record,) = charge_point.sessions
    (start,), (stop,) = server.sent("StartTransaction"), server.sent("StopTransaction")
    assert start.payload == {
        "connectorId": record.connector_id,
        "idTag": record.id_tag,
        "meterStart": record.meter_start_wh,
        "timestamp": record.start_timestamp,
    }
    assert stop.payload == {
        "meterStop": record.meter_stop_wh,
        "timestamp": record.stop_timestamp,
        "transactionId": record.transaction_id,
        "reason": "Local",
        "idTag": record.id_tag,
    }
    assert (record.meter_start_wh, record.transaction_id, record.settled) == (5000, 1, True)
    assert record.meter_values == len(server.sent("MeterValues")) == 9
    readings = [record.meter_start_wh, *registers(server), record.meter_stop_wh]
    assert readings == sorted(readings)
    assert record.energy_wh > 0
    assert finished == [record]


@pytest_twisted.ensureDeferred
async def test_simulated_time_spans_the_session_and_ends_about_now(server, make):
    charge_point = make(sessions=2)
    charge_point.start()
    await charge_point.when_done()
    first, second = charge_point.sessions
    times = [
        datetime.fromisoformat(stamp)
        for record in (first, second)
        for stamp in (record.start_timestamp, record.stop_timestamp)
    ]
    assert times == sorted(times)
    assert timedelta(seconds=595) < times[1] - times[0] < timedelta(seconds=700)
    assert timedelta(0) <= datetime.now(UTC) - times[-1] < timedelta(seconds=60)
    readings = [datetime.fromisoformat(m.payload["meterValue"][0]["timestamp"]) for m in server.sent("MeterValues")]
    # The ninth and the tenth belong to two sessions.
    assert all(later - earlier > timedelta(seconds=55) for earlier, later in pairwise(readings[:9]))


@pytest_twisted.ensureDeferred
async def test_sessions_follow_each_other_on_all_connectors(server, make):
    charge_point = make(sessions=3, connectors=2)
    charge_point.start()
    await charge_point.when_done()
    records = charge_point.sessions
    assert [record.connector_id for record in records] == [1, 2, 1]
    assert all(later.meter_start_wh == earlier.meter_stop_wh for earlier, later in pairwise(records))
    assert [m.payload["connectorId"] for m in server.messages[1:4]] == [0, 1, 2]


@pytest_twisted.ensureDeferred
async def test_the_same_seed_does_the_same(server, make):
    def what(client_id):
        samples = [
            [(sample["measurand"], sample["value"]) for sample in message.payload["meterValue"][0]["sampledValue"]]
            for message in server.sent("MeterValues", client_id)
        ]
        stops = [(m.payload["meterStop"], m.payload["reason"]) for m in server.sent("StopTransaction", client_id)]
        return samples, stops

    for client_id in ("CP1", "CP2"):
        charge_point = make(client_id, seed=5, sessions=2, reason=None)
        charge_point.start()
        await charge_point.when_done()
    assert what("CP1") == what("CP2")


@pytest_twisted.ensureDeferred
async def test_nothing_is_sent_before_the_boot_is_accepted(server, make):
    pending = {"status": "Pending", "currentTime": "2026-01-01T00:00:00Z", "interval": 0}
    server.misbehave["BootNotification"] = [pending, "InternalError", {**pending, "status": "Rejected"}]
    charge_point = make()
    charge_point.start()
    await charge_point.when_done()
    assert [message.action for message in server.messages[:5]] == [*["BootNotification"] * 4, "StatusNotification"]
    assert server.connections("CP1") == 1
    assert charge_point.sessions[0].settled


@pytest_twisted.ensureDeferred
async def test_a_refused_tag_starts_nothing(server, make):
    server.misbehave["Authorize"] = [{"idTagInfo": {"status": "Blocked"}}]
    charge_point = make()
    charge_point.start()
    await charge_point.when_done()
    assert (charge_point.refused, charge_point.sessions, server.sent("StartTransaction")) == (1, [], [])
    assert server.messages[-1].payload["status"] == "Available"


@pytest_twisted.ensureDeferred
async def test_a_start_that_is_not_accepted_is_stopped_as_deauthorized(server, make):
    server.misbehave["StartTransaction"] = [{"transactionId": 9, **INVALID}]
    charge_point = make(duration_s=86_400, speed=1)
    charge_point.start()
    await charge_point.when_done()
    (stop,) = server.sent("StopTransaction")
    assert (stop.payload["reason"], stop.payload["transactionId"]) == ("DeAuthorized", 9)
    assert charge_point.sessions[0].id_tag_status == "Invalid"


@pytest_twisted.ensureDeferred
async def test_heartbeats_at_the_interval_that_the_server_gave(server, make):
    server.misbehave["BootNotification"] = [
        {"status": "Accepted", "currentTime": "2026-01-01T00:00:00Z", "interval": 0}  # the charge point chooses
    ]
    charge_point = make(sessions=0, keep=True)
    charge_point.start()
    await server.until_sent("Heartbeat", 3)
    assert charge_point.online


@pytest_twisted.ensureDeferred
async def test_finish_ends_with_the_current_session_and_an_empty_queue(server, make):
    charge_point = make(sessions=None)
    charge_point.start()
    await server.until_sent("StopTransaction", 3)
    await charge_point.finish()
    assert len(charge_point.sessions) >= 3
    assert all(record.settled for record in charge_point.sessions)
    assert len(charge_point.queue) == 0
    assert (charge_point.online, charge_point.state) == (False, "finished")
    assert {m.payload["transactionId"] for m in server.sent("StopTransaction")} == {
        record.transaction_id for record in charge_point.sessions
    }


@pytest_twisted.ensureDeferred
async def test_finish_and_stop_before_the_start(server, make):
    first, second = make("CP1"), make("CP2")
    await first.finish()
    await second.stop()
    first.start()
    assert (first.state, second.state, server.handshakes) == ("finished", "finished", [])


@pytest_twisted.ensureDeferred
async def test_stop_in_the_middle_leaves_the_session_open(server, make):
    charge_point = make(speed=1, duration_s=1000)
    charge_point.start()
    await server.until_sent("StartTransaction")
    await charge_point.stop()
    await server.until(lambda: not server.sockets)
    assert not charge_point.sessions[0].ended
    assert server.sent("StopTransaction") == []


@pytest_twisted.ensureDeferred
async def test_it_can_be_stopped_from_the_callback_of_a_session(server, make):
    charge_point = make(sessions=None, on_session=lambda _: charge_point.stop())
    charge_point.start()
    await charge_point.when_done()
    assert charge_point.sessions[0].settled
    assert not charge_point.failed
