"""The group-commit writer: one thread, one connection, one commit for everything that waits.

While one group is being committed the next one gathers, so a group grows with the load and an idle ledger commits at once.
There are no savepoints: a group that fails is rolled back and replayed one job at a time, so that only the guilty one fails.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from threading import Event
from typing import Any, Protocol

from msgspec import Struct
from sqlalchemy import Connection, Engine, bindparam, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from csms.ledger.decision import Decision
from csms.store import tables
from csms.store.driver import Compiled
from csms.store.errors import StoreBroken, StoreUnavailable
from csms.store.event_log import LoggedEvent
from csms.store.id_tags import CHANGED
from csms.store.room import make_room, try_large_write
from csms.store.rows import Prepared, Statements
from csms.turns import Stage, Turn

_MAX_GROUP = 256
_PROBE_S = 1.0
_IDLE_PROBE_S = 10.0
"""How often an idle ledger is asked whether it can still be written, so that /ready tells the truth."""
_REST_S_PER_JOB = 0.0003
_LONGEST_REST_S = 0.025
"""After a commit that took more than one job the writer rests, the longer the more it took: under load a commit takes more
with it, and an idle ledger commits at once. Many small commits cost more than their writes: each writes the pages that it
shares with others anew, and makes all threads wait for one another."""
_BROKEN = ("disk I/O error", "malformed")
"""What SQLite says when it must not be trusted any more."""
_log = Logger()


class Ruling(Struct, frozen=True):
    """A decision that is made of what stands in the database when it is committed."""

    decide: Callable[[Connection], Decision[Any]]


Job = Decision[Any] | Ruling | Callable[[Connection], Any]


class Waiter(Protocol):
    """Whoever waits for a commit: a Deferred, or something smaller."""

    def callback(self, result: Any) -> None:
        """It is done: with a result, or with a Failure. Called on the reactor's thread."""


class _Entry(Struct, eq=False, gc=False):
    job: Prepared | Ruling | Callable[[Connection], Any]
    done: Waiter
    outcome: Any = None


class GroupCommitWriter:
    """Commits decisions and other small write jobs.

    ``on_events`` is called on the writer's thread with the events of each commit, ``on_tags`` where one changed id tags;
    ``on_broken`` on the reactor's, when the database can no longer be trusted.
    """

    def __init__(
        self,
        reactor: IReactorFromThreads,
        turn: Turn,
        engine: Engine,
        *,
        on_events: Callable[[list[LoggedEvent]], None],
        on_tags: Callable[[], None],
        on_broken: Callable[[StoreBroken], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._engine = engine
        self._on_events = on_events
        self._on_tags = on_tags
        self._on_broken = on_broken
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._statements = Statements(engine.dialect)
        self._decisions = turn.batch(Stage.DECIDED, self._hand_over)
        self._connection: Connection | None = None
        self._pool = ThreadPool(1, 1, "ledger-writer")
        self._take_positions = Compiled(
            update(tables.counters)
            .where(tables.counters.c.name == tables.EVENT_POSITION)
            .values(value=tables.counters.c.value + bindparam("count"))
            .returning(tables.counters.c.value),
            engine.dialect,
        )
        self._monotonic = monotonic
        self._pause = Event()
        self._rest_until = 0.0
        self.available = True
        self.commits = 0
        self.decisions = 0

    def start(self) -> None:
        """Start the thread."""
        self._pool.start()
        self._pool.callInThread(self._run)

    def seal(self) -> None:
        """Let what was submitted be the last."""
        self._decisions.flush()
        self._queue.put(None)

    def stop(self) -> None:
        """Commit what was submitted before `seal`, then end the thread; blocks until it has ended."""
        self._pool.stop()

    def submit(self, job: Job) -> Deferred[Any]:
        """Have a decision, or what a function does with the connection, committed.

        The Deferred fires on the reactor's thread with None or the function's result, or fails with `StoreUnavailable` or
        with what the job itself did wrong.
        """
        done: Deferred[Any] = Deferred()
        self.submit_for(job, done)
        return done

    def submit_for(self, job: Job, done: Waiter) -> None:
        """As `submit`, for somebody who waits already. Decisions of one turn of the reactor are handed over together."""
        if isinstance(job, Decision):
            self._decisions.add((job, done))
        else:
            self._decisions.flush()  # what was decided before is written before
            self._queue.put(_Entry(job, done))

    def submit_from_thread(self, job: Callable[[Connection], Any], done: Waiter) -> None:
        """As `submit_for`, from another thread than the reactor's."""
        self._queue.put(_Entry(job, done))

    def _hand_over(self, decisions: list[tuple[Decision[Any], Waiter]]) -> None:
        prepare, put = self._statements.prepare, self._queue.put
        for decision, done in decisions:
            try:
                put(_Entry(prepare(decision), done))
            except Exception:  # noqa: BLE001 - what cannot be prepared is this decision's fault alone
                done.callback(Failure())

    def _run(self) -> None:
        running = True
        while running:
            try:
                entry = self._queue.get(timeout=_IDLE_PROBE_S if self.available else _PROBE_S)
            except queue.Empty:
                self._probe()
                continue
            self._rest()
            group: list[_Entry] = []
            while True:
                if entry is None:
                    running = False
                    break
                group.append(entry)
                if len(group) >= _MAX_GROUP:
                    break
                try:
                    entry = self._queue.get_nowait()
                except queue.Empty:
                    break
            if group:
                self._commit_group(group)
                rest_s = min(_REST_S_PER_JOB * len(group), _LONGEST_REST_S) if len(group) > 1 else 0.0
                self._rest_until = self._monotonic() + rest_s
        self._disconnect()

    def _rest(self) -> None:
        left = self._rest_until - self._monotonic()
        if left > 0:
            self._pause.wait(left)

    def _commit_group(self, group: list[_Entry]) -> None:
        """Commit a group; nothing that happens in here may end the thread."""
        events: list[LoggedEvent] = []
        try:
            events = self._commit(group)
        except Exception as error:  # noqa: BLE001
            lost = unavailable(error)
            if lost is not None:
                self._lost(group, lost)
            elif len(group) == 1:
                group[0].outcome = Failure()
            else:
                _log.warn(
                    "a group of {count} failed, replaying one by one: {error}", count=len(group), error=str(error)
                )
                for entry in group:
                    self._commit_group([entry])
                return
        else:
            self.available = True
            self.commits += 1
            self.decisions += len(group)
        if events:
            self._on_events(events)
        self._reactor.callFromThread(_deliver, group)

    def _commit(self, group: list[_Entry]) -> list[LoggedEvent]:
        connection = self._connected()
        with connection.begin():
            decisions = [entry.job for entry in group if isinstance(entry.job, Prepared)]
            events = self._statements.execute(connection, decisions, self._first_position)
            for entry in group:
                if isinstance(entry.job, Ruling):
                    self._first_position(0)  # its lock: of several daemons on a database one decides at a time
                    decision = entry.job.decide(connection)
                    prepared = self._statements.prepare(decision)
                    events += self._statements.execute(connection, [prepared], self._first_position)
                    entry.outcome = decision.answer
                elif not isinstance(entry.job, Prepared):
                    entry.outcome = entry.job(connection)
        if connection.info.pop(CHANGED, False):
            self._on_tags()
        return events

    def _first_position(self, count: int) -> int:
        """Reserve positions. The row stays locked until the commit, so the order of positions is the order of commits."""
        [last] = self._take_positions.execute(self._connected(), {"count": count}).fetchone()
        return int(last) - count + 1

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except SQLAlchemyError as error:
                _log.debug("closing the connection: {error}", error=str(error))

    def _lost(self, group: list[_Entry], error: StoreUnavailable) -> None:
        if self.available:
            _log.error("the ledger cannot be written: {error}", error=str(error))
        self.available = False
        failure = Failure(error)
        for entry in group:
            entry.outcome = failure
        self._disconnect()
        if any(sign in str(error) for sign in _BROKEN):
            self._reactor.callFromThread(self._on_broken, StoreBroken(str(error)))

    def _probe(self) -> None:
        """See whether the ledger can be written."""
        try:
            connection = self._connected()
            if not self.available:
                make_room(connection)
            with connection.begin():
                self._first_position(0)
                if not self.available:
                    try_large_write(connection)
        except Exception as error:  # noqa: BLE001
            if self.available:
                _log.error("the ledger cannot be written: {error}", error=str(error))
            self.available = False
            self._disconnect()
        else:
            if not self.available:
                _log.info("the ledger can be written again")
            self.available = True


def _deliver(group: list[_Entry]) -> None:
    for entry in group:
        entry.done.callback(entry.outcome)


def unavailable(error: Exception) -> StoreUnavailable | None:
    """Tell whether it is the database that failed, not the job: whatever the database says but that the data is wrong."""
    if isinstance(error, DBAPIError) and (
        error.connection_invalidated or not isinstance(error, IntegrityError | DataError | ProgrammingError)
    ):
        return StoreUnavailable(
            str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "database error"
        )
    return StoreUnavailable(str(error)) if isinstance(error, OSError) else None
