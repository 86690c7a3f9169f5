"""The event log for those who read it at their own pace: a slice after a position, or the word that the log begins later."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import Connection, func, select

from csms.store.event_log import LoggedEvent, latest_position
from csms.store.snapshot import snapshot
from csms.store.tables import event_log

_SPAN = 20_000
"""How many positions one query looks through at most, where only few events are wanted."""
_MOST_BYTES = 256 * 1024


class Wanted(Struct, frozen=True):
    """Which events of the log are wanted; None is all."""

    event_types: frozenset[str] | None = None
    client_id: str | None = None

    def fits(self, event: LoggedEvent) -> bool:
        """Tell whether an event is wanted."""
        return (self.event_types is None or event.event_type in self.event_types) and (
            self.client_id is None or event.client_id == self.client_id
        )


class Slice(Struct, frozen=True):
    """Wanted events in order. ``position`` is how far was looked, ``latest`` where the log ends now."""

    events: Sequence[LoggedEvent]
    position: int
    latest: int


class OutOfReach(Exception):
    """The log has nothing to go on with after a position: it begins later, or ends earlier."""

    def __init__(self, oldest: int, latest: int) -> None:
        super().__init__(f"the log goes on after positions {oldest} to {latest}")
        self.oldest = oldest
        self.latest = latest


def log_slice(connection: Connection, after: int | None, limit: int, wanted: Wanted) -> Slice:
    """Return a slice of the log after a position, None is where it begins; at most a few hundred kilobytes of it.

    :raises OutOfReach: events after the position are gone, or the position was never given.
    """
    with snapshot(connection):
        latest = latest_position(connection)
        first = connection.execute(select(func.min(event_log.c.position))).scalar_one()
        # Positions have no gaps: what is before the first was there once.
        oldest = first - 1 if first is not None else latest
        if after is None:
            after = oldest
        if not oldest <= after <= latest:
            raise OutOfReach(oldest, latest)
        reach = min(after + _SPAN, latest)
        query = (
            select(event_log)
            .where(event_log.c.position > after, event_log.c.position <= reach)
            .order_by(event_log.c.position)
            .limit(limit)
        )
        if wanted.event_types is not None:
            query = query.where(event_log.c.event_type.in_(wanted.event_types))
        if wanted.client_id is not None:
            query = query.where(event_log.c.client_id == wanted.client_id)
        events: list[LoggedEvent] = []
        size = 0
        for row in connection.execute(query):
            events.append(LoggedEvent(*row))
            size += len(events[-1].body)
            if size > _MOST_BYTES:
                break
    full = len(events) == limit or size > _MOST_BYTES
    return Slice(events, events[-1].position if full else reach, latest)
