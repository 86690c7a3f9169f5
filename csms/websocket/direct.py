"""A shorter way from a plain TCP transport of Twisted's to the kernel, for the few bytes that a message takes.

Twisted sends when the reactor has asked the kernel whether it may, which takes two calls more for each answer; a socket with
nothing buffered nearly always may (*write-through*). And Python lets go of the interpreter for each ``recv`` and ``send``:
worth it where they block, but these never do, and whenever another thread takes the interpreter meanwhile both wait for one
another, at many times the cost of the call. So both calls are made by ctypes's ``PyDLL``, which keeps the interpreter.

The transport's parts that are looked at here are not public: other transports, and a Twisted that no longer has them, are
written to in the ordinary way.
"""

from __future__ import annotations

import ctypes
import socket
from typing import Any

from twisted.internet.tcp import Server

_RECEIVE_BYTES = 64 * 1024
_libc = ctypes.PyDLL(None)
# Without argument types ctypes converts fastest; what is not an int is made here.
_recv, _send = _libc.recv, _libc.send
_recv.restype = _send.restype = ctypes.c_ssize_t
_received = ctypes.create_string_buffer(_RECEIVE_BYTES)
_received_address = ctypes.c_void_p(ctypes.addressof(_received))
_received_view = memoryview(_received).cast("B")
_size = ctypes.c_size_t
_receive_size = _size(_RECEIVE_BYTES)
_NO_SIGNAL = socket.MSG_NOSIGNAL
_NAME = "charge point"


class DirectSocket:
    """Stands in for the non-blocking socket of a transport; for the reactor's thread alone, as all share one buffer.

    A call that fails is made again by the socket itself, which knows the right exception.
    """

    __slots__ = ("_fd", "_socket")

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._fd = connection.fileno()

    def recv(self, size: int) -> bytes:
        """Return what is there; raises OSError as a socket does."""
        if size < _RECEIVE_BYTES:
            return self._socket.recv(size)
        count: int = _recv(self._fd, _received_address, _receive_size, 0)
        return bytes(_received_view[:count]) if count >= 0 else self._socket.recv(size)

    def send(self, data: bytes | memoryview) -> int:
        """Send what the kernel takes; raises OSError as a socket does."""
        if type(data) is not bytes:
            return self._socket.send(data)
        count: int = _send(self._fd, data, _size(len(data)), _NO_SIGNAL)
        return count if count >= 0 else self._socket.send(data)

    def close(self) -> None:
        """Close the socket: its descriptor may be another's at once."""
        self._fd = -1
        self._socket.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


def shorten(transport: Any) -> bool:
    """Have a transport use a `DirectSocket`, if it is a plain TCP transport; tell whether `write_through` may be used."""
    if type(transport) is not Server or not isinstance(getattr(transport, "socket", None), socket.socket):
        return False
    if not (hasattr(transport, "dataBuffer") and hasattr(transport, "_tempDataBuffer")):
        return False
    transport.socket = DirectSocket(transport.socket)  # type: ignore[assignment]
    # Twisted writes down for each what it would be called in its log; nobody asks.
    transport.logstr = transport.repstr = _NAME
    return True


def write_through(transport: Any, data: bytes) -> None:
    """Send at once where nothing is buffered; what the kernel does not take is the transport's."""
    if not (transport.dataBuffer or transport._tempDataBuffer) and transport.connected and not transport.disconnecting:  # noqa: SLF001
        try:
            sent = transport.socket.send(data)
        except OSError:
            sent = 0  # it would block, or the connection is gone: the transport finds out which
        if sent == len(data):
            return
        data = data[sent:]
    transport.write(data)
