"""GetTransactionStatus: asked after a reconnection where a setting wants that, and what its answer means (2.x, E14)."""

from __future__ import annotations

from itertools import count

import orjson
import pytest
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from csms.chargepoint.dispatch import Dispatcher
from csms.chargepoint.operations import Operations
from csms.chargepoint.registry import Registry
from csms.handlers.families import command_sets, handlers
from csms.handlers.request import Policy
from csms.handlers.tags import Tags
from csms.ledger.cost import Tariff
from csms.ocppj import frames
from csms.ocppj.versions import V21, V201
from csms.passwords.attempts import Attempts
from csms.passwords.passwords import Passwords
from tests.fakes import FakeLedger, FakeTransport, shared_of
from tests.passwords.workers import FakeWorkers

BOOT = {"reason": "PowerUp", "chargingStation": {"vendorName": "Acme", "model": "One"}}
FORGOTTEN = {"ongoingIndicator": False, "messagesInQueue": False}


class Socket(FakeTransport):
    """A socket with a station behind it that answers every CALL alike."""

    def __init__(self, clock, answer):
        super().__init__()
        self.asked_for = []
        self.session = None
        self._clock = clock
        self._answer = answer
        self._ids = count(1)

    def send_text(self, text):
        super().send_text(text)
        kind, message_id, *rest = orjson.loads(text)
        if kind == frames.CALL:
            self.asked_for.append(tuple(rest))
            self._clock.callLater(0, self.session.receive, frames.encode_result(message_id, self._answer))

    def say(self, action, payload):
        self.session.receive(frames.encode_call(f"s{next(self._ids)}", action, payload))


@define
class Desk:
    """A registry and its operations for one version."""

    version: object
    asks: bool = True
    clock: Clock = field(factory=Clock)
    ledger: FakeLedger = None
    registry: Registry = None
    operations: Operations = None

    def __attrs_post_init__(self):
        self.ledger = FakeLedger(self.clock.callLater)
        dispatcher = Dispatcher.of(self.version, handlers(self.version, self.ledger, Policy()))
        shared = shared_of(self.ledger, self.clock, dispatchers={self.version: dispatcher})
        self.registry = Registry(shared)
        ids = count(1)
        self.operations = Operations.of(
            shared, self.registry, command_sets(Tariff()), lambda: f"m{next(ids)}", Tariff(),
            Tags(self.ledger, "Accepted"), Passwords(FakeWorkers(), b"key", Attempts(self.clock.seconds)),
            asks_transaction_status=self.asks,
        )  # fmt: skip

    def settle(self):
        for _ in range(40):
            self.clock.advance(0)

    def connect(self, answer=FORGOTTEN):
        socket = Socket(self.clock, answer)
        sessions = []
        Deferred.fromCoroutine(self.registry.admit("CP1", self.version, authenticated=True)).addCallback(
            sessions.append
        )
        self.settle()
        (socket.session,) = sessions
        socket.session.opened(socket, None)
        self.settle()
        socket.say("BootNotification", BOOT)
        self.settle()
        return socket

    def lose(self, socket):
        self.registry.discard(socket.session, "lost")
        self.settle()

    def begin(self, socket, station_id):
        where = {"id": 1 if station_id == "A" else 2}
        event = {
            "eventType": "Started", "timestamp": "2026-03-01T11:00:00Z", "triggerReason": "Authorized", "seqNo": 0,
            "transactionInfo": {"transactionId": station_id}, "evse": where,
        }  # fmt: skip
        socket.say("TransactionEvent", event)
        self.settle()

    @property
    def completed(self):
        return [
            event.payload
            for decision in self.ledger.committed
            for event in decision.events
            if event.event_type == "completed"
        ]


@pytest.fixture(params=[V201, V21], ids=["2.0.1", "2.1"])
def version(request):
    return request.param


def _back(desk, answer):
    first = desk.connect()
    desk.begin(first, "A")
    desk.begin(first, "B")
    desk.lose(first)
    return desk.connect(answer)


def test_a_station_that_is_back_is_asked_for_what_runs(version):
    desk = Desk(version)
    socket = _back(desk, FORGOTTEN)
    assert socket.asked_for == [
        ("GetTransactionStatus", {"transactionId": "A"}),
        ("GetTransactionStatus", {"transactionId": "B"}),
    ]
    assert [payload.station_transaction_id for payload in desk.completed] == ["A", "B"]
    assert {payload.quality for payload in desk.completed} == {"estimated"}
    assert desk.registry.get("CP1").state.running == {}


@pytest.mark.parametrize(
    "answer",
    [
        {"ongoingIndicator": True, "messagesInQueue": False},
        {"ongoingIndicator": False, "messagesInQueue": True},
        {"messagesInQueue": False},
        {},
    ],
)
def test_what_is_not_forgotten_stays(version, answer):
    desk = Desk(version)
    _back(desk, answer)
    assert desk.completed == []
    assert len(desk.registry.get("CP1").state.running) == 2


def test_nothing_is_asked_unless_the_setting_asks(version):
    desk = Desk(version, asks=False)
    assert _back(desk, FORGOTTEN).asked_for == []
    assert desk.completed == []


def test_an_operators_own_question_is_learnt_from_as_well(version):
    desk = Desk(version, asks=False)
    socket = _back(desk, FORGOTTEN)
    answers = []
    for payload in ({"transactionId": "B"}, {"transactionId": "C"}, {}):
        Deferred.fromCoroutine(desk.operations.commands.send("CP1", "GetTransactionStatus", payload)).addCallback(
            answers.append
        )
        desk.settle()
    assert answers == [FORGOTTEN] * 3
    assert len(socket.asked_for) == 3
    assert [payload.station_transaction_id for payload in desk.completed] == ["B"]


def test_where_nothing_runs_nothing_is_asked(version):
    desk = Desk(version)
    desk.lose(desk.connect())
    assert desk.connect().asked_for == []


def test_a_remote_start_says_whose_a_transaction_is_where_its_events_do_not(version):
    desk = Desk(version)
    socket = desk.connect({"status": "Accepted"})
    request = {"remoteStartId": 7, "idToken": {"idToken": "TAG9", "type": "Central"}, "evseId": 1}
    Deferred.fromCoroutine(desk.operations.commands.send("CP1", "RequestStartTransaction", request))
    desk.settle()
    event = {
        "eventType": "Started", "timestamp": "2026-03-01T11:00:00Z", "triggerReason": "RemoteStart", "seqNo": 0,
        "transactionInfo": {"transactionId": "A", "remoteStartId": 7}, "evse": {"id": 1},
    }  # fmt: skip
    socket.say("TransactionEvent", event)
    desk.settle()
    (running,) = desk.registry.get("CP1").state.running.values()
    assert (running.id_tag, running.trail.remote_start_id) == ("TAG9", 7)
