"""The factory of charge point sockets, and the sweep that keeps them honest about being alive."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.logger import Logger

from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.loops import Loops
from csms.metrics import Counters
from csms.turns import Stage
from csms.websocket.client_certificates import Shown
from csms.websocket.compression import accept
from csms.websocket.door import Door
from csms.websocket.limits import AddressCount, CallBudgets, HandshakeGate, Limits
from csms.websocket.protocol import ChargePointProtocol
from csms.websocket.refusals import Refusals
from csms.websocket.slim import configured
from csms.websocket.tls_refusals import refusal_of

_log = Logger()
_CLOSE_HANDSHAKE_TIMEOUT_S = 5
_GOING_AWAY = 1001


def _take_in(messages: list[tuple[ChargePointProtocol, bytes]]) -> None:
    """Handle what came; whatever goes wrong costs one charge point its connection, and nobody else."""
    for protocol, text in messages:
        protocol.awaits_turn = False
        try:
            protocol.onMessage(text, False)
        except Exception:  # noqa: BLE001
            _log.failure("{client_id}: a message could not be handled", client_id=protocol.client_id)
            protocol.drop("an error of the daemon")


class _TooMany(Protocol):
    """Hangs up on an address that has too many connections."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()


class ChargePointFactory(WebSocketServerFactory):
    """Makes one protocol for each charge point's socket."""

    protocol = ChargePointProtocol
    noisy = False

    def __init__(
        self,
        reactor: Any,
        shared: Shared,
        registry: Registry,
        limits: Limits,
        door: Door,
        *,
        path: str,
        compresses: bool = True,
    ) -> None:
        super().__init__(reactor=reactor, server="csms")
        self.clock = reactor
        self.registry = registry
        self.limits = limits
        self.path = path
        self.door = door
        self.certificate_shown: Callable[[Any], Shown | None] = lambda _transport: None
        """Judges the client certificate of a transport; None is that there is none."""
        self.on_certified: Callable[[str, Any], None] = lambda _client_id, _transport: None
        """Told which charge point is in whose transport has shown a certificate that names it."""
        self.counters: Counters = shared.counters
        self.gate = HandshakeGate(limits.handshakes, lambda status: self.counters.count("refused_handshakes", status))
        self.ledger_available: Callable[[], bool] = lambda: shared.ledger.available
        self.refusals = Refusals(registry, shared.now, self.ledger_available)
        self._shared = shared
        self.budgets = CallBudgets(limits.calls_per_second, limits.calls_burst)
        self._addresses = AddressCount(limits.connections_per_address)
        self._open: dict[ChargePointProtocol, None] = {}
        self._loops = Loops(reactor)
        self.inbox = shared.turn.batch(Stage.RECEIVED, _take_in)
        self.setProtocolOptions(
            openHandshakeTimeout=limits.handshake_timeout_s,
            closeHandshakeTimeout=_CLOSE_HANDSHAKE_TIMEOUT_S,
            maxFramePayloadSize=limits.frame_bytes,
            maxMessagePayloadSize=limits.message_bytes,
            failByDrop=False,
            webStatus=False,
            # The codec looks at every byte anyway.
            utf8validateIncoming=False,
            autoPingInterval=0,
            tcpNoDelay=True,
            perMessageCompressionAccept=accept if compresses else None,
        )
        self.protocol = configured(self.protocol, self)

    def buildProtocol(self, addr: IAddress) -> Protocol:
        address = getattr(addr, "host", "")
        if not self._addresses.add(address):
            self.counters.count("refused_handshakes", "address")
            _log.warn("{address} has too many connections", address=address)
            # Not None: the wrapper of TLS connections does not know what to do with it.
            return _TooMany()
        protocol: ChargePointProtocol = super().buildProtocol(addr)
        protocol.counted_address = address
        return protocol

    def refused_by_tls(self, address: str, transport: object, error: SSL.Error) -> None:
        """A TLS handshake has failed: tell of it where it was for the client certificate."""
        found = refusal_of(transport, error)
        if found is None:
            _log.info("{address}: no TLS: {reason}", address=address, reason=str(error)[:200])
            return
        self.counters.count("refused_handshakes", "tls")
        told = Deferred.fromCoroutine(self.refusals.note_named(*found, address))
        told.addErrback(lambda failure: _log.failure("a refused certificate was not told of", failure))

    def opened(self, protocol: ChargePointProtocol) -> None:
        """A socket is open."""
        self._open[protocol] = None

    def closed(self, protocol: ChargePointProtocol) -> None:
        """A socket is gone, open or not."""
        if protocol in self._open:
            del self._open[protocol]
            self.budgets.leave(protocol.client_id, protocol.bucket, self.clock.seconds())
        self._addresses.remove(protocol.counted_address)

    def start_sweep(self) -> None:
        """Start to look after liveness."""
        self._loops.every(max(self.limits.ping_interval_s / 4, 0.05), self.sweep)

    def stop_sweep(self) -> None:
        """Stop to look after liveness."""
        self._loops.stop()

    def sweep(self) -> None:
        """Ping whoever was silent for the interval, and drop whoever left a ping unanswered. Any traffic is life."""
        now = self.clock.seconds()
        for protocol in list(self._open):
            if protocol.held:
                # What we do not read we cannot hear.
                protocol.last_heard, protocol.pinged_at = now, None
                continue
            pinged_at = protocol.pinged_at
            if pinged_at is not None and protocol.last_heard > pinged_at:
                pinged_at = protocol.pinged_at = None
            if pinged_at is not None:
                if now - pinged_at >= self.limits.ping_timeout_s:
                    protocol.drop("no answer to a ping")
            elif now - protocol.last_heard >= self.limits.ping_interval_s:
                protocol.pinged_at = now
                protocol.sendPing(b"")

    def hold_all(self) -> None:
        """Read no further messages: what is in flight is answered, and then the sockets close."""
        self.inbox.flush()
        for protocol in list(self._open):
            protocol.hold("stopping")

    def close_all(self) -> None:
        """Close every socket: the daemon goes away."""
        for protocol in list(self._open):
            protocol.close(_GOING_AWAY, "the daemon goes away")

    @property
    def open_sockets(self) -> int:
        """How many sockets are open."""
        return len(self._open)
