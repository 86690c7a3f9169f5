"""Lost sockets, lost answers, lost uplinks and refusals: nothing is forgotten, nothing is said twice under one id."""

from __future__ import annotations

from itertools import groupby

import pytest
import pytest_twisted

from csms.simulator.dialect import Order


def payloads(server, action):
    return [message.payload for message in server.sent(action)]


@pytest.mark.parametrize("action", ["StartTransaction", "MeterValues", "StopTransaction"])
@pytest.mark.parametrize("fault", ["lose", "silence"])
@pytest_twisted.ensureDeferred
async def test_a_message_without_an_answer_goes_out_again_on_a_new_socket(server, make, action, fault):
    server.misbehave[action] = [fault, fault]
    charge_point = make(answer_timeout_s=0.05)
    charge_point.start()
    await charge_point.when_done()
    first, second, third = server.sent(action)[:3]
    assert first.payload == second.payload == third.payload
    assert len({first.message_id, second.message_id, third.message_id}) == 3
    assert len({first.socket, second.socket, third.socket}) == 3
    (record,) = charge_point.sessions
    assert (record.settled, record.repeated, record.transaction_id) == (True, 2, 1)
    assert charge_point.connections == 3
    assert charge_point.traffic.timeouts == (2 if fault == "silence" else 0)


@pytest_twisted.ensureDeferred
async def test_it_boots_on_every_new_socket_before_the_queue_goes_on(server, make):
    server.misbehave["MeterValues"] = ["lose"]
    charge_point = make()
    charge_point.start()
    await charge_point.when_done()
    again = [message for message in server.messages if message.socket is server.messages[-1].socket]
    assert [message.action for message in again[:4]] == [
        "BootNotification",
        "StatusNotification",
        "StatusNotification",
        "MeterValues",
    ]
    assert again[2].payload["status"] in ("Charging", "Available")


@pytest_twisted.ensureDeferred
async def test_a_lost_authorize_is_charging_offline(server, make):
    server.misbehave["Authorize"] = ["lose"]
    charge_point = make()
    charge_point.start()
    await charge_point.when_done()
    assert len(server.sent("Authorize")) == 1
    assert charge_point.sessions[0].settled


@pytest_twisted.ensureDeferred
async def test_a_refused_message_is_dropped_after_three_attempts(server, make):
    server.misbehave["MeterValues"] = ["InternalError"] * 3
    charge_point = make()
    charge_point.start()
    await charge_point.when_done()
    (record,) = charge_point.sessions
    first = payloads(server, "MeterValues")[:3]
    assert first[0] == first[1] == first[2]
    assert len({message.message_id for message in server.sent("MeterValues")}) == 11
    assert (record.dropped, record.meter_values_answered, record.stop_answered) == (1, 8, True)
    assert not record.settled
    assert charge_point.queue.dropped == 1


@pytest_twisted.ensureDeferred
async def test_a_session_without_a_transaction_id_is_dropped_whole(server, make):
    server.misbehave["StartTransaction"] = ["InternalError"] * 3
    charge_point = make(sessions=2)
    charge_point.start()
    await charge_point.when_done()
    first, second = charge_point.sessions
    assert (first.start_answered, first.dropped, second.settled) == (False, 11, True)
    assert [payload["transactionId"] for payload in payloads(server, "StopTransaction")] == [second.transaction_id]


@pytest_twisted.ensureDeferred
async def test_an_answer_that_does_not_fit_counts_as_refused(server, make):
    server.misbehave["StartTransaction"] = [{}, {"transactionId": "7", "idTagInfo": {}}]
    charge_point = make()
    charge_point.start()
    await charge_point.when_done()
    assert len(server.sent("StartTransaction")) == 3
    assert charge_point.traffic.errors == 2
    assert charge_point.sessions[0].settled


@pytest_twisted.ensureDeferred
async def test_what_happens_without_uplink_is_sent_afterwards(server, make):
    # It loses the uplink in the first session, and has it back in the middle of the third.
    charge_point = make(sessions=None, offline_after_s=90, offline_for_s=1500)
    charge_point.start()
    await server.until(lambda: server.connections("CP1") == 2)
    during = len(server.sent("StopTransaction"))
    await server.until_sent("StopTransaction", 2)
    await charge_point.finish()
    first, second = charge_point.sessions[:2]
    assert during == 0
    assert (first.started_offline, second.started_offline) == (False, True)
    assert all(record.settled for record in charge_point.sessions)
    # A message whose answer the lost uplink took with it is there twice, one after the other: once is meant.
    starts = dict.fromkeys(payload["timestamp"] for payload in payloads(server, "StartTransaction"))
    stops = dict.fromkeys(payload["transactionId"] for payload in payloads(server, "StopTransaction"))
    assert list(stops) == [s.transaction_id for s in charge_point.sessions]
    assert list(starts) == [s.start_timestamp for s in charge_point.sessions]
    assert len(server.sent("Authorize")) < len(charge_point.sessions)
    order = [m.action for m in server.messages if m.action in ("StartTransaction", "StopTransaction")]
    assert [action for action, _ in groupby(order)] == ["StartTransaction", "StopTransaction"] * len(
        charge_point.sessions
    )


@pytest_twisted.ensureDeferred
async def test_the_uplink_can_be_cut_and_mended(server, make):
    charge_point = make(sessions=0, keep=True)
    charge_point.start()
    await charge_point.when_online()
    charge_point.lose_uplink()
    await server.until(lambda: not server.sockets)
    assert charge_point.state == "offline"
    charge_point.remote_start(Order(1, "TAG0001", is_remote=True))
    charge_point.restore_uplink()
    await server.until_sent("StopTransaction")
    assert server.connections("CP1") == 2
    assert charge_point.sessions[0].started_offline


@pytest_twisted.ensureDeferred
async def test_a_socket_that_dies_again_and_again_loses_nothing(server, make):
    server.misbehave = {
        "BootNotification": ["close", None, "lose", None, "silence"],
        "StartTransaction": ["close", "lose", None, "lose"],
        "MeterValues": [None, "lose", None, "close", "lose", None, None, "silence"],
        "StopTransaction": ["lose", "close"],
        "Authorize": [None, "close"],
        "StatusNotification": [None, "lose"],
    }
    charge_point = make(sessions=4, answer_timeout_s=0.05)
    charge_point.start()
    await charge_point.when_done()
    assert [record.settled for record in charge_point.sessions] == [True] * 4
    assert [record.transaction_id for record in charge_point.sessions] == [1, 2, 3, 4]
    assert len({message.message_id for message in server.messages}) == len(server.messages)
