"""Waiting for something to happen, or for time to pass, on the injected clock."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Signal:
    """Something that happens again and again; whoever waits when it happens goes on."""

    __slots__ = ("_reactor", "_waiters")

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._waiters: dict[Deferred[bool], IDelayedCall | None] = {}

    def fire(self) -> None:
        """Let everybody who waits now go on."""
        for waiter in list(self._waiters):
            self._release(waiter, happened=True)

    def wait(self, timeout_s: float | None = None) -> Deferred[bool]:
        """Fire with True when it happens, with False when ``timeout_s`` passed before."""
        waiter: Deferred[bool] = Deferred(self._forget)
        timer: IDelayedCall | None = None
        if timeout_s is not None:
            timer = self._reactor.callLater(max(0.0, timeout_s), self._release, waiter, happened=False)
        self._waiters[waiter] = timer
        return waiter

    def _release(self, waiter: Deferred[bool], *, happened: bool) -> None:
        if waiter in self._waiters:
            self._forget(waiter)
            waiter.callback(happened)

    def _forget(self, waiter: Deferred[bool]) -> None:
        timer = self._waiters.pop(waiter, None)
        if timer is not None and timer.active():
            timer.cancel()


def sleep(reactor: IReactorTime, seconds: float) -> Deferred[bool]:
    """Fire after ``seconds``; can be cancelled."""
    return Signal(reactor).wait(seconds)
