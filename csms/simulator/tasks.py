"""Coroutines that run beside each other and are ended together."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure


class Tasks:
    """A set of running coroutines; ``fault`` is told when one ends with an error of its own."""

    def __init__(self, fault: Callable[[Failure], None]) -> None:
        self._fault = fault
        self._running: set[Deferred[None]] = set()

    def add(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine."""
        task: Deferred[None] = Deferred.fromCoroutine(coroutine)
        self._running.add(task)
        task.addBoth(self._ended, task)

    def _ended(self, result: Failure | None, task: Deferred[None]) -> None:
        self._running.discard(task)
        if isinstance(result, Failure) and not isinstance(result.value, CancelledError):
            self._fault(result)

    def cancel(self) -> None:
        """End them all."""
        for task in list(self._running):
            task.cancel()
