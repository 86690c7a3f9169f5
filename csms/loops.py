"""Jobs that are done every so many seconds, whatever becomes of one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

_log = Logger()


@define(eq=False)
class Loops:
    """Periodic jobs. A LoopingCall that raises never runs again: here a fault is logged, and the next turn comes."""

    _clock: IReactorTime
    _running: list[LoopingCall] = field(factory=list)

    def __bool__(self) -> bool:
        return bool(self._running)

    def every(self, seconds: float, job: Callable[[], Any]) -> None:
        """Do a job every so many seconds, and not again before its Deferred has fired, if it returns one."""

        def guarded() -> Any:
            try:
                done = job()
            except Exception:  # noqa: BLE001
                _log.failure("a periodic job failed")
                return None
            if isinstance(done, Deferred):
                done.addErrback(lambda failure: _log.failure("a periodic job failed", failure))
            return done

        loop = LoopingCall(guarded)
        loop.clock = self._clock
        loop.start(seconds, now=False)
        self._running.append(loop)

    def stop(self) -> None:
        """Do none of them any more."""
        running, self._running = self._running, []
        for loop in running:
            loop.stop()
