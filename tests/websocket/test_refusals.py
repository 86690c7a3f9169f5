"""What is told of refused handshakes: each is counted, none floods the ledger or the log."""

import pytest
from twisted.internet.task import Clock

from csms.chargepoint.registry import Registry
from csms.store.errors import StoreUnavailable
from csms.websocket import refusals as module
from csms.websocket.handshake import Refusal
from csms.websocket.refusals import (
    AGAIN_PER_FLUSH,
    KNOWN_PER_FLUSH,
    LINES_PER_FLUSH,
    OTHERS,
    UNKNOWN_PER_FLUSH,
    Refusals,
)
from tests.fakes import FakeLedger, shared_of, state_of

HERE, THERE = "203.0.113.7", "198.51.100.9"
WRONG = Refusal(401, "wrong", "wrongPassword", is_known=True)
UNKNOWN = Refusal(404, "not known", "unknown")


class Desk:
    def __init__(self):
        self.ledger = FakeLedger()
        self.shared = shared_of(self.ledger, Clock())
        self.registry = Registry(self.shared)
        self.refusals = Refusals(self.registry, self.shared.now, lambda: self.ledger.available)

    def note(self, client_id="CP1", address=HERE, refusal=WRONG, times=1):
        for _ in range(times):
            self.refusals.note(client_id, address, refusal)
        self.ledger.commit_all()

    def flush(self):
        self.shared.now.advance(60)
        self.refusals.flush()
        self.ledger.commit_all()

    @property
    def events(self):
        return [event for decision in self.ledger.committed for event in decision.events]

    @property
    def told(self):
        """Client id, reason and count of each event."""
        return [(event.client_id, event.payload.reason, event.payload.count) for event in self.events]


@pytest.fixture
def desk():
    return Desk()


def test_the_first_is_told_at_once_and_those_that_follow_together(desk, logged):
    desk.ledger.states["CP1"] = state_of()
    desk.note(times=5)
    assert desk.told == [("CP1", "wrongPassword", 1)]
    desk.flush()
    assert desk.told == [("CP1", "wrongPassword", 1), ("CP1", "wrongPassword", 4)]
    first, second = desk.events
    assert (first.event_type, first.payload.remote_address) == ("login_refused", HERE)
    assert second.payload.since < second.timestamp
    assert len(logged.about("CP1")) == 2
    desk.flush()
    desk.note()
    assert len(desk.told) == 3


def test_one_that_is_refused_all_day_is_told_of_once_a_minute(desk):
    for _ in range(10):
        desk.note(times=30)
        desk.flush()
    assert [count for _, _, count in desk.told] == [1, 29, *[30] * 9]


def test_addresses_are_told_apart_networks_of_one_household_are_not(desk):
    desk.note(address=HERE)
    desk.note(address=THERE)
    desk.note(address="2001:db8::1")
    desk.note(address="2001:db8::ffff:2")
    assert [event.payload.remote_address for event in desk.events] == [HERE, THERE, "2001:db8::1"]


def test_an_identity_that_is_not_known_does_not_become_known(desk):
    desk.note("STRANGER", refusal=UNKNOWN)
    assert desk.told == [("STRANGER", "unknown", 1)]
    assert [decision.changes for decision in desk.ledger.committed] == [()]
    assert not desk.ledger._credentials("STRANGER").is_known


def test_made_up_identities_do_not_flood_the_ledger(desk):
    for number in range(5000):
        desk.note(f"MADE-UP-{number}", refusal=UNKNOWN)
    assert len(desk.told) == UNKNOWN_PER_FLUSH
    desk.note("CP1")
    assert desk.told[-1] == ("CP1", "wrongPassword", 1), "those that are known are told of all the same"
    desk.flush()
    assert desk.told[-1] == (OTHERS, "unknown", 5000 - UNKNOWN_PER_FLUSH)
    assert sum(count for _, _, count in desk.told) == 5001


def test_a_flood_over_all_charge_points_does_not_either_and_nothing_is_lost_count_of(desk):
    for _ in range(20):
        for number in range(200):
            desk.note(f"CP{number}")
        desk.flush()
    assert sum(count for _, _, count in desk.told) == 20 * 200
    most = KNOWN_PER_FLUSH + AGAIN_PER_FLUSH + 1
    assert len(desk.told) <= 20 * most


def test_the_table_is_bounded(desk):
    for _ in range(200):
        for number in range(KNOWN_PER_FLUSH):
            desk.note(f"CP{number}", times=2)
            desk.note(f"CP{number}", f"10.0.{desk.shared.now().minute}.{number}", times=2)
        desk.flush()
    assert len(desk.refusals._open) <= module._MOST_OPEN


def test_the_log_has_a_bounded_number_of_lines(desk, logged):
    for number in range(LINES_PER_FLUSH + 50):
        desk.note(f"CP{number}", refusal=Refusal(400, "no subprotocol"))
    assert desk.told == []
    assert len([event for event in logged.events if event.get("status") == 400]) == LINES_PER_FLUSH
    desk.flush()
    assert logged.events[-1]["count"] == 50
    desk.note("CP1", refusal=Refusal(400, "no subprotocol"))
    assert logged.events[-1]["client_id"] == "CP1"


def test_what_has_no_identity_has_a_line_and_is_told_with_the_others(desk, logged):
    desk.note(None, refusal=WRONG, times=2)
    assert desk.told == []
    assert len(logged.events) == 2
    desk.flush()
    assert desk.told == [(OTHERS, "wrongPassword", 2)]


def test_what_could_not_be_committed_is_told_later(desk, logged):
    desk.refusals.note("CP1", HERE, WRONG)
    desk.ledger.commit_one(StoreUnavailable("away"))
    desk.ledger.available = False
    desk.note(times=3)
    desk.flush()
    assert desk.told == []
    desk.ledger.available = True
    desk.flush()
    assert sorted(desk.told) == [(OTHERS, "wrongPassword", 1), ("CP1", "wrongPassword", 3)]
    assert logged.failures == []


def test_a_charge_point_that_is_connected_is_told_of_in_its_turn(desk):
    """Its session decides: its sequence is in memory."""
    from twisted.internet.defer import Deferred

    from csms.ocppj.versions import V16
    from tests.fakes import FakeTransport

    results = []
    Deferred.fromCoroutine(desk.registry.admit("CP1", V16)).addBoth(results.append)
    results[0].opened(FakeTransport(), None)
    desk.ledger.commit_all()
    desk.note(refusal=Refusal(409, "in use", "inUse", is_known=True))
    assert [(event.event_type, event.sequence) for event in desk.events] == [("connected", 1), ("login_refused", 2)]
    assert results[0].state.sequence == 2
