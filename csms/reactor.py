"""Twisted's epoll reactor with a shorter way to a socket that has something to read: the one thing that it does for each message.

Twisted asks each descriptor whether it is still one, and keeps a logging context for each call, which nobody here reads. All that
is not a plain read is left to Twisted.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger

_log = Logger()
_READ_ONLY = EPollReactor._POLL_IN  # noqa: SLF001 - the event that a read alone has
_NO_EVENTS: list[tuple[int, int]] = []


class LeanReactor(EPollReactor):
    """An epoll reactor for many connections with small messages."""

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, and handle them."""
        selectables: dict[int, Any] = self._selectables
        try:
            events = self._poller.poll(-1 if timeout is None else timeout, len(selectables))
        except InterruptedError:
            events = _NO_EVENTS
        for descriptor, event in events:
            selectable = selectables.get(descriptor)
            if selectable is None:
                continue
            if event != _READ_ONLY:
                self._doReadOrWrite(selectable, descriptor, event)  # type: ignore[no-untyped-call]
                continue
            try:
                why = selectable.doRead()
            except BaseException as error:  # noqa: BLE001 - as Twisted does: what fails loses its connection
                why = error
                _log.failure("reading failed")
            if why:
                self._disconnectSelectable(selectable, why, True)  # type: ignore[no-untyped-call]

    doIteration = doPoll


def install() -> None:
    """Make it the reactor, where none is as yet: one that was asked for by ``twistd --reactor`` stays."""
    if "twisted.internet.reactor" not in sys.modules:
        installReactor(LeanReactor())  # type: ignore[no-untyped-call]
