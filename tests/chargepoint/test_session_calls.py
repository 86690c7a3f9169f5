"""Our CALLs: one outstanding, a timeout fails alone, and a socket that goes away fails them all."""

import pytest
from twisted.python.failure import Failure

from csms.chargepoint.outcomes import CallTimedOut, ConnectionLost, NotConnected
from csms.ocppj.frames import CallError, CallResult
from tests.chargepoint.desk import STATUS, Desk


@pytest.fixture
def desk():
    return Desk().open()


def _call(desk, message_id, action="Reset", payload=None, timeout_s=30):
    results = []
    payload = payload if payload is not None else {"type": "Soft"}
    desk.session.call(action, payload, message_id, timeout_s).addBoth(results.append)
    return results


def test_one_outstanding(desk):
    first, second = _call(desk, "a"), _call(desk, "b", "ClearCache", {})
    assert desk.answers == [[2, "a", "Reset", {"type": "Soft"}]]
    desk.session.receive(b'[3,"a",{"status":"Accepted"}]')
    assert isinstance(first[0], CallResult)
    assert first[0].payload == {"status": "Accepted"}
    assert desk.answers[1:] == [[2, "b", "ClearCache", {}]]
    assert second == []
    desk.session.receive(b'[4,"b","NotSupported","no",{}]')
    assert isinstance(second[0], CallError)
    assert second[0].code == "NotSupported"
    assert desk.clock.getDelayedCalls() == []


def test_both_directions_at_once(desk):
    results = _call(desk, "1")
    desk.say("1", "StatusNotification", STATUS)
    desk.session.receive(b'[3,"1",{"status":"Accepted"}]')
    assert len(results) == 1
    desk.ledger.commit_one()
    assert desk.answers[-1] == [3, "1", {}]


def test_a_timeout_fails_alone(desk):
    """The connection stays (evcc#30177), the next one goes out, and a late answer is none."""
    first, second = _call(desk, "a", timeout_s=5), _call(desk, "b", timeout_s=5)
    desk.clock.advance(4.9)
    assert first == []
    desk.clock.advance(0.1)
    assert isinstance(first[0], Failure)
    first[0].trap(CallTimedOut)
    assert [frame[1] for frame in desk.answers] == ["a", "b"]
    desk.session.receive(b'[3,"a",{"status":"Accepted"}]')
    assert (second, desk.transport.closed_with) == ([], None)
    desk.clock.advance(4.9)
    desk.session.receive(b'[3,"b",{"status":"Accepted"}]')
    assert isinstance(second[0], CallResult)


def test_the_time_of_a_queued_call_runs_from_when_it_is_sent(desk):
    _call(desk, "a", timeout_s=60)
    second = _call(desk, "b", timeout_s=5)
    desk.clock.advance(30)
    assert second == []
    desk.session.receive(b'[3,"a",{}]')
    desk.clock.advance(5)
    second[0].trap(CallTimedOut)


def test_the_connection_goes(desk):
    first, second = _call(desk, "a"), _call(desk, "b")
    desk.session.closed("gone")
    first[0].trap(ConnectionLost)
    second[0].trap(NotConnected)
    assert desk.clock.getDelayedCalls() == []
    with pytest.raises(NotConnected):
        desk.session.call("Reset", {}, "c", 30)


def test_an_answer_with_a_wrong_payload_is_refused_without_an_answer(desk):
    results = _call(desk, "a")
    desk.session.receive(b'[3,"a",[]]')
    assert results == []
    assert len(desk.answers) == 1
    desk.clock.advance(30)
    results[0].trap(CallTimedOut)


def test_calls_are_in_the_protocol_stream(desk):
    _call(desk, "a")
    desk.session.receive(b'[3,"a",{"status":"Accepted"}]')
    assert [(event.direction, event.action) for event in desk.published] == [("out", "Reset"), ("in", "Reset")]
