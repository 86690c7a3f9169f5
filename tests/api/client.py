"""An HTTP client that sends exactly what it is told."""

from __future__ import annotations

import json

import attrs
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol


@attrs.define
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def parse(cls, data):
        """Return the first answer of what a connection brought."""
        head, _, rest = data.partition(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        pairs = (field.split(": ", 1) for field in fields)
        return cls(int(status.split()[1]), {name.lower(): value for name, value in pairs}, rest)

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def is_problem(self):
        problem = self.json
        return (
            self.headers["content-type"] == "application/problem+json"
            and {"type", "title", "status", "detail"} <= problem.keys()
            and problem["status"] == self.status
        )


class Whole(Protocol):
    """Sends one request, and takes everything until the connection closes."""

    def __init__(self, request):
        self.done = Deferred()
        self._request = request
        self._received = []

    def connectionMade(self):
        self.transport.write(self._request)

    def dataReceived(self, data):
        self._received.append(data)

    def connectionLost(self, reason):
        self.done.callback(b"".join(self._received))


def request_bytes(method, target, headers, body, version="1.0"):
    lines = [
        f"{method} {target} HTTP/{version}".encode(),
        *(f"{name}: {value}".encode() for name, value in headers.items()),
    ]
    return b"\r\n".join([*lines, b"", body])


class Http:
    """Asks a server on this machine; every request on a connection of its own."""

    def __init__(self, port, **headers):
        self.port = port
        self.headers = {"Host": f"127.0.0.1:{port}", **headers}

    async def raw(self, data):
        """Send bytes, return bytes."""
        return await (await self.open(data)).done

    async def open(self, data):
        """Send bytes, return the connection."""
        return await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", self.port), Whole(data))

    async def ask(self, method, target, body=None, **headers):
        """Send a request; a body that is no bytes is sent as JSON. Underscores in names of headers are dashes."""
        sent = {**self.headers}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        if body is not None:
            sent["Content-Length"] = str(len(body))
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return Reply.parse(await self.raw(request_bytes(method, target, sent, body or b"")))

    async def get(self, target, **headers):
        return await self.ask("GET", target, **headers)

    async def post(self, target, body=None, **headers):
        return await self.ask("POST", target, body, **headers)

    async def put(self, target, body=None, **headers):
        return await self.ask("PUT", target, body, **headers)

    async def delete(self, target, **headers):
        return await self.ask("DELETE", target, **headers)


class EventSource(Protocol):
    """A client of a stream: whole blocks only, as a browser takes them."""

    def __init__(self, port, target="/api/v1/events", *, last_id=None, on_block=lambda: None, headers=None):
        headers = {"Host": f"127.0.0.1:{port}", "Accept": "text/event-stream", **(headers or {})}
        if last_id is not None:
            headers["Last-Event-ID"] = str(last_id)
        self._request = request_bytes("GET", target, headers, b"")
        self._buffer = b""
        self._on_block = on_block
        self.head = None
        self.items = []
        self.last_id = last_id
        self.comments = 0
        self.lost = Deferred()
        self.received = 0

    def connectionMade(self):
        self.transport.write(self._request)

    def dataReceived(self, data):
        self.received += len(data)
        self._buffer += data
        if self.head is None:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self.head, self._buffer = head.decode("latin-1"), rest
        *blocks, self._buffer = self._buffer.split(b"\n\n")
        for block in blocks:
            self._take(block.decode())
            self._on_block()

    def _take(self, block):
        for line in block.split("\n"):
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = int(value)
            elif name == "data":
                self.items.append(json.loads(value))
            elif not name:
                self.comments += 1

    @property
    def status(self):
        return int(self.head.split()[1])

    @property
    def positions(self):
        return [item["position"] for item in self.items]

    def connectionLost(self, reason):
        self.lost.callback(None)


async def follow(port, *arguments, **options):
    """Open a stream."""
    source = EventSource(port, *arguments, **options)
    await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", port), source)
    return source
