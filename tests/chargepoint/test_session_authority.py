"""A session while an outside authority is asked about a tag: it waits, and nothing of it is lost or ends."""

import pytest

from csms.ledger.authorization import TagInfo
from csms.ocppj.versions import V16
from tests.chargepoint.desk import STATUS, Desk, start
from tests.fakes import FakeAuthority, FakeLedger, dispatcher_of


@pytest.fixture
def authority():
    return FakeAuthority()


@pytest.fixture
def desk(authority):
    ledger = FakeLedger()
    return Desk(ledger, members={"dispatchers": {V16: dispatcher_of(ledger, authority=authority)}}).open()


def test_what_comes_meanwhile_is_answered_after_it_in_order(desk, authority):
    desk.say("1", "Authorize", {"idTag": "X"})
    desk.say("2", "StatusNotification", STATUS)
    desk.say("3", "Heartbeat", {})
    assert desk.answered == []
    authority.say(TagInfo("Blocked"))
    desk.ledger.commit_all()
    assert desk.answered == ["1", "2", "3"]
    assert desk.answers[0][2] == {"idTagInfo": {"status": "Blocked"}}
    assert desk.transport.closed_with is None


def test_a_start_is_stored_when_it_has_answered_though_the_socket_is_gone(desk, authority):
    desk.say("1", "StartTransaction", start(1))
    gone = []
    desk.session.closed("gone").addCallback(gone.append)
    assert gone == []
    authority.say(TagInfo("Invalid"))
    desk.ledger.commit_all()
    assert gone == [None]
    assert desk.ledger.events() == ["connected", "started", "disconnected"]
    assert desk.answers == []


def test_a_start_of_a_refused_tag_is_stored_and_its_transaction_can_be_stopped(desk, authority):
    desk.say("1", "StartTransaction", start(1))
    authority.say(TagInfo("Blocked"))
    desk.ledger.commit_all()
    assert desk.answers[0][2] == {"transactionId": 1, "idTagInfo": {"status": "Blocked"}}
    desk.say("2", "StopTransaction", {"transactionId": 1, "meterStop": 5, "timestamp": "2026-03-01T11:00:00Z"})
    desk.ledger.commit_all()
    assert desk.answers[1][2] == {}
    assert desk.ledger.events() == ["connected", "started", "completed", "session_cost"]
