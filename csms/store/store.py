"""The store as the live side uses it: Deferreds around a thread that writes and a few that read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any, TypeVar

from attrs import define, field
from sqlalchemy import Connection, Engine, bindparam, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from csms.ledger.authorization import TagFacts
from csms.ledger.decision import Decision
from csms.ledger.state import ChargePointState, Registration
from csms.store import queries, tables
from csms.store.database import Durability, reading_engine, writing_engine
from csms.store.errors import StoreBroken, StoreError, StoreUnavailable
from csms.store.event_log import EventLogReader, LoggedEvent
from csms.store.ownership import Lease, gateway_lease, relay_lease
from csms.store.schema import bring_up_to_date
from csms.store.tag_facts import tag_facts
from csms.store.tag_memory import STAYS_WHERE_ALONE, STAYS_WHERE_SHARED, TagMemory
from csms.store.tail import Tail
from csms.store.writer import GroupCommitWriter, Ruling, Waiter, unavailable
from csms.turns import Turn

Result = TypeVar("Result")
_READERS = 2
_BROWSERS = 2
"""Threads for operators' questions: however long they take, no charge point waits for them."""
_ID_BLOCK = 256
_MAX_TRANSACTION_ID = 2**31 - 1


@define(eq=False)
class Store:
    """The ledger's durable side.

    The ``event_listeners`` are called on the writer's thread after each commit with events; ``on_broken`` on the reactor's
    thread when the daemon has to stop because of the database.
    """

    _reactor: Any
    _url: URL
    _durability: Durability
    _gateway_id: str
    _monotonic: Callable[[], float]
    event_listeners: list[Callable[[], None]] = field(factory=list)
    on_broken: Callable[[StoreBroken], None] = field(default=lambda _error: None)
    _writer: GroupCommitWriter | None = None
    _sealed: GroupCommitWriter | None = None
    _lease: Lease | None = None
    _readers: ThreadPool = field(factory=lambda: ThreadPool(0, _READERS, "ledger-reader"))
    _browsers: ThreadPool = field(factory=lambda: ThreadPool(0, _BROWSERS, "ledger-browser"))
    tail: Tail = field(factory=Tail)
    turn: Turn = field(init=False)
    _tags: TagMemory = field(init=False)
    _ids: range = range(0)
    _write_engine: Engine = field(init=False)
    _read_engine: Engine | None = None

    def __attrs_post_init__(self) -> None:
        self.turn = Turn(self._reactor)
        self._tags = TagMemory(STAYS_WHERE_SHARED if self.is_shared else STAYS_WHERE_ALONE)

    def open(self) -> Deferred[None]:
        """Take ownership, bring the schema up to date and start the threads; fails with `StoreError`."""
        self._readers.start()
        self._browsers.start()
        try:
            self._write_engine = writing_engine(self._url, self._durability)
            self._read_engine = reading_engine(self._url, self._durability)
        except ImportError as error:
            return fail(StoreError(f"database.url: {error.name} is not installed: pip install csms[postgresql]"))
        opened = deferToThreadPool(self._reactor, self._readers, self._prepare)
        return opened.addCallback(self._start).addCallback(self._warm_up)

    def _prepare(self) -> None:
        try:
            self._lease = gateway_lease(self._url, self._write_engine, self._gateway_id)
            if not self._lease.acquire():
                raise StoreError(f"gateway.id {self._gateway_id!r} or its database is in use by another running daemon")
            bring_up_to_date(self._write_engine)
            with self._write_engine.connect() as connection, connection.begin():
                # A database that can be read but not written must stop the start, not the first charge point.
                connection.execute(update(tables.counters).values(value=tables.counters.c.value))
        except (SQLAlchemyError, OSError) as error:
            cause = getattr(error, "orig", None) or error
            where = self._url.render_as_string(hide_password=True)
            raise StoreError(f"database.url {where}: cannot be used: {_first_line(cause)}") from None

    def _start(self, _ignored: None) -> None:
        self._writer = GroupCommitWriter(
            self._reactor,
            self.turn,
            self._write_engine,
            on_events=self._log_grew,
            on_tags=self._tags.changed,
            on_broken=self.on_broken,
            monotonic=self._monotonic,
        )
        self._writer.start()

    def seal(self) -> None:
        """Take no more jobs; on the reactor's thread, whose turn may not have ended yet."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.seal()
            self._sealed = writer

    def close(self) -> None:
        """Commit what was handed over and end the threads; blocks until they have ended. May be called again."""
        self.seal()
        writer, self._sealed = self._sealed, None
        if writer is not None:
            writer.stop()
        for pool in (self._readers, self._browsers):
            if pool.started:
                pool.stop()
        if self._read_engine is not None:
            self._read_engine.dispose()
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()

    def _warm_up(self, _ignored: None) -> Deferred[None]:
        """Ask and write once for nothing: connections are made and statements compiled before the first charge point comes."""
        written = self.write(lambda _connection: None)
        return written.addCallback(lambda _: self.read(queries.charge_point_state, "", "Rejected")).addCallback(
            lambda _: None
        )

    @property
    def available(self) -> bool:
        """Whether decisions can be committed, as far as is known."""
        return self._writer is not None and self._writer.available

    @property
    def commits(self) -> int:
        """How many commits there were."""
        return self._writer.commits if self._writer is not None else 0

    @property
    def decisions(self) -> int:
        """How many jobs were committed."""
        return self._writer.decisions if self._writer is not None else 0

    @property
    def writer(self) -> GroupCommitWriter:
        """The writer, once the store is open."""
        if self._writer is None:
            raise StoreUnavailable("the store is not open")
        return self._writer

    def commit(self, decision: Decision[Any]) -> Deferred[None]:
        """Commit a decision; fails with `StoreUnavailable` where it did not happen."""
        return self.writer.submit(decision)

    def commit_for(self, decision: Decision[Any], waiter: Waiter) -> None:
        """Commit a decision, and call back with None, or with a Failure as that of `commit`."""
        self.writer.submit_for(decision, waiter)

    def decide(
        self, client_id: str, registration: Registration, rule: Callable[[ChargePointState], Decision[Result]]
    ) -> Deferred[Result]:
        """Decide on a charge point that no session holds, from what stands in the database in the same commit.

        An unknown one is made with ``registration``. Fires with the decision's answer.
        """
        return self.writer.submit(
            Ruling(lambda connection: rule(queries.state_of(connection, client_id, registration)))
        )

    def write(self, job: Callable[[Connection], Result]) -> Deferred[Result]:
        """Have a function write in the next commit, on the writer's thread."""
        return self.writer.submit(job)

    def write_from_thread(self, job: Callable[[Connection], Result]) -> Future[Result]:
        """As `write`, for a caller on another thread than the reactor's."""
        future: Future[Result] = Future()
        done: Deferred[Result] = Deferred()
        done.addCallbacks(future.set_result, lambda failure: future.set_exception(failure.value))
        self.writer.submit_from_thread(job, done)
        return future

    def read(self, query: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Have ``query(connection, *arguments)`` run on a reader's thread; fails with `StoreUnavailable`."""
        return deferToThreadPool(self._reactor, self._readers, self._query, query, arguments)

    def browse(self, query: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """As `read`, for what operators ask: on threads of its own, so that no charge point waits for it."""
        return deferToThreadPool(self._reactor, self._browsers, self._query, query, arguments)

    def tag_facts(self, tag: str, now: datetime, running_here: Sequence[str] = ()) -> TagFacts | Deferred[TagFacts]:
        """Return what is known of an id tag, at once where it was read a moment ago (see `csms.store.tag_facts`)."""
        known = self._tags.get(tag, now)
        if known is not None:
            return known
        version = self._tags.version
        return self.read(tag_facts, tag, now, running_here).addCallback(self._tags.keep, tag, version, now)

    def compute(self, function: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Have a function that needs no database run on a reader's thread."""
        return deferToThreadPool(self._reactor, self._readers, function, *arguments)

    def _query(self, query: Callable[..., Result], arguments: tuple[Any, ...]) -> Result:
        try:
            with self._readable().connect() as connection:
                return query(connection, *arguments)
        except Exception as error:
            lost = unavailable(error)
            if lost is not None:
                raise lost from error
            raise

    def _log_grew(self, events: list[LoggedEvent]) -> None:
        self.tail.extend(events)
        for listener in self.event_listeners:
            listener()

    @property
    def is_shared(self) -> bool:
        """Whether other daemons may write into the same database."""
        return self._url.get_backend_name() != "sqlite"

    def confirm_ownership(self) -> Deferred[bool]:
        """Look whether this daemon still owns its gateway id, and take it again where a lost connection gave it up."""
        return deferToThreadPool(self._reactor, self._readers, self._still_owns)

    def _still_owns(self) -> bool:
        try:
            return self._lease is None or self._lease.acquire()
        except SQLAlchemyError:
            return True  # the database is away: the writer says so

    def _readable(self) -> Engine:
        if self._read_engine is None:
            raise StoreUnavailable("the store is not open")
        return self._read_engine

    def event_log(self) -> EventLogReader:
        """Return a reader of the event log for a thread of its own."""
        return EventLogReader(self._readable(), self.tail.after)

    def relay_lease(self) -> Lease:
        """Return the lease of the one relay that this database has."""
        return relay_lease(self._url, self._write_engine)

    @property
    def write_engine(self) -> Engine:
        """The engine that writes; for what runs while no daemon does."""
        return self._write_engine

    def new_transaction_id(self) -> int | Deferred[int]:
        """Return a new transaction id: positive, 32 bits, never given before. Ids come from blocks reserved in the store."""
        if self._ids:
            first, self._ids = self._ids[0], self._ids[1:]
            return first
        return self.write(_reserve_ids).addCallback(self._take_block)

    def _take_block(self, block: range) -> int:
        if self._ids:
            # Another start asked for a block at the same time; the ids of this one are lost, not given twice.
            first, self._ids = self._ids[0], self._ids[1:]
            return first
        self._ids = block[1:]
        return block[0]


def _reserve_ids(connection: Connection) -> range:
    statement = (
        update(tables.counters)
        .where(tables.counters.c.name == tables.TRANSACTION_ID)
        .values(value=tables.counters.c.value + bindparam("count"))
        .returning(tables.counters.c.value)
    )
    last: int = connection.execute(statement, {"count": _ID_BLOCK}).scalar_one()
    if last > _MAX_TRANSACTION_ID:
        raise StoreError("all 32-bit transaction ids are used up")
    return range(last - _ID_BLOCK + 1, last + 1)


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or ["unknown error"])[0]
