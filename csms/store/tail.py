"""The youngest part of the event log in memory: a consumer that keeps up need not ask the database for what was just written."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from threading import Lock

from csms.store.event_log import LoggedEvent

_MOST_EVENTS = 384
"""Several commits of a busy daemon."""


class Tail:
    """Events in the order of their positions, without gaps. Written by the writer's thread, read by consumers'."""

    def __init__(self) -> None:
        self._events: deque[LoggedEvent] = deque(maxlen=_MOST_EVENTS)
        self._lock = Lock()

    def extend(self, events: Sequence[LoggedEvent]) -> None:
        """Add what was committed. Where another daemon wrote in between, the tail begins anew."""
        with self._lock:
            if self._events and events[0].position != self._events[-1].position + 1:
                self._events.clear()
            self._events.extend(events)

    @property
    def latest(self) -> int:
        """The position of the latest event, 0 before the first."""
        with self._lock:
            return self._events[-1].position if self._events else 0

    def after(self, position: int, limit: int) -> list[LoggedEvent]:
        """Return the events after a position, none where the tail does not reach back so far."""
        with self._lock:
            if not self._events or position + 1 < self._events[0].position:
                return []
            skipped = position + 1 - self._events[0].position
            return list(islice(self._events, skipped, skipped + limit))
