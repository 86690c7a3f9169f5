"""One hand-written fake for each port of the live side: the ledger, a session's socket, the wall clock, the log."""

from __future__ import annotations

import inspect
from collections import deque
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import count

import msgspec
import pytest
from msgspec.structs import asdict, replace
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from csms.chargepoint.dispatch import Dispatcher
from csms.chargepoint.shared import Shared
from csms.handlers.request import Policy
from csms.handlers.v16.core import Core
from csms.handlers.v16.firmware import Firmware
from csms.handlers.v16.security import Security
from csms.ledger.authorization import TagFacts, TagSession, fold
from csms.ledger.certificates import REQUEST, SigningRequest
from csms.ledger.state import (
    ChargePoint,
    ChargePointState,
    Credentials,
    EventProgress,
    Fact,
    PasswordHash,
    Provisioned,
    Reading,
    Transaction,
)
from csms.metrics import Counters
from csms.ocppj.versions import V16
from csms.store import queries, tables
from csms.store.errors import StoreUnavailable
from csms.store.tag_facts import tag_facts
from csms.store.upsert import upsert
from tests.databases import in_memory

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
GATEWAY = "gw1"


class FakeLedger:
    """The store in memory. Commits wait for `commit_one`, unless a scheduler is given: then they come by themselves.

    It is the `Ledger` of sessions, and the `Reads` of handlers. A state takes effect here when it is committed.
    """

    def __init__(self, call_later=None):
        self._call_later = call_later
        self._transaction_ids = count(1)
        self.available = True
        self.reads_wait = False
        self.waiting_reads = deque()
        self.pending = deque()
        self.committed = []
        self.states = {}
        self.tags = {}
        self.transactions = {}
        self.readings = set()
        self._secured = set()

    def commit(self, decision):
        done = Deferred()
        self.commit_for(decision, done)
        return done

    def commit_for(self, decision, waiter):
        self.pending.append((decision, waiter))
        if self._call_later is not None:
            self._call_later(0, self.commit_one)

    def read(self, query, *arguments):
        if not self.available:
            return fail(StoreUnavailable("the fake is away"))
        if self.reads_wait:
            done = Deferred()
            self.waiting_reads.append(lambda: done.callback(self._query(query, arguments)))
            return done
        return succeed(self._query(query, arguments))

    def tag_facts(self, tag, now, running_here=()):
        return self.read(tag_facts, tag, now, running_here)

    def _query(self, query, arguments):
        known = getattr(self, f"_{query.__name__}", None)
        if known is not None:
            return known(*arguments)
        with self.database.connect() as connection:
            return query(connection, *arguments)

    def write(self, job):
        if not self.available:
            return fail(StoreUnavailable("the fake is away"))
        with self.database.begin() as connection:
            return succeed(job(connection))

    def decide(self, client_id, registration, rule):
        decision = rule(self._charge_point_state(client_id, registration))
        return self.commit(decision).addCallback(lambda _: decision.answer)

    def _signing_request(self, client_id):
        found = self._signing_requests().get(client_id)
        return found if found is not None and not found.is_settled else None

    def _unanswered_requests(self, _gateway_id):
        return [
            (client_id, found)
            for client_id, found in self._signing_requests().items()
            if not (found.is_answered or found.is_settled)
        ]

    def _chains_to_send(self, _gateway_id):
        return [
            (client_id, found)
            for client_id, found in self._signing_requests().items()
            if found.chain is not None and not found.is_settled
        ]

    def _signing_requests(self):
        return {
            change.client_id: msgspec.json.decode(change.value, type=SigningRequest)
            for decision in self.committed
            for change in decision.changes
            if isinstance(change, Fact) and change.kind == REQUEST
        }

    @cached_property
    def database(self):
        """A database in memory, for what is asked for by SQL; decisions are not in it."""
        return in_memory()

    def read_one(self):
        """Answer the read that waits longest."""
        self.waiting_reads.popleft()()

    def new_transaction_id(self):
        return next(self._transaction_ids)

    # What the test does as the writer's thread.

    def commit_one(self, error=None):
        """Fire the commit that waits longest."""
        decision, done = self.pending.popleft()
        if error is None and not self.available:
            error = StoreUnavailable("the fake is away")
        if error is not None:
            done.callback(Failure(error))
            return decision
        self.committed.append(decision)
        state = decision.state
        client_id = state.charge_point.client_id
        is_known = not (state.is_new and self._is_new(client_id))
        is_known |= any(isinstance(change, ChargePoint | Provisioned) for change in decision.changes)
        self.states[client_id] = replace(state, is_new=not is_known)
        for change in decision.changes:
            if isinstance(change, Transaction):
                self.transactions[change.transaction_id] = change
            elif isinstance(change, EventProgress):
                self.transactions[change.transaction_id] = replace(
                    self.transactions[change.transaction_id],
                    meter=change.meter,
                    signed=change.signed,
                    trail=change.trail,
                )
            elif isinstance(change, Reading):
                self.readings.add((change.client_id, change.connector_id, change.taken_at, change.samples))
            elif isinstance(change, PasswordHash):
                self.put_password(change)
        done.callback(None)
        return decision

    def commit_all(self):
        """Fire commits until none waits."""
        while self.pending:
            self.commit_one()

    def events(self, client_id=None):
        """Return the types of the events that were committed."""
        return [
            event.event_type
            for decision in self.committed
            for event in decision.events
            if client_id is None or event.client_id == client_id
        ]

    # The queries of `csms.store.queries`.

    def _charge_point_state(self, client_id, registration):
        known = self.states.get(client_id)
        if known is None:
            return state_of(client_id, registration=registration, is_new=True)
        registered = known.charge_point.registered
        return replace(known, registered=registered, refused_starts=(), has_expired_certificate=False)

    def _arrival(self, client_id, registration):
        return self._credentials(client_id), self._charge_point_state(client_id, registration)

    def _certificate_names(self, client_id):
        points = [state.charge_point for state in self.states.values()]
        own = {client_id, *(point.certificate_name for point in points if point.client_id == client_id)} - {None}
        return frozenset(own) - {point.certificate_name for point in points if point.client_id != client_id}

    def _who_is_named(self, certificate_name):
        points = [state.charge_point for state in self.states.values() if not state.is_new]
        return frozenset(
            point.client_id for point in points if certificate_name in {point.client_id, point.certificate_name}
        )

    def _credentials(self, client_id):
        names = self._certificate_names(client_id)
        if self._is_new(client_id):
            return Credentials(certificate_names=names)
        kept = Credentials()
        if client_id in self._secured:
            with self.database.connect() as connection:
                kept = queries.credentials(connection, client_id)
        point = self.states[client_id].charge_point
        return replace(
            kept,
            is_known=True,
            allow_no_subprotocol=point.allow_no_subprotocol,
            security_profile=point.security_profile or 0,
            certificate_names=names,
            accept_expired_certificate=point.accept_expired_certificate,
        )

    def put_password(self, change):
        """Keep the operator's word about a password where `csms.store.passwords` finds it."""
        self._secured.add(change.client_id)
        with self.database.begin() as connection:
            row = asdict(change)
            connection.execute(upsert(tables.charge_points, "sqlite", row), row)

    def _is_new(self, client_id):
        state = self.states.get(client_id)
        return state is None or state.is_new

    def _tag_facts(self, tag, now, running_here=()):
        found = self.tags.get(fold(tag))
        if found is None:
            return TagFacts()
        parent = self.tags.get(fold(found.parent_id_tag)) if found.parent_id_tag is not None else None
        sessions = tuple(
            TagSession(item.client_id, item.transaction_id, item.start_time, item.stop_time, item.energy_wh or 0)
            for item in self.transactions.values()
            if fold(item.id_tag) == fold(tag)
        )
        running = tuple((other, getattr(self.tags.get(fold(other)), "parent_id_tag", None)) for other in running_here)
        return TagFacts(tag=found, parent=parent, sessions=sessions, running_here=running)

    def _transaction(self, client_id, transaction_id):
        found = self.transactions.get(transaction_id)
        return found if found is not None and found.client_id == client_id else None

    def _earlier_start(self, client_id, request):
        mine = (found for found in self.transactions.values() if found.client_id == client_id)
        return next((found for found in mine if request.repeats(found)), None)

    def _readings_context(self, client_id, transaction_id, times):
        return self._transaction(client_id, transaction_id), frozenset()

    def _known_readings(self, client_id, times):
        return frozenset(known[1:] for known in self.readings if known[0] == client_id and known[2] in times)

    def _station_transaction(self, client_id, station_transaction_id, times):
        key = client_id, station_transaction_id
        mine = [item for item in self.transactions.values() if (item.client_id, item.station_transaction_id) == key]
        return (mine[-1] if mine else None), self._known_readings(client_id, times)

    def _transaction_of_any(self, transaction_id):
        return self.transactions.get(transaction_id)

    def _reservations_over(self, gateway_id, now):
        return [
            client_id
            for client_id, state in self.states.items()
            if any(reservation.expiry_date <= now for reservation in state.reservations.values())
        ]

    def _held_by(self, gateway_id):
        points = [state.charge_point for state in self.states.values()]
        return [
            point.client_id for point in points if point.gateway_id == gateway_id and point.connected_since is not None
        ]


class Outage:
    """A store that can be away."""

    def __init__(self, store):
        self._store = store
        self.away = False

    def write(self, job):
        return self._unless_away(self._store.write, job)

    def read(self, query, *arguments):
        return self._unless_away(self._store.read, query, *arguments)

    def browse(self, query, *arguments):
        return self._unless_away(self._store.browse, query, *arguments)

    def _unless_away(self, function, *arguments):
        return fail(StoreUnavailable("away")) if self.away else function(*arguments)


class FakeAuthority:
    """The external authority: says at once what the test has told it or, where it knows nothing, when `say` is called."""

    def __init__(self, **told):
        self.told = told
        self.asked = []
        self._waiting = deque()

    def ask(self, id_tag, client_id):
        self.asked.append((id_tag, client_id))
        if id_tag in self.told:
            return self.told[id_tag]
        self._waiting.append(Deferred())
        return self._waiting[-1]

    def say(self, info):
        """Answer the question that waits longest."""
        self._waiting.popleft().callback(info)


class FakeContracts:
    """The verifier of contract certificates: says what the test has told it, when it is asked or when `say` is called."""

    def __init__(self, status="Accepted", *, waits=False):
        self.status = status
        self.asked = []
        self._waits = waits
        self._waiting = deque()

    def check(self, contract, now):
        self.asked.append((contract, now))
        if not self._waits:
            return succeed(self.status)
        self._waiting.append(Deferred())
        return self._waiting[-1]

    def say(self, status):
        """Answer the question that waits longest."""
        self._waiting.popleft().callback(status)


KNOWN_QUERIES = [
    queries.charge_point_state,
    queries.arrival,
    queries.credentials,
    tag_facts,
    queries.transaction,
    queries.earlier_start,
    queries.readings_context,
    queries.known_readings,
    queries.station_transaction,
    queries.held_by,
    queries.transaction_of_any,
    queries.reservations_over,
]
"""What `FakeLedger` can be asked; a test compares the signatures."""


class FakeTransport:
    """A session's socket: what was sent, and what it was told."""

    def __init__(self, alive=True):
        self.sent = []
        self.closed_with = None
        self.holds = set()
        self.asked = []
        self._alive = alive

    def send_text(self, text):
        self.sent.append(text)

    def close(self, code, reason):
        if self.closed_with is None:
            self.closed_with = (code, reason)

    def is_alive(self):
        if self._alive is None:
            self.asked.append(Deferred())
            return self.asked[-1]
        return succeed(self._alive)

    def hold(self, reason):
        self.holds.add(reason)

    def unhold(self, reason):
        self.holds.discard(reason)


class WallClock:
    """Wall-clock time that the test moves."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += timedelta(seconds=seconds)


class EventIds:
    """Event ids that can be told from each other."""

    def __init__(self):
        self._numbers = count(1)

    def __call__(self, event_type, now):
        return f"{event_type}_{next(self._numbers)}"


def state_of(client_id="CP1", *, registration="Accepted", is_new=False, booted=False, **members):
    """Return the state of a charge point that did nothing yet."""
    if booted:
        members = {"booted_at": NOW, "booted_as": registration, **members}
    point = ChargePoint(client_id=client_id, registration=registration, **members)
    return ChargePointState(
        charge_point=point,
        registered=point.registered,
        is_new=is_new,
        sequence=0,
        readings_known_since=datetime(1970, 1, 1, tzinfo=UTC),
    )


def password_of(client_id, stored, new=None):
    """Return the operator's word about a charge point's password."""
    return PasswordHash(
        client_id=client_id,
        registration="Accepted",
        allow_no_subprotocol=False,
        password_hash=stored,
        new_password_hashes=new,
    )


def dispatcher_of(ledger, policy=None, authority=None):
    """Return the dispatcher of OCPP 1.6 over a ledger."""
    return Dispatcher.of(V16, [Core(ledger, policy or Policy(), authority), Firmware(), Security()])


def shared_of(ledger, clock=None, **members):
    """Return what sessions share."""
    chosen = {
        "clock": clock if clock is not None else Clock(),
        "now": WallClock(),
        "new_event_id": EventIds(),
        "gateway_id": GATEWAY,
        "ledger": ledger,
        "dispatchers": {V16: dispatcher_of(ledger)},
        "counters": Counters(),
    }
    return Shared(**{**chosen, **members})


class LogCapture:
    """What was logged while a test ran."""

    def __init__(self):
        self.events = []

    def __call__(self, event):
        if event.get("log_namespace", "").startswith(("csms", "autobahn")):
            self.events.append(event)

    def about(self, client_id, level=LogLevel.info):
        """Return the lines about a charge point, at least as grave as `level`."""
        return [
            formatEvent(event)
            for event in self.events
            if event.get("client_id") == client_id and event["log_level"] >= level
        ]

    @property
    def failures(self):
        """The events that hold a traceback."""
        return [event for event in self.events if event.get("log_failure") is not None]


@pytest.fixture
def logged():
    """Capture the log of a test."""
    capture = LogCapture()
    globalLogPublisher.addObserver(capture)
    yield capture
    globalLogPublisher.removeObserver(capture)


def signature_of(function):
    """Return the parameters of a function or method without self, for comparing a fake with what it stands in for."""
    parameters = list(inspect.signature(function).parameters.values())
    return [(item.name, item.kind) for item in parameters if item.name not in {"self", "connection"}]
