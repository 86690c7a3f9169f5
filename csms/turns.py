"""Work that is done for many messages together, at the end of the turn of the reactor in which they came.

A message takes the processor through megabytes of code and data, so that each step that is taken for one message alone finds
its caches cold, and takes several times as long as it could. Taken for some hundred messages in a row, it is only the first
that pays. So what comes in a turn is gathered, and goes through the stages together.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

Item = TypeVar("Item")
_MOST = 256
"""So many are not kept any longer: enough to share the cost, few enough that they are near at hand."""


class Stage(IntEnum):
    """In which order a turn ends."""

    RECEIVED = 0
    """Messages of charge points are handled."""
    DECIDED = 1
    """Decisions go to the ledger's writer."""
    TOLD = 2
    """Protocol events go to the stream and to the raw log."""


class Turn:
    """One turn of a reactor after the other; for the reactor's thread alone."""

    __slots__ = ("_batches", "_is_due", "_reactor")

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._batches: list[Batch[object]] = []
        self._is_due = False

    def batch(self, stage: Stage, take: Callable[[list[Item]], object]) -> Batch[Item]:
        """Return a new batch, whose items are handed over to ``take`` at a stage of the turn's end."""
        batch = Batch(self, stage, take)
        self._batches.append(batch)  # type: ignore[arg-type]
        self._batches.sort(key=lambda each: each.stage)
        return batch

    def will_end(self) -> None:
        """Something was added to a batch that was empty."""
        if not self._is_due:
            self._is_due = True
            self._reactor.callLater(0, self._end)

    def _end(self) -> None:
        try:
            for batch in self._batches:
                batch.flush()
        finally:
            # What was added to a stage that was over has the next turn.
            self._is_due = False
            if any(batch.items for batch in self._batches):
                self.will_end()


class Batch(Generic[Item]):
    """Takes things one by one and hands them over together, in order."""

    __slots__ = ("_take", "_turn", "items", "stage")

    def __init__(self, turn: Turn, stage: Stage, take: Callable[[list[Item]], object]) -> None:
        self.stage = stage
        self.items: list[Item] = []
        self._turn = turn
        self._take = take

    def add(self, item: Item) -> None:
        """Keep something until the turn ends, or there are too many."""
        items = self.items
        if not items:
            self._turn.will_end()
        items.append(item)
        if len(items) >= _MOST:
            self.flush()

    def flush(self) -> None:
        """Hand over what is there now."""
        items = self.items
        if items:
            self.items = []
            self._take(items)
