"""How a session ends: `disconnected` comes after what was in flight, once, and whoever waits is told."""

import pytest

from csms.store.errors import StoreUnavailable
from tests.chargepoint.desk import STATUS, Desk, start

AWAY = StoreUnavailable("disk full")


@pytest.fixture
def desk():
    return Desk().open()


def _close(desk, reason="gone"):
    gone = []
    desk.session.closed(reason).addCallback(gone.append)
    return gone


def test_disconnected_is_committed(desk):
    gone = _close(desk)
    assert gone == []
    desk.ledger.commit_one()
    assert gone == [None]
    assert desk.session.ended
    assert desk.ledger.events() == ["connected", "disconnected"]
    assert desk.ledger.committed[-1].events[0].payload.reason == "gone"


def test_close_while_a_commit_is_in_flight(desk):
    """What was decided is kept; its answer has nowhere to go; `disconnected` comes after it."""
    desk.say("1", "StatusNotification", STATUS)
    desk.say("2", "StatusNotification", {**STATUS, "connectorId": 2})
    gone = _close(desk)
    assert len(desk.ledger.pending) == 1
    desk.ledger.commit_one()
    assert gone == []
    desk.ledger.commit_one()
    assert gone == [None]
    assert desk.answers == []
    assert desk.ledger.events() == ["connected", "status_changed", "disconnected"]
    assert [event.sequence for decision in desk.ledger.committed for event in decision.events] == [1, 2, 3]


def test_close_while_the_ledger_is_being_read(desk):
    desk.ledger.reads_wait = True
    desk.say("1", "StartTransaction", start(1))
    gone = _close(desk)
    desk.ledger.read_one()
    desk.ledger.commit_all()
    assert gone == [None]
    assert desk.ledger.events() == ["connected", "started", "disconnected"]


def test_close_before_connected_is_committed():
    desk = Desk()
    desk.session.opened(desk.transport, None)
    desk.say("1", "Heartbeat", {})
    gone = _close(desk)
    assert gone == []
    desk.ledger.commit_all()
    assert gone == [None]
    assert desk.ledger.events() == ["connected", "disconnected"]
    assert desk.answers == []


def test_close_before_the_socket_was_open():
    desk = Desk()
    assert _close(desk) == [None]
    assert desk.ledger.pending == desk.ledger.pending.__class__()


def test_close_twice(desk):
    first, second = _close(desk, "one"), _close(desk, "two")
    desk.ledger.commit_all()
    assert (first, second, _close(desk, "three")) == ([None], [None], [None])
    assert desk.ledger.events().count("disconnected") == 1


@pytest.mark.parametrize("in_flight", [False, True])
def test_disconnected_cannot_be_committed(desk, in_flight, logged):
    """The registry's next look at the ledger makes up for it."""
    if in_flight:
        desk.say("1", "StatusNotification", STATUS)
    gone = _close(desk)
    desk.ledger.available = False
    desk.ledger.commit_all()
    assert gone == [None]
    # With a commit of unknown outcome before it, nothing is decided from the old state: the registry looks anew.
    assert in_flight or "was not committed" in logged.about("CP1")[-1]
    assert desk.ledger.events() == ["connected"]


def test_a_commit_that_fails_after_the_close(desk):
    desk.say("1", "StatusNotification", STATUS)
    gone = _close(desk)
    desk.ledger.commit_one(error=ValueError("guilty"))
    desk.ledger.commit_all()
    assert gone == [None]
    assert desk.ledger.events() == ["connected", "disconnected"]


def test_transactions_run_on_while_the_charge_point_is_away(desk):
    desk.say("1", "StartTransaction", start(1))
    desk.ledger.commit_all()
    _close(desk)
    desk.ledger.commit_all()
    assert list(desk.ledger.states["CP1"].running) == [1]
