"""A charge point as handlers see it: one CALL after the other through the dispatcher, each decision taken over."""

from __future__ import annotations

import json
from datetime import timedelta

import orjson
from attrs import define, field
from twisted.internet.defer import Deferred

from csms.chargepoint.dispatch import Dispatcher
from csms.handlers.families import handlers
from csms.handlers.iso15118 import NOBODY
from csms.handlers.request import Policy, Request
from csms.ledger.decision import Context
from csms.ocppj import frames
from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import V16
from tests.fakes import GATEWAY, NOW, EventIds, FakeLedger, state_of

SCHEMAS = schemas_of(V16)
START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": "2026-03-01T11:00:00Z"}
BOOT = {"chargePointVendor": "Acme", "chargePointModel": "One"}


@define
class Answer:
    """What came of a CALL: the answer's frame, its payload or code, and what was decided and let pass."""

    frame: list
    decision: object
    deviations: list

    @property
    def payload(self):
        assert self.frame[0] == frames.CALLRESULT, self.frame
        return self.frame[2]

    @property
    def code(self):
        assert self.frame[0] == frames.CALLERROR, self.frame
        return self.frame[2]

    @property
    def changes(self):
        return list(self.decision.changes) if self.decision is not None else []

    @property
    def events(self):
        return list(self.decision.events) if self.decision is not None else []

    @property
    def event_types(self):
        return [event.event_type for event in self.events]


@define
class Waiting:
    """A CALL whose answer may still come."""

    answer: Answer | None = None
    failure: object = None

    def fail(self, failure):
        self.failure = failure


@define
class Station:
    """See the module."""

    client_id: str = "CP1"
    registration: str = "Accepted"
    policy: Policy = field(factory=Policy)
    ledger: FakeLedger = field(factory=FakeLedger)
    now: object = NOW
    state: object = None
    dispatcher: object = None
    authority: object = None
    version: object = V16
    contracts: object = None
    providers: object = NOBODY
    _ids: object = field(factory=EventIds)
    _sent: int = 0

    def __attrs_post_init__(self):
        if self.state is None:
            self.state = state_of(self.client_id, registration=self.registration)
        answering = handlers(
            self.version, self.ledger, self.policy, self.authority, self.contracts, providers=self.providers
        )
        self.dispatcher = Dispatcher.of(self.version, answering)

    def ask(self, action, payload, mode="tolerant"):
        """Send a CALL; a CALLRESULT is checked against the schema of the specification."""
        waiting = self.send(action, payload, mode)
        if waiting.failure is not None:
            waiting.failure.raiseException()
        assert waiting.answer is not None, f"{action} waits"
        return waiting.answer

    def send(self, action, payload, mode="tolerant"):
        """Send a CALL whose answer may come later."""
        self._sent += 1
        self.now += timedelta(seconds=1)
        text = json.dumps([2, str(self._sent), action, payload]).encode()
        call = frames.decode(text, self.version)
        request = Request(self.state, Context(self.now, call.message_id, GATEWAY, self._ids), call.payload, [])
        waiting = Waiting()
        outcome = self.dispatcher.dispatch(call, request, mode)
        if isinstance(outcome, Deferred):
            outcome.addCallback(self._answered, waiting, call, request).addErrback(waiting.fail)
        else:
            self._answered(outcome, waiting, call, request)
        return waiting

    def _answered(self, outcome, waiting, call, request):
        frame = orjson.loads(outcome.text)
        assert frame[1] == call.message_id
        if frame[0] == frames.CALLRESULT:
            self.dispatcher.schemas.check_response(call.action, frame[2], "strict")
        if outcome.decision is not None:
            self.ledger.commit(outcome.decision)
            self.ledger.commit_all()
            self.state = outcome.decision.state
        waiting.answer = Answer(frame, outcome.decision, request.deviations)

    def start(self, **members):
        """Start a transaction; return its id."""
        return self.ask("StartTransaction", {**START, **members}).payload["transactionId"]
