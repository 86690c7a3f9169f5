"""The youngest part of the event log in memory: a consumer that keeps up need not ask the database for what was just written."""

from __future__ import annotations

from collections.abc import Sequence

from csms.store.event_log import LoggedEvent

_MOST_EVENTS = 384
"""Several commits of a busy daemon."""


class Tail:
    """Events in the order of their positions, without gaps. Written by the writer's thread, read by consumers'.

    The list is never changed, only another put in its place: nobody waits for anybody.
    """

    def __init__(self) -> None:
        self._events: list[LoggedEvent] = []

    def extend(self, events: Sequence[LoggedEvent]) -> None:
        """Add what was committed. Where another daemon wrote in between, the tail begins anew."""
        recent = self._events
        if recent and events[0].position != recent[-1].position + 1:
            recent = []
        self._events = [*recent, *events][-_MOST_EVENTS:]

    @property
    def latest(self) -> int:
        """The position of the latest event, 0 before the first."""
        events = self._events
        return events[-1].position if events else 0

    def after(self, position: int, limit: int) -> list[LoggedEvent]:
        """Return the events after a position, none where the tail does not reach back so far."""
        events = self._events
        if not events or position + 1 < events[0].position:
            return []
        skipped = position + 1 - events[0].position
        return events[skipped : skipped + limit]
