"""The registry: one live session for each charge point; who may take whose place."""

import pytest
from attrs import define, field
from twisted.internet.defer import Deferred

from csms.chargepoint.registry import IdentityInUse, Registry, UnknownChargePoint
from csms.ledger import provisioning
from csms.ledger.provisioning import Provision
from csms.ocppj.versions import V16, Version
from csms.store.errors import StoreUnavailable
from tests.fakes import GATEWAY, NOW, FakeLedger, FakeTransport, shared_of, state_of


@define
class Door:
    """A registry, and charge points that come to it."""

    ledger: FakeLedger = field(factory=FakeLedger)
    unknown: str = "Accepted"
    registry: Registry = None

    def __attrs_post_init__(self):
        self.registry = Registry(shared_of(self.ledger, unknown_chargepoints=self.unknown))

    def admit(self, client_id="CP1", version=V16, authenticated=False):
        results = []
        admitted = self.registry.admit(client_id, version, authenticated=authenticated)
        Deferred.fromCoroutine(admitted).addBoth(results.append)
        return results

    def connect(self, client_id="CP1", alive=True, **arguments):
        """Let a charge point in, and open its socket."""
        (session,) = self.admit(client_id, **arguments)
        session.opened(FakeTransport(alive), None)
        self.ledger.commit_all()
        return session


@pytest.fixture
def door():
    return Door()


def test_a_session_is_found_while_it_lasts(door):
    session = door.connect()
    assert door.registry.get("CP1") is session
    assert list(door.registry) == [session]
    door.registry.discard(session, "gone")
    assert len(door.registry) == 1
    door.ledger.commit_all()
    assert len(door.registry) == 0
    assert door.registry.get("CP1") is None


def test_who_comes_and_goes_is_told(door):
    told = []
    door.registry.on_held = lambda client_id: told.append(("held", client_id))
    door.registry.on_released = lambda client_id: told.append(("released", client_id))
    old = door.connect(alive=False)
    door.admit()
    door.ledger.commit_all()
    door.registry.discard(old, "late")
    door.registry.discard(door.registry.get("CP1"), "gone")
    door.ledger.commit_all()
    assert told == [("held", "CP1"), ("released", "CP1")] * 2


def test_a_newcomer_does_not_displace_a_live_one(door):
    old = door.connect()
    (failure,) = door.admit()
    failure.trap(IdentityInUse)
    assert door.registry.get("CP1") is old
    assert old.transport.closed_with is None


def test_a_newcomer_displaces_a_half_open_one(door):
    """ocpp-go#314, core#583."""
    old = door.connect(alive=False)
    results = door.admit()
    assert old.transport.closed_with[0] == 1008
    assert results == []
    door.ledger.commit_all()
    (new,) = results
    assert door.registry.get("CP1") is new
    new.opened(FakeTransport(), None)
    door.ledger.commit_all()
    assert door.ledger.events() == ["connected", "disconnected", "connected"]


def test_the_late_close_of_the_old_does_not_unregister_the_new(door):
    old = door.connect(alive=False)
    results = door.admit()
    door.ledger.commit_all()
    door.registry.discard(old, "its close event, late")
    door.ledger.commit_all()
    assert door.registry.get("CP1") is results[0]
    assert door.ledger.events().count("disconnected") == 1


def test_an_authenticated_newcomer_displaces_a_live_one(door):
    old = door.connect()
    results = door.admit(authenticated=True)
    assert old.transport.closed_with[0] == 1008
    door.ledger.commit_all()
    assert door.registry.get("CP1") is results[0]


def test_the_new_state_holds_what_the_old_one_had_in_flight(door):
    old = door.connect(alive=False)
    old.receive(b'[2,"1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]')
    results = door.admit()
    assert results == []
    door.ledger.commit_all()
    assert results[0].state.connectors[1].status == "Available"


def test_two_newcomers_at_once(door):
    door.connect(alive=None)
    first, second = door.admit(), door.admit()
    second[0].trap(IdentityInUse)
    assert first == []


def test_other_charge_points_are_not_concerned(door):
    other = door.connect("CP2", alive=False)
    door.connect("CP1")
    assert other.transport.closed_with is None
    assert len(door.registry) == 2


def test_an_unknown_one_where_unknown_ones_are_rejected():
    door = Door(unknown="Rejected")
    door.admit()[0].trap(UnknownChargePoint)
    assert len(door.registry) == 0
    door.ledger.states["CP2"] = state_of("CP2", registration="Rejected")
    assert door.admit("CP2")[0].client_id == "CP2"


def test_an_unknown_one_is_pending_where_that_is_wanted():
    (session,) = Door(unknown="Pending").admit()
    assert session.state.charge_point.registration == "Pending"


def test_the_ledger_cannot_be_read(door):
    door.ledger.available = False
    door.admit()[0].trap(StoreUnavailable)
    door.ledger.available = True
    assert door.admit()[0].client_id == "CP1"


def test_the_version_belongs_to_the_socket(door):
    """lbbrhzn#2008."""
    other = Version("2.0.1", "ocpp2.0.1", "ocpp.v201", "FormatViolation", "OccurrenceConstraintViolation", "x", True)
    old = door.connect(alive=False)
    results = door.admit(version=other)
    door.ledger.commit_all()
    assert (old.version, results[0].version) == (V16, other)
    results[0].opened(FakeTransport(), None)
    door.ledger.commit_all()
    assert door.ledger.states["CP1"].charge_point.version == "2.0.1"


def test_discard_all(door):
    door.connect("CP1")
    door.connect("CP2")
    done = []
    door.registry.discard_all("the daemon goes").addCallback(done.append)
    door.ledger.commit_all()
    assert done == [None]
    assert len(door.registry) == 0
    assert door.ledger.events().count("disconnected") == 2


def test_no_subprotocol_is_allowed_by_the_operator_only(door):
    door.ledger.states["CP1"] = state_of(allow_no_subprotocol=True)
    for client_id, allowed in (("CP1", True), ("CP2", False)):
        results = []
        asked = door.registry.credentials(client_id)
        Deferred.fromCoroutine(asked).addBoth(results.append)
        assert results[0].allow_no_subprotocol is allowed


class TestRecover:
    """What the ledger takes for connected here but is not."""

    def recover(self, door):
        results = []
        Deferred.fromCoroutine(door.registry.recover("unclean end")).addBoth(results.append)
        door.ledger.commit_all()
        return results[0]

    def test_after_an_unclean_end(self, door):
        for client_id, gateway, since in (("CP1", GATEWAY, NOW), ("CP2", "other", NOW), ("CP3", GATEWAY, None)):
            door.ledger.states[client_id] = state_of(client_id, gateway_id=gateway, connected_since=since)
        assert self.recover(door) == 1
        (decision,) = door.ledger.committed
        assert decision.events[0].client_id == "CP1"
        assert decision.events[0].event_type == "disconnected"
        assert decision.events[0].payload.reason == "unclean end"
        assert self.recover(door) == 0

    def test_many_at_once_that_share_their_commits(self, door):
        for number in range(300):
            door.ledger.states[f"CP{number}"] = state_of(f"CP{number}", gateway_id=GATEWAY, connected_since=NOW)
        results = []
        Deferred.fromCoroutine(door.registry.recover("unclean end")).addBoth(results.append)
        assert len(door.ledger.pending) == 128
        door.ledger.commit_all()
        assert results == [300]
        assert len({decision.events[0].client_id for decision in door.ledger.committed}) == 300

    def test_nothing_more_is_tried_after_a_failure(self, door):
        for number in range(300):
            door.ledger.states[f"CP{number}"] = state_of(f"CP{number}", gateway_id=GATEWAY, connected_since=NOW)
        results = []
        Deferred.fromCoroutine(door.registry.recover("unclean end")).addBoth(results.append)
        door.ledger.commit_one(error=StoreUnavailable("disk full"))
        door.ledger.commit_all()
        assert results == [127]

    def test_who_is_connected_is_left_alone(self, door):
        door.connect()
        assert self.recover(door) == 0

    def test_while_the_ledger_is_away(self, door):
        door.ledger.states["CP1"] = state_of(gateway_id=GATEWAY, connected_since=NOW)
        done = Deferred.fromCoroutine(door.registry.recover("unclean end"))
        door.ledger.commit_one(error=StoreUnavailable("disk full"))
        results = []
        done.addBoth(results.append)
        assert results == [0]
        assert door.admit()[0].client_id == "CP1"

    def test_who_arrives_meanwhile_waits_his_turn(self, door):
        door.ledger.states["CP1"] = state_of(gateway_id=GATEWAY, connected_since=NOW)
        Deferred.fromCoroutine(door.registry.recover("unclean end"))
        door.admit()[0].trap(IdentityInUse)
        door.ledger.commit_all()
        assert door.admit()[0].state.charge_point.connected_since is None


class TestVisit:
    """What was read of a charge point before it is let in."""

    def look(self, door):
        results = []
        Deferred.fromCoroutine(door.registry.look("CP1")).addBoth(results.append)
        return results[0]

    def admitted(self, door, visit, **arguments):
        results = []
        coming = door.registry.admit("CP1", V16, visit=visit, **arguments)
        Deferred.fromCoroutine(coming).addBoth(results.append)
        door.ledger.commit_all()
        return results[0]

    def provision(self, door, **changes):
        Deferred.fromCoroutine(
            door.registry.decide(
                "CP1", lambda state, context: provisioning.provision(state, context, Provision(**changes), None)
            )
        )
        door.ledger.commit_all()

    def test_is_not_read_again(self, door):
        door.ledger.states["CP1"] = state_of(allow_no_subprotocol=True)
        visit = self.look(door)
        assert visit.credentials.allow_no_subprotocol
        door.ledger.available = False
        assert self.admitted(door, visit).state.charge_point.allow_no_subprotocol
        door.registry.look_away(visit)
        assert door.registry._visits == {}

    def test_is_read_again_after_a_decision(self, door):
        visit = self.look(door)
        self.provision(door, group_name="north")
        assert self.admitted(door, visit).state.charge_point.group_name == "north"

    def test_is_read_again_where_it_was_read_before_and_comes_after(self, door):
        """A reader's thread read what stood before the commit, and its answer is taken after that."""
        before = state_of(gateway_id=GATEWAY, connected_since=NOW)
        door.ledger.states["CP1"] = before
        Deferred.fromCoroutine(door.registry.recover("unclean end"))
        door.ledger.reads_wait = True
        looks = []
        Deferred.fromCoroutine(door.registry.look("CP1")).addBoth(looks.append)
        door.ledger.commit_all()
        after, door.ledger.states["CP1"] = door.ledger.states["CP1"], before
        door.ledger.read_one()
        door.ledger.states["CP1"], door.ledger.reads_wait = after, False
        assert looks[0].state is None
        session = self.admitted(door, looks[0])
        session.opened(FakeTransport(), None)
        door.ledger.commit_all()
        assert door.ledger.events("CP1") == ["disconnected", "connected"]

    def test_is_read_again_where_a_decision_is_on_its_way(self, door):
        visit = self.look(door)
        results = []
        deciding = door.registry.decide(
            "CP1", lambda state, context: provisioning.provision(state, context, Provision(group_name="n"), None)
        )
        Deferred.fromCoroutine(deciding).addBoth(results.append)
        assert results == []
        assert self.admitted(door, visit).state.charge_point.group_name == "n"

    def test_is_read_again_after_a_session_that_came_and_went(self, door):
        visit = self.look(door)
        session = door.connect()
        door.registry.discard(session, "gone")
        door.ledger.commit_all()
        assert self.admitted(door, visit).state.sequence == 2

    def test_is_read_again_after_a_session_that_was_there_has_gone(self, door):
        session = door.connect()
        visit = self.look(door)
        door.registry.discard(session, "gone")
        door.ledger.commit_all()
        assert self.admitted(door, visit).state.sequence == 2

    def test_is_read_again_after_it_took_another_ones_place(self, door):
        door.connect(alive=False)
        visit = self.look(door)
        assert self.admitted(door, visit).state.sequence == 2

    def test_of_several_each_ends_by_itself(self, door):
        one, other = self.look(door), self.look(door)
        door.registry.look_away(one)
        door.registry.look_away(one)
        assert door.registry._visits == {"CP1": [other]}
        door.registry.look_away(other)
        assert door.registry._visits == {}

    def test_a_ledger_that_is_away_leaves_nothing_behind(self, door):
        door.ledger.available = False
        assert self.look(door).check(StoreUnavailable)
        assert door.registry._visits == {}
