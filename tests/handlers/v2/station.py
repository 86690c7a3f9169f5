"""A station of OCPP 2.x as handlers see it, with a ledger behind it that writes what is decided into a real database."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from random import Random

import orjson
from attrs import define, field
from twisted.internet.defer import Deferred

from csms.chargepoint.dispatch import Dispatcher
from csms.events.identity import event_id
from csms.handlers.families import handlers
from csms.handlers.request import Policy, Request
from csms.ledger.decision import Context
from csms.ocppj import frames
from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import V21, V201
from tests.databases import statements
from tests.events.published import check
from tests.fakes import GATEWAY, NOW, FakeLedger, state_of
from tests.handlers.station import Answer

VERSIONS = {"2.0.1": V201, "2.1": V21}


_random = Random(1)


def _new_event_id(event_type, now):
    return event_id(event_type, now, _random.getrandbits)


class WritingLedger(FakeLedger):
    """The fake ledger with what is committed in its database as well: rows that no database takes are noticed."""

    def __init__(self):
        super().__init__()
        self._statements = statements()
        self._positions = 0

    def commit_one(self, error=None):
        decision = super().commit_one(error)
        with self.database.begin() as connection:
            self._statements.execute(connection, [self._statements.prepare(decision)], self._first)
        return decision

    def _first(self, number):
        self._positions += number
        return self._positions - number + 1


@define
class Station:
    """See the module."""

    version: object = V21
    client_id: str = "CP1"
    registration: str = "Accepted"
    policy: Policy = field(factory=Policy)
    ledger: FakeLedger = field(factory=WritingLedger)
    now: object = NOW
    state: object = None
    dispatcher: object = None
    _numbers: object = field(factory=lambda: count(1))

    def __attrs_post_init__(self):
        if self.state is None:
            self.state = state_of(self.client_id, registration=self.registration)
        self.dispatcher = Dispatcher.of(self.version, handlers(self.version, self.ledger, self.policy))

    def ask(self, action, payload, mode="tolerant"):
        """Send a CALL; a CALLRESULT is checked against the schema of the specification."""
        call = frames.decode(orjson.dumps([2, f"m{next(self._numbers)}", action, payload]), self.version)
        request = self._request(call)
        outcomes = []
        outcome = self.dispatcher.dispatch(call, request, mode)
        if isinstance(outcome, Deferred):
            outcome.addCallback(outcomes.append)
        else:
            outcomes.append(outcome)
        (outcome,) = outcomes
        frame = orjson.loads(outcome.text)
        assert frame[1] == call.message_id
        if frame[0] == frames.CALLRESULT:
            schemas_of(self.version).check_response(action, frame[2], "strict")
        self.take_over(outcome.decision)
        return Answer(frame, outcome.decision, request.deviations)

    def send(self, action, payload, mode="tolerant"):
        """Send a SEND; return what is decided."""
        send = frames.decode(orjson.dumps([6, f"m{next(self._numbers)}", action, payload]), self.version)
        decision = self.dispatcher.take(send, self._request(send), mode)
        self.take_over(decision)
        return decision

    def learn(self, command_set, action, request, response):
        """Have the ledger learn from the answer to a command."""
        learner = command_set.learners.get(action)
        if learner is None:
            return None
        known = None
        if learner.query is not None:
            found = []
            self.ledger.read(learner.query, self.client_id).addCallback(found.append)
            (known,) = found
        decision = learner.rule(self.state, self._context("c1"), request, response, known)
        self.take_over(decision)
        return decision

    def take_over(self, decision):
        if decision is not None:
            for event in decision.events:
                check(event)
            self.ledger.commit(decision)
            self.ledger.commit_all()
            self.state = decision.state

    def _request(self, message):
        self.now += timedelta(seconds=1)
        return Request(self.state, self._context(message.message_id), message.payload, [])

    def _context(self, message_id):
        return Context(self.now, message_id, GATEWAY, _new_event_id)
