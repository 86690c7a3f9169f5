"""A charge point's socket on Autobahn: the handshake, liveness and backpressure; texts go to the session."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.util import encode_truncate
from autobahn.websocket.types import ConnectionRequest
from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from csms.chargepoint.registry import IdentityInUse, UnknownChargePoint
from csms.chargepoint.session import Session
from csms.store.errors import StoreError
from csms.websocket import handshake
from csms.websocket.fast_path import text_frame, whole_text
from csms.websocket.handshake import Refusal
from csms.websocket.limits import (
    MAX_FRAMES_PER_MESSAGE,
    MAX_HEADER_BYTES,
    UNREGISTERED_MESSAGE_BYTES,
    TokenBucket,
)
from csms.websocket.quiet import QuietLog

if TYPE_CHECKING:
    from csms.websocket.factory import ChargePointFactory

_log = Logger()
_CLOSE_UNSUPPORTED_DATA = 1003
_CLOSE_PROTOCOL_ERROR = 1002
_CLOSE_TOO_BIG = 1009
_MAX_REASON_BYTES = 120
_HANDSHAKE_LEFTOVERS = (
    "http_headers", "http_request_data", "http_request_host", "http_request_params", "http_request_path",
    "http_request_uri", "http_response_data", "http_status_line", "websocket_extensions", "websocket_origin", "_wskey",
)  # fmt: skip


@implementer(IPushProducer)
class ChargePointProtocol(WebSocketServerProtocol):
    """One socket. Autobahn calls ``onConnect``, ``onOpen``, ``onMessage`` and ``onClose``; it is its session's transport."""

    log = QuietLog()
    factory: ChargePointFactory
    data: bytes

    session: Session | None = None
    client_id: str | None = None
    last_heard: float = 0.0
    pinged_at: float | None = None
    _address: str = ""
    _in_gate = False
    _in_handshake = False
    _holds: frozenset[str] = frozenset()
    _is_producer = False
    _cut: IDelayedCall | None = None
    _asking: Deferred[bool] | None = None
    _frames = 0
    _doomed = False
    _refusal: Refusal | None = None
    _is_refused = False
    _close_reason: str | None = None

    # The socket before it is a WebSocket.

    def connectionMade(self) -> None:
        self._address = getattr(self.transport.getPeer(), "host", "")
        self.last_heard = self.factory.clock.seconds()
        self._in_gate = True
        self.factory.gate.enter()
        super().connectionMade()
        self.transport.registerProducer(self, True)
        self._is_producer = True

    def dataReceived(self, data: bytes) -> None:
        self.last_heard = self.factory.clock.seconds()
        if self.state == self.STATE_OPEN:
            if not self._holds and not self.data and self.current_frame is None and not self.inside_message:
                payload = whole_text(data, self.maxMessagePayloadSize)
                if payload is not None:
                    self.onMessage(payload, False)
                    return
        elif (
            self.state == self.STATE_CONNECTING
            and len(self.data) + len(data) > MAX_HEADER_BYTES
            and (b"\r\n\r\n" not in (self.data + data)[:MAX_HEADER_BYTES])
        ):
            self.failHandshake("the request header is too large", 431)
            return
        self._dataReceived(data)

    def consumeData(self) -> None:
        """Leave alone what came before reading was paused: one read may bring hundreds of messages."""
        if self.state not in (self.STATE_OPEN, self.STATE_CLOSING):
            super().consumeData()
            return
        while not (self._holds and self.state == self.STATE_OPEN):
            if not self.processData() or self.state == self.STATE_CLOSED:
                break

    def processHandshake(self) -> None:
        """Tidy the offer before Autobahn reads it: it refuses repeats, and real charge points send empty entries."""
        if self._in_handshake:
            # What comes before our answer waits for it; a second request must not make a second session.
            return
        end = self.data.find(b"\r\n\r\n")
        if end >= 0:
            head = b"\r\n".join(_tidy(line) for line in self.data[:end].split(b"\r\n"))
            self.data = head + self.data[end:]
        super().processHandshake()

    def onConnect(self, request: ConnectionRequest) -> Deferred[str | None]:
        self._in_handshake = True
        return Deferred.fromCoroutine(self._handshake(request)).addErrback(self._refuse)

    async def _handshake(self, request: ConnectionRequest) -> str | None:
        factory = self.factory
        target = self.http_request_uri
        self.client_id = handshake.identity(target, factory.path)
        if not factory.ledger_available():
            raise Refusal(503, "the ledger is not available, try again later")
        if not (factory.anonymous_from_anywhere or handshake.is_private(self._address)):
            raise Refusal(401, "a charge point without a password is let in from private networks only")
        offered = handshake.offered_subprotocols(request.headers.get("sec-websocket-protocol")) or []
        allow_none = not offered and await factory.registry.allows_no_subprotocol(self.client_id)
        version = handshake.choose_version(offered, allow_none=allow_none)
        if version is None:
            self._doomed = True
            return None
        self.session = await factory.registry.admit(self.client_id, version)
        if self.state != self.STATE_CONNECTING:
            # The other side gave up meanwhile, and connectionLost has found no session to end.
            await factory.registry.discard(self.session, "gave up during the handshake")
            raise Refusal(408, "gave up during the handshake")
        return version.subprotocol if offered else None

    def _refuse(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, IdentityInUse):
            error = Refusal(409, "this identity is connected, and its socket is alive")
        elif isinstance(error, UnknownChargePoint):
            error = Refusal(404, "this charge point is not known here")
        elif isinstance(error, StoreError):
            error = Refusal(503, "the ledger is not available, try again later")
        elif not isinstance(error, Refusal):
            _log.failure("a handshake failed", failure)
            error = Refusal(500, "internal error")
        self._refusal = error
        raise error

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        if self._is_refused:
            return
        self._is_refused = True
        if self._refusal is not None:
            reason, code = self._refusal.reason, self._refusal.status
        self.factory.counters.count("refused_handshakes", str(code))
        _log.warn(
            "{client_id}: handshake from {address} refused with {status}: {reason}",
            client_id=self.client_id,
            address=self._address,
            status=code,
            reason=reason,
        )
        super().failHandshake(reason, code, responseHeaders)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        """Say why in the body; the status line holds nothing that came from the other side."""
        body = (reason + "\n").encode("utf-8", "replace")
        phrase = HTTPStatus(code).phrase
        lines = [f"HTTP/1.1 {code} {phrase}", "Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in responseHeaders or ()]
        if code == HTTPStatus.SERVICE_UNAVAILABLE:
            lines.append("Retry-After: 10")
        if code == HTTPStatus.UNAUTHORIZED:
            lines.append('WWW-Authenticate: Basic realm="csms"')
        lines += ["Connection: close", "", ""]
        self.sendData("\r\n".join(lines).encode() + body)

    # The open socket.

    def onOpen(self) -> None:
        self._leave_gate()
        for name in _HANDSHAKE_LEFTOVERS:
            self.__dict__.pop(name, None)
        self.bucket = TokenBucket(self.factory.limits.calls_per_second, self.factory.limits.calls_burst)
        if self.session is None or self._doomed:
            self.close(_CLOSE_PROTOCOL_ERROR, "no OCPP version in common")
            return
        self.factory.counters.count("connections")
        self._bound_messages()
        self.factory.opened(self)
        self.session.opened(self, self._address or None)

    def _bound_messages(self) -> None:
        limits, session = self.factory.limits, self.session
        point = session.state.charge_point if session is not None else None
        registered = point is not None and point.booted_at is not None and point.registration == "Accepted"
        size = limits.message_bytes if registered else min(limits.message_bytes, UNREGISTERED_MESSAGE_BYTES)
        self.maxMessagePayloadSize = size
        self.maxFramePayloadSize = min(size, limits.frame_bytes)

    def onMessageBegin(self, isBinary: bool) -> None:
        self._frames = 0
        if self.maxMessagePayloadSize < self.factory.limits.message_bytes:
            self._bound_messages()
        super().onMessageBegin(isBinary)

    def onMessageFrameBegin(self, length: int) -> None:
        self._frames += 1
        if self._frames > MAX_FRAMES_PER_MESSAGE:
            self._fail_connection(_CLOSE_TOO_BIG, f"more than {MAX_FRAMES_PER_MESSAGE} frames in a message")
        super().onMessageFrameBegin(length)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        session = self.session
        if session is None or self.state != self.STATE_OPEN:
            return
        if isBinary:
            _log.warn("{client_id}: a binary message", client_id=self.client_id)
            self.close(_CLOSE_UNSUPPORTED_DATA, "OCPP-J messages are text")
            return
        pause_s = self.bucket.take(self.last_heard)
        if pause_s > 0:
            self.hold("rate")
            self.factory.clock.callLater(pause_s, self.unhold, "rate")
        session.receive(payload)

    def onPong(self, payload: bytes) -> None:
        del payload
        if self._asking is not None:
            asking, self._asking = self._asking, None
            asking.callback(True)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._leave_gate()
        self.factory.closed(self)
        self._stop_cutting()
        if self._asking is not None:
            asking, self._asking = self._asking, None
            asking.callback(False)
        if self.session is not None:
            why = self._close_reason or reason or ("closed by the charge point" if wasClean else "connection lost")
            _log.info(
                "{client_id}: disconnected ({code}, {reason})", client_id=self.client_id, code=code, reason=why[:200]
            )
            self.factory.registry.discard(self.session, why[:200])

    def _fail_connection(self, code: int = 1002, reason: str = "") -> None:
        _log.warn("{client_id}: closed with {code}: {reason}", client_id=self.client_id, code=code, reason=reason)
        self._close_reason = self._close_reason or reason
        super()._fail_connection(code, reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.session is None and not self._is_refused and isinstance(reason.value, SSL.Error):
            _log.info("{address}: no TLS: {reason}", address=self._address, reason=str(reason.value)[:200])
        super().connectionLost(reason)

    def _leave_gate(self) -> None:
        if self._in_gate:
            self._in_gate = False
            self.factory.gate.leave()

    # The session's transport.

    def send_text(self, text: bytes) -> None:
        if self.state == self.STATE_OPEN:
            self.transport.write(text_frame(text))

    def close(self, code: int, reason: str) -> None:
        self._close_reason = self._close_reason or reason
        if self.state == self.STATE_OPEN:
            # Not sendClose: Autobahn keeps an application from sending the codes that are meant for servers.
            self.sendCloseFrame(code, encode_truncate(reason, _MAX_REASON_BYTES))

    def is_alive(self) -> Deferred[bool]:
        if self.state != self.STATE_OPEN:
            return succeed(False)
        if self._asking is None:
            self._asking = Deferred()
            clock, timeout_s = self.factory.clock, self.factory.limits.takeover_timeout_s
            clock.callLater(timeout_s, self._answer_alive, self._asking, clock.seconds())
            self.sendPing(b"alive?")
        answer: Deferred[bool] = Deferred()

        def tell(alive: bool) -> bool:
            answer.callback(alive)
            return alive

        self._asking.addCallback(tell)
        return answer

    def _answer_alive(self, asking: Deferred[bool], asked_at: float) -> None:
        if self._asking is asking:
            self._asking = None
            # Any traffic is a sign of life.
            alive = self.last_heard > asked_at
            asking.callback(alive)
            if not alive:
                self.drop("no sign of life")

    def drop(self, reason: str) -> None:
        """Cut the socket without a closing handshake: the other side does not answer."""
        self._close_reason = self._close_reason or reason
        self.dropConnection(abort=True)

    @property
    def held(self) -> bool:
        """Whether there is a reason not to read from the socket."""
        return bool(self._holds)

    def hold(self, reason: str) -> None:
        if not self._holds:
            self.transport.pauseProducing()
        self._holds |= {reason}

    def unhold(self, reason: str) -> None:
        if reason in self._holds:
            self._holds -= {reason}
            if not self._holds and self.state in (self.STATE_OPEN, self.STATE_CLOSING):
                if self.data:
                    self.bucket.refill(self.factory.clock.seconds())
                    self.consumeData()
                if not self._holds and self.state != self.STATE_CLOSED:
                    self.transport.resumeProducing()

    # A push producer for its own transport: called when what we wrote is not read.

    def pauseProducing(self) -> None:
        self.hold("congestion")
        if self._cut is None:
            self._cut = self.factory.clock.callLater(
                self.factory.limits.congestion_timeout_s, self.drop, "does not read what it is sent"
            )

    def resumeProducing(self) -> None:
        self._stop_cutting()
        self.unhold("congestion")

    def stopProducing(self) -> None:
        self._stop_cutting()

    def unregisterProducer(self) -> None:
        if self._is_producer:
            self._is_producer = False
            self.transport.unregisterProducer()

    def _stop_cutting(self) -> None:
        cut, self._cut = self._cut, None
        if cut is not None and cut.active():
            cut.cancel()


def _tidy(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    if not colon or name.strip().lower() != b"sec-websocket-protocol":
        return line
    try:
        offered = handshake.offered_subprotocols(value.decode("ascii"))
    except UnicodeDecodeError:
        return line
    return name + b": " + ", ".join(offered or []).encode()
