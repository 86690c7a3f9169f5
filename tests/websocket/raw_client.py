"""A WebSocket client that does exactly what a test tells it, right or wrong."""

from __future__ import annotations

import base64
import struct

import orjson
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol

PATIENCE_S = 30
KEY = base64.b64encode(b"0123456789abcdef").decode()
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def request(path="/ocpp/CP1", protocols="ocpp1.6", *headers):
    """Return the bytes of an opening handshake."""
    lines = [
        f"GET {path} HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    if protocols is not None:
        lines.append(f"Sec-WebSocket-Protocol: {protocols}")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1")


def frame(payload, opcode=TEXT, *, fin=True, rsv=0, mask=b"\x12\x34\x56\x78", length=None):
    """Return the bytes of a client's frame."""
    size = len(payload) if length is None else length
    first = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    masked = 0x80 if mask is not None else 0
    if size < 126:
        header = first + bytes([masked | size])
    elif size < 65536:
        header = first + bytes([masked | 126]) + struct.pack("!H", size)
    else:
        header = first + bytes([masked | 127]) + struct.pack("!Q", size)
    if mask is None:
        return header + payload
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return header + mask + bytes(a ^ b for a, b in zip(payload, repeated, strict=True))


def call(message_id, action="Heartbeat", payload=None):
    """Return the text of a CALL."""
    return orjson.dumps([2, message_id, action, payload if payload is not None else {}])


def split_frames(data):
    """Return the frames of a server as (opcode, payload), and the bytes that are no whole frame yet."""
    found = []
    while len(data) >= 2:
        size, start = data[1] & 0x7F, 2
        if size == 126:
            size, start = struct.unpack("!H", data[2:4])[0] if len(data) >= 4 else 1 << 62, 4
        elif size == 127:
            size, start = struct.unpack("!Q", data[2:10])[0] if len(data) >= 10 else 1 << 62, 10
        if len(data) < start + size:
            break
        found.append((data[0] & 0x0F, data[start : start + size]))
        data = data[start + size :]
    return found, data


class RawClient(Protocol):
    """See the module. Pings and closes are answered unless told otherwise."""

    def __init__(self, clock):
        self._clock = clock
        self._waiting = []
        self._rest = b""
        self._read = 0
        self.status = None
        self.head = self.body = b""
        self.messages = []
        self.pings = []
        self.closed_with = None
        self.pongs = 0
        self.lost = False
        self.answers_pings = True
        self.answers_close = True

    # What comes.

    def dataReceived(self, data):
        self._rest += data
        if self.status is None and b"\r\n\r\n" in self._rest:
            self.head, _, self._rest = self._rest.partition(b"\r\n\r\n")
            self.status = int(self.head.split()[1])
        if self.status == 101:
            frames, self._rest = split_frames(self._rest)
            for opcode, payload in frames:
                self._take(opcode, payload)
        elif self.status is not None:
            self.body = self._rest
        self._look()

    def _take(self, opcode, payload):
        if opcode == TEXT:
            self.messages.append(orjson.loads(payload))
        elif opcode == PING:
            self.pings.append(payload)
            if self.answers_pings:
                self.send(frame(payload, PONG))
        elif opcode == PONG:
            self.pongs += 1
        elif opcode == CLOSE:
            self.closed_with = (struct.unpack("!H", payload[:2])[0], payload[2:].decode())
            if self.answers_close:
                self.send(frame(payload[:2], CLOSE))

    def connectionLost(self, reason):
        self.lost = True
        self._look()

    def _look(self):
        for entry in list(self._waiting):
            condition, done = entry
            if condition():
                self._waiting.remove(entry)
                done.callback(self)

    async def until(self, condition):
        """Wait until a condition about this client holds, checked whenever something comes."""
        if not condition():
            done = Deferred()
            self._waiting.append((condition, done))
            await done.addTimeout(PATIENCE_S, self._clock)
        return self

    # What goes.

    def send(self, data):
        if not self.lost:
            self.transport.write(data)

    def text(self, payload):
        self.send(frame(payload if isinstance(payload, bytes) else payload.encode()))

    async def open(self, *arguments):
        """Make the opening handshake; return the status."""
        self.send(request(*arguments))
        await self.until(lambda: self.status is not None or self.lost)
        return self.status

    async def ask(self, message_id, action="Heartbeat", payload=None):
        """Send a CALL and return the answer's frame."""
        self.text(call(message_id, action, payload))
        return await self.answer(message_id)

    async def answer(self, message_id):
        """Wait for the answer to a CALL."""
        await self.until(lambda: self.closed_with or self.lost or any(item[1] == message_id for item in self.messages))
        return next((item for item in self.messages if item[1] == message_id), None)

    async def close_code(self):
        """Wait for the close frame; return its code."""
        await self.until(lambda: self.closed_with is not None or self.lost)
        return self.closed_with[0] if self.closed_with is not None else None

    async def gone(self):
        """Wait for the end of the socket."""
        return await self.until(lambda: self.lost)

    def stop_reading(self):
        self.transport.pauseProducing()

    def hang_up(self):
        if not self.lost:
            self.transport.abortConnection()
