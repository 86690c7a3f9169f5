"""A WebSocket client connection without any library, as small and as fast as the load generator needs it."""

import base64
import os
import select
import socket
import ssl
from urllib.parse import SplitResult


class Connection:
    """One open connection: whole frames in, bytes out. `charger`, `message_id` and `due` belong to the generator."""

    __slots__ = ("_rest", "charger", "due", "fd", "message_id", "sock")

    def __init__(self, sock: socket.socket, rest: bytes) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.charger = None
        self.message_id = b""
        self.due = 0.0
        self._rest = rest

    def send(self, data: bytes) -> None:
        """Send all of it; a server that does not read for five seconds is an error."""
        try:
            sent = self.sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            sent = 0
        except OSError:
            return  # closed: the next receive tells
        for _ in range(1000):
            if sent >= len(data):
                return
            if not select.select([], [self.fd], [], 5)[1]:
                break
            try:
                sent += self.sock.send(data[sent:])
            except (BlockingIOError, ssl.SSLWantWriteError):
                continue
            except OSError:
                return
        raise SystemExit("the server has stopped reading")

    def receive(self) -> list[tuple[int, bytes]] | None:
        """Return (opcode, payload) of the frames that are whole, None when the connection has ended."""
        try:
            data = self.sock.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError):
            return []
        except OSError:
            return None
        if not data:
            return None
        if type(self.sock) is ssl.SSLSocket:
            while self.sock.pending():
                data += self.sock.recv(65536)
        if self._rest:
            data = self._rest + data
        frames = []
        while (size := len(data)) >= 2:
            n = data[1] & 127
            at = 2
            if n == 126:
                n = int.from_bytes(data[2:4], "big") if size >= 4 else size
                at = 4
            elif n == 127:
                n = int.from_bytes(data[2:10], "big") if size >= 10 else size
                at = 10
            if size < at + n:
                break
            frames.append((data[0] & 15, data[at : at + n]))
            data = data[at + n :]
        self._rest = data
        return frames


def connect(url: SplitResult, identity: str, context: ssl.SSLContext | None, password: str | None) -> Connection:
    """Open one connection with the subprotocol ocpp1.6.

    :raises SystemExit: the handshake was refused.
    """
    sock = socket.create_connection((url.hostname, url.port or (443 if context else 80)), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname=url.hostname)
    lines = [
        f"GET {url.path.rstrip('/')}/{identity} HTTP/1.1",
        f"Host: {url.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Protocol: ocpp1.6",
    ]
    if password is not None:
        lines.append("Authorization: Basic " + base64.b64encode(f"{identity}:{password}".encode()).decode())
    sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = sock.recv(65536)
        if not data or len(answer) > 65536:
            raise SystemExit(f"handshake of {identity} refused: {answer[:300]!r}")
        answer += data
    head, rest = answer.split(b"\r\n\r\n", 1)
    if not head.startswith(b"HTTP/1.1 101"):
        raise SystemExit(f"handshake of {identity} refused: {head[:300]!r}")
    sock.setblocking(False)
    return Connection(sock, rest)
