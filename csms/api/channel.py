"""One client's connection: what every answer says to browsers, and problems for what is not HTTP or too large for it.

Twisted hangs up on a line that is too long, and answers the rest with a bare 400. What is refused here is answered, and the
connection ends after it: the client's side is read on for a moment, as data that nobody read would have the kernel take back
the answer (RFC 9112 §9.6).
"""

from __future__ import annotations

from typing import Any

from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.server import Site

from csms.api.problems import MEDIA as PROBLEM
from csms.api.problems import Problem

MOST_LINE_BYTES = 16 * 1024
"""Of the request line, and of each header."""
MOST_HEADERS = 500
SECURITY_HEADERS = {
    b"Cache-Control": b"no-store",
    b"Content-Security-Policy": b"default-src 'none'; frame-ancestors 'none'",
    b"Cross-Origin-Resource-Policy": b"same-origin",
    b"Referrer-Policy": b"no-referrer",
    b"X-Content-Type-Options": b"nosniff",
}
"""What every answer has, unless it says something else itself: none is kept, shown as a page, or used by another site."""
_LINGER_S = 5
_MOST_SPILLED_BYTES = 4 * 1024 * 1024


class Channel(HTTPChannel):
    """Twisted's channel, with an answer to everything."""

    transport: Any
    _networkProducer: Any
    MAX_LENGTH = MOST_LINE_BYTES
    # The headers have as much room as the request line, however long that is.
    totalHeadersSize = 2 * MOST_LINE_BYTES
    maxHeaders = MOST_HEADERS
    _is_refused = False
    _spilled = 0

    def dataReceived(self, data: bytes) -> None:
        if not self._is_refused:
            super().dataReceived(data)
            return
        self._spilled += len(data)
        if self._spilled > _MOST_SPILLED_BYTES:
            self.transport.abortConnection()

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Write the head of an answer: with what every answer has, and without the name and version of the server."""
        headers.removeHeader(b"server")
        for name, value in SECURITY_HEADERS.items():
            if not headers.hasHeader(name):
                headers.setRawHeaders(name, [value])
        super().writeHeaders(version, code, reason, headers)

    def lineLengthExceeded(self, line: bytes) -> None:
        if hasattr(self, "_command"):
            self._refuse(_large_headers())
        else:
            detail = f"a request line has at most {MOST_LINE_BYTES} bytes"
            self._refuse(Problem(414, detail), is_head=line.startswith(b"HEAD "))

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders:
            self._refuse(_large_headers())
        else:
            self._refuse(Problem(400, "this is not a request of HTTP/1.1"))

    def _refuse(self, problem: Problem, *, is_head: bool = False) -> None:
        self._is_refused = True
        self.clearLineBuffer()
        is_head = is_head or getattr(self, "_command", None) == b"HEAD"
        body = problem.encode()
        head = (
            f"HTTP/1.1 {problem.status} {problem.title}\r\n"
            f"Content-Type: {PROBLEM}\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Connection: close\r\n"
        ).encode()
        head += b"".join(b"%b: %b\r\n" % header for header in SECURITY_HEADERS.items())
        self.transport.write(head + b"\r\n" + (b"" if is_head else body))
        self.setTimeout(None)
        if self._abortingCall is None:
            self._abortingCall = self.callLater(_LINGER_S, self.forceAbortClient)
        if self.isSecure():
            # TLS says goodbye by itself, and waits for the other side to.
            self.loseConnection()
        else:
            self._networkProducer.unregisterProducer()
            self.transport.loseWriteConnection()


def _large_headers() -> Problem:
    return Problem(
        431, f"headers have at most {MOST_LINE_BYTES} bytes each and in all, and there are at most {MOST_HEADERS}"
    )


class HttpSite(Site):
    """A site of such channels."""

    protocol = Channel  # type: ignore[assignment]

    def acceptableProtocols(self) -> list[bytes]:
        """What is offered over TLS: a channel of HTTP/2 would be another one."""
        return [b"http/1.1"]
