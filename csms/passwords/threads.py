"""Threads for what takes a processor for a while: few of them, and a bounded queue before them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

Result = TypeVar("Result")
_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 4 * 1024 * 1024


class Busy(Exception):
    """Too much waits already: try again in a moment."""


class Workers(Protocol):
    """Where slow functions run."""

    def run(self, function: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Have a function run; fails with `Busy` where too many wait."""


@define(eq=False)
class Threads:
    """The port `Workers` on threads, which are started for the first job."""

    _reactor: IReactorFromThreads
    _count: int
    _most: int
    """How many jobs may run and wait."""
    _pool: ThreadPool | None = None
    _jobs: int = 0
    _closed: bool = field(default=False)

    def run(self, function: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        if self._closed or self._jobs >= self._most:
            return fail(Busy("too many passwords wait to be looked at"))
        if self._pool is None:
            _give_back_large_blocks()
            self._pool = ThreadPool(0, self._count, "password")
            self._pool.start()
        self._jobs += 1
        return deferToThreadPool(self._reactor, self._pool, function, *arguments).addBoth(self._done)

    def _done(self, result: Any) -> Any:
        self._jobs -= 1
        return result

    def stop(self) -> None:
        """End the threads when they have done what waits; blocks until then."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.stop()


def _give_back_large_blocks() -> None:
    """Have the C library, where that is glibc, give back what a hash has taken as soon as it is done.

    Left to itself it learns from the first of them to keep so much: each thread would hold it for ever.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
