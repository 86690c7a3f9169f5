"""A 2.x station as handlers see it, over a database: what one message leaves the next one finds."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count

import orjson
from attrs import define, field

from csms.chargepoint.dispatch import Dispatcher
from csms.events.identity import event_id
from csms.handlers import families
from csms.handlers.request import Policy, Request
from csms.ledger.decision import Context
from csms.ledger.model import Monitor, Report, VariableValue
from csms.ocppj import frames
from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import V21, V201
from csms.store import variables as queries
from tests.databases import statements
from tests.events import published
from tests.fakes import GATEWAY, NOW, FakeLedger, state_of

VERSIONS = [V201, V21]
SCHEMAS = {version: schemas_of(version) for version in VERSIONS}
_MODEL = (VariableValue, Monitor, Report)


class ModelLedger(FakeLedger):
    """A fake ledger that writes the rows of the device model into its database."""

    def commit_one(self, error=None):
        decision, _ = self.pending[0]
        rows = [change for change in decision.changes if isinstance(change, _MODEL)]
        prepared = statements().prepare(type(decision)(None, decision.state, tuple(rows)))
        with self.database.begin() as connection:
            statements().execute(connection, [prepared], lambda count: 1)
        return super().commit_one(error)


@define
class ModelStation:
    """``ask`` sends a CALL and checks its answer; ``learn`` has the ledger learn from the answer to one of ours."""

    version: object
    ledger: ModelLedger = field(factory=ModelLedger)
    now: object = NOW
    state: object = field(factory=state_of)
    events: list = field(factory=list)
    deviations: list = field(factory=list)
    _dispatcher: object = None
    _random: object = field(factory=count)
    _sent: int = 0

    def __attrs_post_init__(self):
        self._dispatcher = Dispatcher.of(self.version, families.handlers(self.version, self.ledger, Policy()))

    def ask(self, action, payload, mode="strict"):
        """Send a CALL; return the payload of its answer, and the decision."""
        context = self._context()
        text = json.dumps([2, context.message_id, action, payload]).encode()
        call = frames.decode(text, self.version)
        request = Request(self.state, context, call.payload, self.deviations)
        done = []
        outcome = self._dispatcher.dispatch(call, request, mode)
        outcome.addCallback(done.append) if hasattr(outcome, "addCallback") else done.append(outcome)
        frame = orjson.loads(done[0].text)
        assert frame[0] == frames.CALLRESULT, frame
        SCHEMAS[self.version].check_response(action, frame[2], "strict")
        self._take(done[0].decision)
        return frame[2]

    def learn(self, action, request, response):
        """Take the answer to a command; both are held against the schemas."""
        schemas = SCHEMAS[self.version]
        schemas.check_request(action, request, "strict")
        schemas.check_response(action, response, "strict")
        self.learn_anything(action, request, response)

    def learn_anything(self, action, request, response):
        """Take an answer whatever it is."""
        learner = families.COMMAND_SETS[self.version].learners[action]
        known = None
        if learner.query is not None:
            with self.ledger.database.connect() as connection:
                known = learner.query(connection, "CP1")
        self._take(learner.rule(self.state, self._context(), request, response, known))

    def told(self, *types):
        return [event["payload"] for event in self.events if event["eventType"] in types]

    def changes(self, kind):
        return [change for decision in self.ledger.committed for change in decision.changes if type(change) is kind]

    @property
    def values(self):
        """The values of variables by name and attribute."""
        with self.ledger.database.connect() as connection:
            known = queries.known_variables(connection, "CP1")
        return {key: value.value for key, value in known.values.items()}

    @property
    def monitors(self):
        """The ids of the monitors that there are."""
        with self.ledger.database.connect() as connection:
            known = queries.known_monitors(connection, "CP1")
        return sorted(number for number, monitor in known.items() if monitor.cleared_at is None)

    def _context(self):
        self._sent += 1
        self.now += timedelta(seconds=1)
        return Context(self.now, str(self._sent), GATEWAY, self._new_event_id)

    def _new_event_id(self, event_type, now):
        return event_id(event_type, now, lambda _: next(self._random))

    def _take(self, decision):
        if decision is None:
            return
        self.events += [published.check(event) for event in decision.events]
        self.ledger.commit(decision)
        self.ledger.commit_all()
        self.state = decision.state
