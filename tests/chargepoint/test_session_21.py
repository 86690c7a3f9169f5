"""What OCPP 2.1 adds to a session: a SEND, which is never answered, and results that one side refuses."""

import orjson
import pytest
from msgspec.structs import replace

from csms.chargepoint.dispatch import Dispatcher
from csms.handlers.families import handlers
from csms.handlers.request import Policy
from csms.ledger.state import Record
from csms.ocppj.versions import V21, V201
from csms.store.errors import StoreUnavailable
from tests.chargepoint.desk import Desk
from tests.fakes import FakeLedger, state_of

STREAM = {"id": 1, "pending": 0, "basetime": "2026-03-01T11:00:00Z", "data": [{"t": 1, "v": "230.4"}]}
STATUS = {"evseId": 1, "connectorId": 1, "connectorStatus": "Available", "timestamp": "2026-03-01T11:00:00Z"}
AWAY = StoreUnavailable("disk full")


@pytest.fixture
def make_desk():
    def make(version=V21, registration="Accepted", **members):
        ledger = FakeLedger()
        dispatchers = {version: Dispatcher.of(version, handlers(version, ledger, Policy()))}
        desk = Desk(ledger, version=version, members={"dispatchers": dispatchers, **members})
        desk.session.state = state_of(registration=registration)
        return desk.open()

    return make


@pytest.fixture
def desk(make_desk):
    return make_desk()


def send(desk, message_id="s1", payload=STREAM, action="NotifyPeriodicEventStream"):
    desk.session.receive(orjson.dumps([6, message_id, action, payload]))


def kept(desk):
    return [
        (change.kind, change.message_id, orjson.loads(change.body))
        for decision in desk.ledger.committed
        for change in decision.changes
        if type(change) is Record
    ]


def published(desk):
    return [(event.direction, event.action, event.message_id) for event in desk.published]


def test_a_send_is_kept_and_never_answered(desk):
    send(desk)
    desk.ledger.commit_all()
    assert desk.answers == []
    assert kept(desk) == [("NotifyPeriodicEventStream", "s1", STREAM)]
    assert published(desk) == [("in", "NotifyPeriodicEventStream", "s1")]
    assert not desk.session.decisions_waiting


def test_a_send_may_come_in_the_middle_of_a_call(desk):
    desk.say("1", "StatusNotification", STATUS)
    send(desk)
    desk.say("2", "Heartbeat", {})
    assert desk.answered == []
    desk.ledger.commit_one()
    assert desk.answered == ["1"], "the SEND came before the second CALL"
    desk.ledger.commit_all()
    assert desk.answered == ["1", "2"]
    assert kept(desk)[-1][0] == "NotifyPeriodicEventStream"


def test_a_send_may_come_while_a_call_of_ours_waits(desk):
    answers = []
    desk.session.call("ClearCache", {}, "m1", 30).addCallback(answers.append)
    send(desk)
    desk.ledger.commit_all()
    desk.session.receive(b'[3,"m1",{"status":"Accepted"}]')
    assert [frame.payload for frame in answers] == [{"status": "Accepted"}]
    assert [frame[0] for frame in desk.answers] == [2]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("NotifyPeriodicEventStream", {"id": 1}),
        ("NotifyPeriodicEventStream", {**STREAM, "id": "one"}),
        ("Heartbeat", {}),
        ("Nonsense", {}),
    ],
)
def test_a_send_that_does_not_fit_is_passed_over_and_counted(desk, action, payload):
    send(desk, action=action, payload=payload)
    desk.say("1", "Heartbeat", {})
    assert desk.answered == ["1"]
    assert kept(desk) == []
    assert desk.shared.counters.total("sends_dropped") == 1
    (event, *_) = desk.published
    assert (event.action, len(event.deviations)) == (action, 1)


def test_a_send_before_the_registration_is_passed_over(make_desk):
    desk = make_desk(registration="Pending")
    send(desk)
    desk.ledger.commit_all()
    assert (desk.answers, kept(desk)) == ([], [])
    assert desk.shared.counters.total("sends_dropped") == 1


def test_a_flood_of_sends_is_bounded(desk):
    desk.say("1", "StatusNotification", STATUS)
    for number in range(300):
        send(desk, f"s{number}")
    assert desk.session.decisions_waiting == 256
    assert desk.shared.counters.total("sends_dropped") == 44
    desk.ledger.commit_all()
    assert len(kept(desk)) >= 256
    assert desk.answered == ["1"]


def test_a_send_that_cannot_be_stored_closes_the_socket(desk, logged):
    send(desk)
    desk.ledger.commit_one(AWAY)
    assert desk.transport.closed_with == (1013, "try again later")
    assert not logged.failures


def test_what_is_a_send_is_refused_as_a_call(desk):
    desk.say("1", "NotifyPeriodicEventStream", STREAM)
    (answer,) = desk.answers
    assert answer[:3] == [4, "1", "NotSupported"]


def test_an_answer_that_a_station_refuses_is_kept_and_breaks_nothing(desk):
    desk.say("1", "Heartbeat", {})
    desk.session.receive(b'[5,"1","FormatViolation","no such time",{"why":1}]')
    desk.ledger.commit_all()
    desk.say("2", "Heartbeat", {})
    assert desk.answered == ["1", "2"]
    assert kept(desk) == [
        (
            "CallResultError",
            "1",
            {
                "action": "Heartbeat",
                "errorCode": "FormatViolation",
                "errorDescription": "no such time",
                "errorDetails": {"why": 1},
            },
        )
    ]
    assert desk.shared.counters.total("results_refused") == 1
    assert ("in", "Heartbeat", "1") in published(desk)[1:]


def test_the_refusal_of_no_answer_of_ours_is_ignored(desk):
    desk.session.receive(b'[5,"none","FormatViolation","",{}]')
    assert desk.answers == []
    assert desk.shared.counters.total("bad_frames") == 1


@pytest.mark.parametrize(
    ("version", "mode", "refused"),
    [(V21, "strict", True), (V21, "tolerant", False), (V201, "strict", False)],
    ids=["2.1 strict", "2.1 tolerant", "2.0.1 strict"],
)
def test_a_result_that_does_not_fit_is_refused_only_in_strict_mode_of_2_1(make_desk, version, mode, refused):
    desk = make_desk(version, validation=mode)
    answers = []
    desk.session.call("ClearCache", {}, "m1", 30).addCallback(answers.append)
    desk.session.receive(b'[3,"m1",{"status":"Perhaps"}]')
    # It is the operator's to judge all the same.
    assert [frame.payload for frame in answers] == [{"status": "Perhaps"}]
    assert [frame[:3] for frame in desk.answers[1:]] == ([[5, "m1", "PropertyConstraintViolation"]] if refused else [])


def test_a_result_that_fits_is_not_refused(make_desk):
    desk = make_desk(validation="strict")
    desk.session.call("ClearCache", {}, "m1", 30)
    desk.session.receive(b'[3,"m1",{"status":"Accepted"}]')
    assert [frame[0] for frame in desk.answers] == [2]


def test_the_kinds_of_2_1_are_refused_in_2_0_1(make_desk):
    desk = make_desk(V201)
    send(desk)
    assert [frame[:3] for frame in desk.answers] == [[4, "s1", "MessageTypeNotSupported"]]


def test_an_unregistered_station_is_refused_all_but_its_boot(make_desk):
    """B02.FR.09, B03.FR.07."""
    for registration in ("Pending", "Rejected"):
        desk = make_desk(registration=registration)
        desk.say("1", "Heartbeat", {})
        desk.say("2", "StatusNotification", STATUS)
        assert [frame[2] for frame in desk.answers] == ["SecurityError", "SecurityError"]
        boot = {"reason": "PowerUp", "chargingStation": {"model": "One", "vendorName": "Acme"}}
        desk.say("3", "BootNotification", boot)
        desk.ledger.commit_all()
        assert desk.answers[-1][2]["status"] == registration


def test_a_pending_station_may_send_what_it_was_asked_for(make_desk):
    """B02.FR.02."""
    desk = make_desk(registration="Pending")
    desk.session.state = replace(desk.session.state, asked_for=frozenset({"Heartbeat"}))
    desk.say("1", "Heartbeat", {})
    desk.say("2", "StatusNotification", STATUS)
    assert [frame[0] for frame in desk.answers] == [3, 4]
