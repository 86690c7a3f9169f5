"""Work that is done for many things together, at the end of the turn of the reactor in which they came.

A message takes the processor through many megabytes of code and data, so that whatever is done once for each message is done
with cold caches, at several times its cost. Done for some hundred messages in a row, it is only the first that pays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

Item = TypeVar("Item")
MOST = 256
"""So many are not kept any longer: enough to share the cost, few enough that they are near at hand."""


class Batch(Generic[Item]):
    """Takes things one by one and hands them over together, in order; for the reactor's thread alone."""

    __slots__ = ("_items", "_reactor", "_take")

    def __init__(self, reactor: IReactorTime, take: Callable[[list[Item]], object]) -> None:
        self._reactor = reactor
        self._take = take
        self._items: list[Item] = []

    def add(self, item: Item) -> None:
        """Keep something until this turn ends, or there are `MOST`."""
        items = self._items
        if not items:
            self._reactor.callLater(0, self.flush)
        items.append(item)
        if len(items) >= MOST:
            self.flush()

    def flush(self) -> None:
        """Hand over what is there now."""
        items = self._items
        if items:
            self._items = []
            self._take(items)
