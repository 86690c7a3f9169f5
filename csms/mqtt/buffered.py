"""A non-blocking socket with a buffer each way, for a client that reads a byte and writes a message at a time."""

from __future__ import annotations

import select
import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

_READ_BYTES = 64 * 1024
_MUCH_BYTES = 4096
_MAX_UNSENT_BYTES = 256 * 1024


class BufferedSocket:
    """Stands in for a connected socket. What is sent is kept until `flush`; what is received is read ahead."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._received = b""
        self._read_at = 0
        self.unsent = bytearray()

    def recv(self, size: int) -> bytes:
        """Return up to `size` bytes; raises BlockingIOError where there are none."""
        if self._read_at >= len(self._received):
            try:
                self._received = self._connection.recv(_READ_BYTES)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise BlockingIOError from None
            self._read_at = 0
        start = self._read_at
        self._read_at = start + size
        return self._received[start : start + size]

    def read_ahead(self) -> tuple[bytes, int]:
        """Return what was received and where in it the next `recv` begins; see `skip_to`.

        The kernel is asked once, unless there is much already: what comes faster than it is handled stays there.
        """
        if len(self._received) - self._read_at >= _MUCH_BYTES:
            return self._received, self._read_at
        if self._read_at >= len(self._received):
            self._received, self._read_at = b"", 0
        # A connection that is gone says so again, to `recv`.
        with suppress(OSError):
            more = self._connection.recv(_READ_BYTES)
            if more:
                self._received = self._received[self._read_at :] + more
                self._read_at = 0
        return self._received, self._read_at

    def skip_to(self, place: int) -> None:
        """Have the next `recv` begin at a place in what `read_ahead` returned."""
        self._read_at = place

    def pending(self) -> int:
        """Return how many bytes can be read without asking the kernel."""
        ahead = max(0, len(self._received) - self._read_at)
        decrypted = getattr(self._connection, "pending", None)
        return ahead + (decrypted() if decrypted is not None else 0)

    def send(self, data: bytes | bytearray) -> int:
        """Keep data for `flush`; raises BlockingIOError where too much is kept already."""
        if len(self.unsent) >= _MAX_UNSENT_BYTES:
            raise BlockingIOError
        self.unsent += data
        return len(data)

    def put(self, packet: bytes) -> None:
        """Keep a whole packet for `flush`; the caller minds how much is kept already."""
        self.unsent += packet

    def flush(self) -> None:
        """Write what is kept, as far as the kernel takes it; raises OSError where the connection is gone."""
        while self.unsent:
            try:
                sent = self._connection.send(self.unsent)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            del self.unsent[:sent]

    def fileno(self) -> int:
        """Return the file descriptor, for select."""
        number: int = self._connection.fileno()
        return number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def wait_for(reading: Sequence[Any], writing: Sequence[Any], timeout_s: float) -> set[int]:
    """Wait until a socket can be read or written, and return the descriptors of those that can be read.

    By poll: select takes no descriptor above 1023, and a daemon with many charge points has no lower one to give.
    """
    poll = select.poll()
    for connection in reading:
        poll.register(connection, select.POLLIN | (select.POLLOUT if connection in writing else 0))
    return {number for number, happened in poll.poll(timeout_s * 1000) if happened & ~select.POLLOUT}
