"""The session: an answer leaves when its decision is committed, and only then its state takes effect."""

import orjson
import pytest

from csms.ocppj.connection import MAX_WAITING
from csms.store.errors import StoreError, StoreUnavailable
from tests.chargepoint.desk import STATUS, Desk, start

AWAY = StoreUnavailable("disk full")


@pytest.fixture
def desk():
    return Desk().open()


def test_no_answer_before_the_commit(desk):
    desk.say("1", "StatusNotification", STATUS)
    assert desk.answers == []
    assert desk.session.state.connectors == {}
    desk.ledger.commit_one()
    assert desk.answers == [[3, "1", {}]]
    assert desk.session.state.connectors[1].status == "Available"


def test_what_changes_nothing_waits_for_nothing(desk):
    desk.say("1", "Heartbeat", {})
    assert desk.answered == ["1"]
    assert not desk.ledger.pending


def test_one_decision_in_flight_and_answers_in_order(desk):
    for number in range(1, 6):
        desk.say(str(number), "StartTransaction", start(number))
    desk.say("6", "Heartbeat", {})
    for number in range(1, 6):
        assert len(desk.ledger.pending) == 1
        assert desk.answered == [str(earlier) for earlier in range(1, number)]
        desk.ledger.commit_one()
    assert desk.answered == ["1", "2", "3", "4", "5", "6"]
    assert [frame[2].get("transactionId") for frame in desk.answers[:-1]] == [1, 2, 3, 4, 5]
    assert desk.session.idle


def test_a_rule_sees_what_the_one_before_it_did(desk):
    desk.say("1", "StartTransaction", start(1))
    desk.say("2", "StartTransaction", start(1))
    desk.ledger.commit_all()
    assert [frame[2]["transactionId"] for frame in desk.answers] == [1, 1]
    assert desk.ledger.events() == ["connected", "started"]


def test_300_heartbeats_pipelined_behind_a_commit(desk):
    desk.say("first", "StatusNotification", STATUS)
    for number in range(300):
        desk.say(str(number), "Heartbeat", {})
    assert desk.transport.holds == {"queue"}
    desk.ledger.commit_one()
    # The queue is bounded: a socket that is held sends no more than it holds (tests/websocket/test_backpressure.py).
    good = [frame[1] for frame in desk.answers if frame[0] == 3]
    assert good == ["first", *map(str, range(MAX_WAITING))]
    assert [frame[2] for frame in desk.answers if frame[0] == 4] == ["GenericError"] * (300 - MAX_WAITING)
    assert desk.transport.holds == set()


def test_reading_is_held_until_the_queue_is_empty(desk):
    for number in range(MAX_WAITING):
        desk.say(str(number), "StartTransaction", start(number))
    assert desk.transport.holds == set()
    desk.say(str(MAX_WAITING), "StartTransaction", start(MAX_WAITING))
    for _ in range(MAX_WAITING):
        assert desk.transport.holds == {"queue"}
        desk.ledger.commit_one()
    assert desk.transport.holds == set()
    desk.ledger.commit_all()
    assert desk.answered == [str(number) for number in range(MAX_WAITING + 1)]


def test_the_same_message_again_gets_its_first_answer_again(desk):
    for _ in range(2):
        desk.say("1", "StartTransaction", start(1))
    desk.ledger.commit_all()
    desk.say("1", "StartTransaction", start(1))
    assert len(desk.answers) == 3
    assert desk.answers[0] == desk.answers[1] == desk.answers[2]
    assert desk.ledger.events().count("started") == 1
    assert [event.direction for event in desk.published] == ["in", "out"] * 3


def test_the_same_id_with_another_payload_is_a_new_call(desk):
    """Counters restart after a reboot."""
    desk.say("1", "StartTransaction", start(1))
    desk.ledger.commit_all()
    desk.say("1", "StartTransaction", start(2))
    desk.ledger.commit_all()
    assert [frame[2]["transactionId"] for frame in desk.answers] == [1, 2]


@pytest.mark.parametrize("action", ["StatusNotification", "StartTransaction"])
def test_no_answer_and_1013_where_the_commit_fails(desk, action):
    desk.say("1", action, STATUS if action == "StatusNotification" else start(1))
    desk.say("2", "Heartbeat", {})
    desk.ledger.commit_one(error=AWAY)
    assert desk.answers == []
    assert desk.transport.closed_with == (1013, "try again later")
    assert desk.session.state.connectors == desk.session.state.running == {}


def test_no_answer_and_1013_where_the_ledger_cannot_be_read(desk, logged):
    desk.ledger.available = False
    desk.say("1", "StartTransaction", start(1))
    assert desk.answers == []
    assert desk.transport.closed_with[0] == 1013
    assert len(logged.about("CP1")) == 1


def test_a_heartbeat_is_answered_while_the_ledger_is_away(desk):
    desk.ledger.available = False
    desk.say("1", "Heartbeat", {})
    assert desk.answered == ["1"]
    assert desk.transport.closed_with is None


@pytest.mark.parametrize("error", [ValueError("secret"), StoreError("secret")])
def test_a_decision_that_cannot_be_stored_fails_alone(desk, logged, error):
    desk.say("1", "StatusNotification", STATUS)
    desk.say("2", "StatusNotification", {**STATUS, "connectorId": 2})
    desk.ledger.commit_one(error=error)
    desk.ledger.commit_all()
    assert desk.answers[0][:3] == [4, "1", "InternalError"]
    assert "secret" not in desk.answers[0][3]
    assert desk.answers[1] == [3, "2", {}]
    assert set(desk.session.state.connectors) == {2}
    assert len(logged.failures) == 1
    assert desk.transport.closed_with is None


def test_messages_before_the_connected_commit(desk):
    desk = Desk()
    desk.session.opened(desk.transport, None)
    assert desk.transport.holds == {"opening"}
    desk.say("1", "Heartbeat", {})
    desk.say("2", "StatusNotification", STATUS)
    desk.say("3", "Heartbeat", {})
    assert desk.answers == []
    desk.ledger.commit_one()
    assert desk.transport.holds == set()
    assert desk.answered == ["1"]
    desk.ledger.commit_all()
    assert desk.answered == ["1", "2", "3"]
    assert desk.ledger.events() == ["connected", "status_changed"]


def test_connected_cannot_be_committed(desk):
    desk = Desk()
    desk.session.opened(desk.transport, None)
    desk.say("1", "Heartbeat", {})
    desk.ledger.commit_one(error=AWAY)
    assert desk.transport.closed_with[0] == 1013
    gone = []
    desk.session.closed("gone").addCallback(gone.append)
    assert gone == [None]
    assert desk.answers == desk.ledger.committed == []


def test_an_answer_that_nobody_asked_for(desk, logged):
    for text in (b'[3,"9",{}]', b'[4,"9","InternalError","",{}]'):
        desk.session.receive(text)
    assert desk.answers == []
    assert desk.transport.closed_with is None
    assert len(logged.about("CP1")) == 2


def test_validation_mode_of_the_charge_point_wins():
    tag = {"idTag": "T" * 21}
    desk = Desk(members={"validation": "strict"}).open()
    desk.say("1", "Authorize", tag)
    assert desk.answers[0][2] == "PropertyConstraintViolation"
    assert desk.shared.counters.values["call_errors"] == {"PropertyConstraintViolation": 1}


def test_the_protocol_stream_sees_every_frame(desk):
    desk.say("1", "Authorize", {"idTag": "T" * 21})
    desk.say("2", "Nonsense", {})
    seen = [(event.direction, event.action, event.message_id, bool(event.deviations)) for event in desk.published]
    assert seen == [
        ("in", "Authorize", "1", True),
        ("out", "Authorize", "1", False),
        ("in", "Nonsense", "2", False),
        ("out", "Nonsense", "2", False),
    ]
    assert orjson.loads(desk.published[0].frame)[0] == 2
