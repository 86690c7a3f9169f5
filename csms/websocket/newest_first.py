"""Whose turn it is where more come than can be let in: who has come last, of those who are still there.

The kernel gives out connections in the order in which they came. Where that takes longer than charge points have patience,
each of them is gone, or is about to go, when it is his turn: all the work (a TLS handshake above all) is done for those who
leave, and nobody comes in. Who came last has most of his patience left, however little that is.
"""

from __future__ import annotations

import errno
import resource
import select
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define, field

MOST = 8192
"""So many may have been taken from the kernel and wait, a fleet and those of it who have come again since, but no more than a
quarter of the descriptors that the process may have; then who has waited longest is hung up on."""
GONE, TOO_MANY = "408", "503"
_HUNG_UP = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


def _most_of(descriptors: int) -> int:
    return MOST if descriptors == resource.RLIM_INFINITY else min(MOST, descriptors // 4)


@define(eq=False)
class NewestFirst:
    """Stands in for the socket of a listening port; ``on_refused`` is told a status for each who does not get a turn."""

    _listening: socket.socket
    _on_refused: Callable[[str], object] = lambda _status: None
    _most: int = field(factory=lambda: _most_of(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))
    _held: deque[tuple[socket.socket, Any]] = field(init=False, factory=deque)

    @property
    def waits(self) -> bool:
        """Whether somebody waits who was taken from the kernel: it will not tell of him again."""
        return bool(self._held)

    def accept(self) -> tuple[socket.socket, Any]:
        """Return the connection and the address of who has come last.

        :raises OSError: nobody waits, or the kernel gives out no connection; as `socket.socket.accept` does.
        """
        reason = self._fetch()
        while self._held:
            connection, address = self._held.pop()
            if is_there(connection):
                return connection, address
            self._refuse(connection, GONE)
        try:
            raise reason
        finally:
            del reason  # or error and frame keep each other, one pair for each round

    def _fetch(self) -> OSError:
        """Take who waits in the kernel; return why no more were taken."""
        for _ in range(self._most):
            try:
                self._held.append(self._listening.accept())
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._hang_up_on(len(self._held) // 2)
                return error
            self._hang_up_on(len(self._held) - self._most)
        return BlockingIOError(errno.EWOULDBLOCK, "others may wait, but so many were taken already")

    def _hang_up_on(self, count: int) -> None:
        for _ in range(count):
            connection, _address = self._held.popleft()
            self._refuse(connection, TOO_MANY if is_there(connection) else GONE)

    def _refuse(self, connection: socket.socket, status: str) -> None:
        connection.close()
        self._on_refused(status)

    def close(self) -> None:
        """Close the port, and hang up on those who wait."""
        self._listening.close()
        while self._held:
            self._held.pop()[0].close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._listening, name)


def is_there(connection: socket.socket) -> bool:
    """Tell whether the peer of a connection has not hung up, whatever he has sent before."""
    poll = select.poll()
    poll.register(connection, _HUNG_UP)
    return not poll.poll(0)
