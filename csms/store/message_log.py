"""The way into the raw log: a bounded queue that never delays a charge point, written a few messages at a time.

`offer` is all that a message costs the reactor. Every few seconds a reader's thread packs what has gathered, charge point by
charge point, and the writer commits that with whatever else waits, in pieces so small that no decision waits for one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from attrs import define, field
from sqlalchemy import Connection
from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.logger import Logger

from csms.events.protocol import ProtocolEvent
from csms.metrics import Counters
from csms.store import retention
from csms.store.deviations import DeviationTable, Sighting, sightings_of
from csms.store.errors import StoreUnavailable
from csms.store.messages import Segment, segments_of
from csms.store.rows import Bulk
from csms.store.store import Store
from csms.store.tables import messages
from csms.store.upsert import addition

FLUSH_S = 2.0
_MAX_QUEUED = 20_000
_MAX_QUEUED_BYTES = 16 * 1024 * 1024
_FLUSH_AT = 4096
"""How many messages are worth a flush before its time."""
_PIECE_MESSAGES = 512
_PIECE_CHARGE_POINTS = 64
_CHECKED_AFTER = 4
"""A charge point's bound is enforced each time that a fourth of it was written."""
_MOST_REMEMBERED = 50_000
_SECONDS_BETWEEN_COMPLAINTS = 60
_log = Logger()


@define(eq=False)
class _Piece:
    """What one job writes: the rows, and whose bound is to be enforced after that."""

    count: int = 0
    bytes: int = 0
    lost: int = 0
    segments: list[Segment] = field(factory=list)
    sightings: list[Sighting] = field(factory=list)
    grown: list[str] = field(factory=list)


@define(eq=False)
class MessageLog:
    """The queue of the raw log and of the quirks. With a bound of 0 bytes only deviations are written."""

    _store: Store
    _counters: Counters
    _monotonic: Callable[[], float]
    _bytes_per_charge_point: int
    _queue: deque[ProtocolEvent] = field(factory=deque)
    _waiting: int = 0
    """Messages offered and not yet committed, and their bytes; both are the reactor's alone."""
    _waiting_bytes: int = 0
    _lock: DeferredLock = field(factory=DeferredLock)
    _gathered: dict[str, list[ProtocolEvent]] = field(factory=dict)
    _written: dict[str, int] = field(factory=dict)
    """Bytes since the bound was enforced. This and what is gathered belong to the thread that packs, one at a time."""
    _piece: _Piece | None = None
    """What could not be committed and is tried again."""
    _deviations: DeviationTable = field(factory=DeviationTable)
    _insert: Bulk | None = None
    _dropped: int = 0
    _complained_at: float | None = None

    def offer(self, event: ProtocolEvent) -> None:
        """Take a message, or drop it where too many wait; returns at once."""
        if not self._bytes_per_charge_point and not event.deviations:
            return
        if self._waiting >= _MAX_QUEUED or self._waiting_bytes >= _MAX_QUEUED_BYTES:
            self._drop(1)
            return
        self._queue.append(event)
        self._waiting_bytes += len(event.frame)
        self._waiting += 1
        if self._waiting == _FLUSH_AT:
            self.flush()

    def _drop(self, count: int) -> None:
        self._counters.count("messages_dropped", by=count)
        self._dropped += count
        now = self._monotonic()
        if self._complained_at is None or now - self._complained_at >= _SECONDS_BETWEEN_COMPLAINTS:
            self._complained_at = now
            _log.warn("{count} messages are missing in the raw log: the ledger is away or slow", count=self._dropped)
            self._dropped = 0

    def flush(self) -> Deferred[None]:
        """Write what was offered until now. Fires when that is committed, or has to wait because the store is away."""
        if not self._waiting:
            return succeed(None)
        return self._lock.run(lambda: Deferred.fromCoroutine(self._flush()))

    async def _flush(self) -> None:
        try:
            if self._piece is not None:
                await self._commit(self._piece)
            piece = await self._store.compute(self._gather)
            while piece is not None:
                await self._commit(piece)
                piece = await self._store.compute(self._pack)
        except StoreUnavailable:
            return
        except Exception:  # noqa: BLE001 - whatever is wrong with these messages must not keep the next from the log
            _log.failure("messages could not be written to the raw log")
            if self._piece is not None:
                self._drop(self._piece.count)
                self._settle(self._piece)

    async def _commit(self, piece: _Piece) -> None:
        self._piece = piece
        await self._store.write(self._write)
        self._settle(piece)
        if piece.lost:
            self._drop(piece.lost)

    async def prune(self) -> None:
        """Enforce the bound of every charge point, also of those that say nothing any more."""
        if self._bytes_per_charge_point:
            for client_id in await self._store.read(retention.overfull_charge_points, self._bytes_per_charge_point):
                await self._store.write(partial(self._prune_one, client_id))

    def _prune_one(self, client_id: str, connection: Connection) -> None:
        retention.prune_messages_of(connection, client_id, self._bytes_per_charge_point)

    def _settle(self, piece: _Piece) -> None:
        self._piece = None
        self._waiting -= piece.count
        self._waiting_bytes -= piece.bytes

    # On a thread that packs.

    def _gather(self) -> _Piece | None:
        gathered, queue = self._gathered, self._queue
        for _ in range(len(queue)):
            event = queue.popleft()
            events = gathered.get(event.client_id)
            if events is None:
                gathered[event.client_id] = [event]
            else:
                events.append(event)
        return self._pack()

    def _pack(self) -> _Piece | None:
        piece = _Piece()
        for client_id in list(self._gathered)[:_PIECE_CHARGE_POINTS]:
            events = self._gathered.pop(client_id)
            piece.count += len(events)
            piece.bytes += sum(len(event.frame) for event in events)
            try:
                piece.sightings += sightings_of(events)
                if self._bytes_per_charge_point:
                    self._add(piece, client_id, events)
            except Exception:  # noqa: BLE001 - a message that cannot be packed must not keep others from the log
                _log.failure("{client_id}: messages could not be packed", client_id=client_id)
                piece.lost += len(events)
            if piece.count >= _PIECE_MESSAGES:
                break
        return piece if piece.count else None

    def _add(self, piece: _Piece, client_id: str, events: list[ProtocolEvent]) -> None:
        bound = self._bytes_per_charge_point
        segments = list(segments_of(client_id, events, bound // 2))
        piece.segments += segments
        written = self._written.get(client_id, 0) + sum(segment.size for segment in segments)
        if written * _CHECKED_AFTER >= bound:
            piece.grown.append(client_id)
            written = 0
        if len(self._written) >= _MOST_REMEMBERED:
            self._written.clear()
        self._written[client_id] = written

    # On the writer's thread.

    def _write(self, connection: Connection) -> None:
        piece = self._piece
        if piece is None:
            return
        if piece.segments:
            if self._insert is None:
                self._insert = Bulk(addition(messages, Segment.__struct_fields__), connection.dialect)
            self._insert.execute(connection, self._insert.rows(piece.segments))
        if piece.sightings:
            self._deviations.add(connection, piece.sightings)
        for client_id in piece.grown:
            self._prune_one(client_id, connection)
