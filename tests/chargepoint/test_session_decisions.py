"""Decisions of others: they take turns with the charge point's messages, and are not lost with the socket."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from csms.chargepoint.presence import SessionLeft
from csms.ledger import chargepoints
from csms.ledger.decision import Decision
from csms.store.errors import StoreUnavailable
from tests.chargepoint.desk import STATUS, Desk, start

AWAY = StoreUnavailable("disk full")


@pytest.fixture
def desk():
    return Desk().open()


def _keep(kind="Kept", seen=None):
    """Return a rule that keeps a record."""

    def rule(state, context):
        if seen is not None:
            seen.append((state, context))
        return replace(chargepoints.keep(state, context, kind=kind, body={}), answer=kind)

    return rule


def _decide(desk, rule, message_id=None):
    results = []
    desk.session.decide(rule, message_id).addBoth(results.append)
    return results


def test_at_once_where_nothing_is_in_flight(desk):
    seen = []
    results = _decide(desk, _keep(seen=seen), "m1")
    assert results == []
    desk.ledger.commit_one()
    assert results == ["Kept"]
    assert seen[0][1].message_id == "m1"
    assert desk.ledger.committed[-1].changes[0].message_id == "m1"


def test_without_changes_at_once(desk):
    assert _decide(desk, lambda state, _context: Decision(5, state)) == [5]


def test_after_the_message_in_flight(desk):
    desk.say("1", "StatusNotification", STATUS)
    seen = []
    results = _decide(desk, _keep(seen=seen))
    assert seen == []
    desk.ledger.commit_one()
    assert desk.answered == ["1"]
    assert set(seen[0][0].connectors) == {1}
    desk.ledger.commit_one()
    assert results == ["Kept"]


def test_a_message_waits_for_it(desk):
    results = _decide(desk, _keep())
    desk.say("1", "StatusNotification", STATUS)
    desk.say("2", "Heartbeat", {})
    assert desk.answers == []
    assert len(desk.ledger.pending) == 1
    desk.ledger.commit_one()
    assert results == ["Kept"]
    desk.ledger.commit_one()
    assert desk.answered == ["1", "2"]
    assert set(desk.session.state.connectors) == {1}


def test_between_two_messages(desk):
    desk.say("1", "StatusNotification", STATUS)
    desk.say("2", "StatusNotification", {**STATUS, "connectorId": 2})
    seen = []
    _decide(desk, _keep(seen=seen))
    _decide(desk, _keep("Second", seen=seen))
    desk.ledger.commit_all()
    assert desk.answered == ["1", "2"]
    assert [set(state.connectors) for state, _ in seen] == [{1}, {1}]
    assert set(desk.session.state.connectors) == {1, 2}


def test_a_message_waits_while_the_ledger_is_read(desk):
    desk.ledger.reads_wait = True
    desk.say("1", "StartTransaction", start(1))
    results = _decide(desk, _keep())
    assert not desk.ledger.pending
    desk.ledger.read_one()
    desk.ledger.commit_all()
    assert results == ["Kept"]
    assert desk.answered == ["1"]


def test_before_the_connection_is_committed():
    desk = Desk()
    results = _decide(desk, _keep())
    desk.session.opened(desk.transport, None)
    desk.say("1", "Heartbeat", {})
    desk.ledger.commit_one()
    assert (results, desk.answers) == ([], [])
    desk.ledger.commit_one()
    assert results == ["Kept"]
    assert desk.answered == ["1"]


@pytest.mark.parametrize("in_flight", [False, True])
def test_not_lost_with_the_socket(desk, in_flight):
    if in_flight:
        desk.say("1", "StatusNotification", STATUS)
    first, second = _decide(desk, _keep("First")), _decide(desk, _keep("Second"))
    gone = []
    desk.session.closed("gone").addCallback(gone.append)
    desk.ledger.commit_all()
    assert (first, second, gone) == (["First"], ["Second"], [None])
    assert desk.ledger.events()[-1] == "disconnected"
    assert [event.sequence for decision in desk.ledger.committed for event in decision.events] == list(
        range(1, len(desk.ledger.events()) + 1)
    )


def test_a_session_that_leaves_decides_no_more(desk):
    desk.session.closed("gone")
    _decide(desk, _keep())[0].trap(SessionLeft)
    desk.ledger.commit_all()
    _decide(desk, _keep())[0].trap(SessionLeft)


def test_a_rule_that_raises(desk):
    def rule(state, context):
        raise ValueError("no")

    results = _decide(desk, rule)
    results[0].trap(ValueError)
    desk.say("1", "Heartbeat", {})
    assert desk.answered == ["1"]


def test_a_decision_that_cannot_be_stored_fails_alone(desk):
    results = _decide(desk, _keep())
    desk.say("1", "StatusNotification", STATUS)
    desk.ledger.commit_one(error=ValueError("guilty"))
    results[0].trap(ValueError)
    desk.ledger.commit_one()
    assert desk.answered == ["1"]


def test_the_ledger_goes_away(desk):
    """What was in flight is not known, so nothing is decided from the old state; the rest is handed back."""
    first, second = _decide(desk, _keep("First")), _decide(desk, _keep("Second"))
    desk.say("1", "StatusNotification", STATUS)
    desk.ledger.commit_one(error=AWAY)
    first[0].trap(StoreUnavailable)
    second[0].trap(SessionLeft)
    assert desk.transport.closed_with[0] == 1013
    desk.say("2", "StatusNotification", STATUS)
    assert not desk.ledger.pending
    assert desk.answers == []
    gone = []
    desk.session.closed("gone").addCallback(gone.append)
    assert gone == [None]


def test_one_that_asks_for_another(desk):
    results = []

    def again(answer):
        results.append(answer)
        if len(results) < 3:
            desk.session.decide(_keep(str(len(results)))).addCallback(again)

    desk.session.decide(_keep("0")).addCallback(again)
    desk.say("1", "StatusNotification", STATUS)
    desk.ledger.commit_all()
    assert results == ["0", "1", "2"]
    assert desk.answered == ["1"]


def test_hundreds(desk):
    results = [_decide(desk, _keep(str(number))) for number in range(500)]
    desk.say("1", "Heartbeat", {})
    desk.ledger.commit_all()
    assert [result[0] for result in results] == [str(number) for number in range(500)]
    assert desk.answered == ["1"]
