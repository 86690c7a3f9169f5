"""A charge point's socket on Autobahn: liveness, limits and backpressure; texts go to its session."""

from __future__ import annotations

from typing import Any

from autobahn.util import encode_truncate
from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from csms.websocket import compression
from csms.websocket.admission import AdmissionProtocol
from csms.websocket.direct import shorten, write_through
from csms.websocket.fast_path import compressed_frame, text_frame, whole_text
from csms.websocket.limits import (
    MAX_FRAMES_PER_MESSAGE,
    MAX_HEADER_BYTES,
    UNREGISTERED_MESSAGE_BYTES,
)
from csms.websocket.quiet import QuietLog
from csms.websocket.slim import slim_down, with_defaults

_log = Logger()
_CLOSE_UNSUPPORTED_DATA = 1003
_CLOSE_PROTOCOL_ERROR = 1002
_CLOSE_TOO_BIG = 1009
_MAX_REASON_BYTES = 120
_NOTHING: frozenset[str] = frozenset()


@with_defaults
@implementer(IPushProducer)
class ChargePointProtocol(AdmissionProtocol):
    """One socket. Autobahn calls ``onConnect``, ``onOpen``, ``onMessage`` and ``onClose``; it is its session's transport."""

    log = QuietLog()
    last_heard: float = 0.0
    pinged_at: float | None = None
    awaits_turn = False
    """Whether a message waits in the factory's inbox for the turn of the reactor to end."""
    _holds: frozenset[str] = _NOTHING
    _is_producer = False
    _is_direct = False
    _cut: IDelayedCall | None = None
    _asking: Deferred[bool] | None = None
    _frames = 0
    _close_reason: str | None = None
    _perMessageCompress: Any

    # The socket before it is a WebSocket.

    def connectionMade(self) -> None:
        self._address = getattr(self.transport.getPeer(), "host", "")
        self.last_heard = self.factory.clock.seconds()
        self._in_gate = True
        self.factory.gate.enter()
        super().connectionMade()
        self._is_direct = shorten(self.transport)
        self.transport.registerProducer(self, True)
        self._is_producer = True

    def dataReceived(self, data: bytes) -> None:
        self.take_turn()
        self.last_heard = self.factory.clock.seconds()
        if self.state == self.STATE_OPEN:
            if not self._holds and not self.data and self.current_frame is None and not self.inside_message:
                payload = whole_text(data, self.maxFramePayloadSize)
                if payload is not None:
                    self.awaits_turn = True
                    self.factory.inbox.add((self, payload))
                    return
        elif (
            self.state == self.STATE_CONNECTING
            and len(self.data) + len(data) > MAX_HEADER_BYTES
            # What comes after the request has to wait, and is bounded as well.
            and (self._in_handshake or b"\r\n\r\n" not in (self.data + data)[:MAX_HEADER_BYTES])
        ):
            self.failHandshake("the request header is too large", 431)
            return
        self._dataReceived(data)

    def take_turn(self) -> None:
        """Have handled what waits for the turn of the reactor to end: how much more may come shows only then."""
        if self.awaits_turn:
            self.factory.inbox.flush()

    def consumeData(self) -> None:
        """Leave alone what came before reading was paused: one read may bring hundreds of messages."""
        if self.state not in (self.STATE_OPEN, self.STATE_CLOSING):
            super().consumeData()
            return
        while not (self._holds and self.state == self.STATE_OPEN):
            if not self.processData() or self.state == self.STATE_CLOSED:
                break

    # The open socket.

    def onOpen(self) -> None:
        self._leave_gate()
        self._perMessageCompress = compression.agreed(self._perMessageCompress)
        self.websocket_extensions_in_use = ()
        slim_down(self)
        self.bucket = self.factory.budgets.take_up(self.client_id)
        if self.session is None or self._doomed:
            self.close(_CLOSE_PROTOCOL_ERROR, "no OCPP version in common")
            return
        self.factory.counters.count("connections")
        self._bound_messages()
        self.factory.opened(self)
        self._pause_for(self.bucket.debt_s(self.last_heard))
        self.session.opened(self, self._address or None)

    def _bound_messages(self) -> None:
        limits, session = self.factory.limits, self.session
        point = session.state.charge_point if session is not None else None
        registered = point is not None and point.registered is not None
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
        self._spend()
        session.receive(payload)

    def _spend(self) -> None:
        """Count something that the charge point has sent; what it sends too much of is read later."""
        pause_s = self.bucket.take(self.last_heard)
        if pause_s > 0:
            self._pause_for(pause_s)

    def _pause_for(self, pause_s: float) -> None:
        """Read on when there is a token again."""
        if pause_s > 0:
            self.hold("rate")
            self.factory.clock.callLater(pause_s, self.unhold, "rate")

    def onPing(self, payload: bytes) -> None:
        self._spend()
        super().onPing(payload)

    def onPong(self, payload: bytes) -> None:
        del payload
        self._spend()
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
                "{client_id}: disconnected ({code}, {reason})",
                client_id=self.client_id,
                code=self.localCloseCode or code,
                reason=why[:200],
            )
            self.factory.registry.discard(self.session, why[:200])

    def _fail_connection(self, code: int = 1002, reason: str = "") -> None:
        _log.warn("{client_id}: closed with {code}: {reason}", client_id=self.client_id, code=code, reason=reason)
        self._close_reason = self._close_reason or reason
        super()._fail_connection(code, reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.take_turn()
        if self.session is None and not self._is_refused and isinstance(reason.value, SSL.Error):
            self.factory.refused_by_tls(self._address, self.transport, reason.value)
        super().connectionLost(reason)

    # The session's transport.

    def send_text(self, text: bytes) -> None:
        if self.state == self.STATE_OPEN:
            deflate = self._perMessageCompress
            if deflate is not None and len(text) >= compression.COMPRESSED_FROM:
                frame = compressed_frame(deflate.compressed(text))
            else:
                frame = text_frame(text)
            if self._is_direct:
                write_through(self.transport, frame)
            else:
                self.transport.write(frame)

    def close(self, code: int, reason: str) -> None:
        self.take_turn()
        self._close_reason = self._close_reason or reason
        if self.state == self.STATE_OPEN:
            # Not sendClose: Autobahn keeps an application from sending the codes that are meant for servers.
            self.sendCloseFrame(code, encode_truncate(reason, _MAX_REASON_BYTES))
            # A newcomer that takes this one's place does not wait for the end of the closing handshake.
            self.factory.budgets.leave(self.client_id, self.bucket, self.factory.clock.seconds())

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
        self.take_turn()
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
            self._holds = self._holds - {reason} or _NOTHING
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
