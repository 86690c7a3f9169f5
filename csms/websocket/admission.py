"""How a socket becomes a charge point's: Autobahn's handshake, with our answers."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from autobahn.twisted.websocket import WebSocketServerProtocol
from autobahn.websocket.types import ConnectionRequest
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from csms.chargepoint.registry import IdentityInUse, UnknownChargePoint, Visit
from csms.chargepoint.session import Session
from csms.ledger.state import Credentials
from csms.store.errors import StoreError
from csms.websocket import basic, compression, handshake
from csms.websocket.door import Visitor
from csms.websocket.handshake import Refusal

if TYPE_CHECKING:
    from csms.websocket.factory import ChargePointFactory

_log = Logger()


class AdmissionProtocol(WebSocketServerProtocol):
    """The handshake of a charge point: at its end there is a session, or a refusal that says why."""

    factory: ChargePointFactory
    data: bytes
    websocket_extensions: list[tuple[str, Any]]

    session: Session | None = None
    client_id: str | None = None
    _address: str = ""
    _in_gate = False
    _in_handshake = False
    _doomed = False
    _refusal: Refusal | None = None
    _is_refused = False

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
        registry, visitor = factory.registry, self._visitor(self.client_id, request)
        if not factory.door.may_be_anonymous(visitor):
            return await self._enter(request, visitor, await registry.credentials(self.client_id), None)
        visit = await registry.look(self.client_id)
        try:
            return await self._enter(request, visitor, visit.credentials, visit)
        finally:
            registry.look_away(visit)

    async def _enter(
        self, request: ConnectionRequest, visitor: Visitor, credentials: Credentials, visit: Visit | None
    ) -> str | None:
        factory = self.factory
        verdict = await factory.door.judge(visitor, credentials)
        self._check_still_there()
        offered = handshake.offered_subprotocols(request.headers.get("sec-websocket-protocol")) or []
        version = handshake.choose_version(offered, allow_none=credentials.allow_no_subprotocol)
        if version is None:
            self._doomed = True
            return None
        self.session = await factory.registry.admit(
            visitor.client_id,
            version,
            authenticated=verdict.authenticated,
            has_expired_certificate=verdict.has_expired_certificate,
            visit=visit,
        )
        if self.state != self.STATE_CONNECTING:
            # connectionLost has found no session to end.
            await factory.registry.discard(self.session, "gave up during the handshake")
        self._check_still_there()
        if visitor.certificate is not None and visitor.certificate.name in credentials.certificate_names:
            factory.on_certified(visitor.client_id, self.transport)
        if verdict.renewed is not None:
            factory.door.on_renewed(visitor.client_id, verdict.renewed)
        return version.subprotocol if offered else None

    def _visitor(self, client_id: str, request: ConnectionRequest) -> Visitor:
        return Visitor(
            client_id,
            self._address,
            basic.given(request.headers.get("authorization")),
            is_tls=isinstance(self.transport, TLSMemoryBIOProtocol),
            certificate=self.factory.certificate_shown(self.transport),
        )

    def _check_still_there(self) -> None:
        if self.state != self.STATE_CONNECTING:
            raise Refusal(408, "gave up during the handshake")

    def _refuse(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, IdentityInUse):
            error = Refusal(409, "this identity is connected, and its socket is alive", "inUse", is_known=True)
        elif isinstance(error, UnknownChargePoint):
            error = Refusal(404, "this charge point is not known here", "unknown")
        elif isinstance(error, StoreError):
            error = Refusal(503, "the ledger is not available, try again later")
        elif not isinstance(error, Refusal):
            _log.failure("a handshake failed", failure)
            error = Refusal(500, "internal error")
        self._refusal = error
        raise error

    def succeedHandshake(self, res: str | None) -> None:
        """Open the socket; a fault in here would otherwise be a silence until the deadline."""
        self.websocket_extensions = compression.understood(self.websocket_extensions)
        try:
            super().succeedHandshake(res)
        except Exception:  # noqa: BLE001
            _log.failure("{client_id}: the handshake failed", client_id=self.client_id)
            if self.state == self.STATE_CONNECTING:
                self._refusal = Refusal(500, "internal error")
                self.failHandshake("internal error", 500)
            else:
                self.dropConnection(abort=True)

    def failHandshake(self, reason: str, code: int = 400, responseHeaders: Any = None) -> None:
        if self._is_refused:
            return
        self._is_refused = True
        refusal = self._refusal or Refusal(code, reason)
        reason, code = refusal.reason, refusal.status
        self.factory.counters.count("refused_handshakes", str(code))
        self.factory.refusals.note(self.client_id, self._address, refusal)
        super().failHandshake(reason, code, responseHeaders)

    def sendHttpErrorResponse(self, code: int, reason: str, responseHeaders: Any = None) -> None:
        """Say why in the body; the status line holds nothing that came from the other side."""
        body = (reason + "\n").encode("utf-8", "replace")
        phrase = HTTPStatus(code).phrase
        lines = [f"HTTP/1.1 {code} {phrase}", "Content-Type: text/plain; charset=utf-8", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in responseHeaders or ()]
        wait_s = self._refusal.retry_after_s if self._refusal is not None else None
        if code == HTTPStatus.SERVICE_UNAVAILABLE or wait_s is not None:
            lines.append(f"Retry-After: {wait_s or 10}")
        if code == HTTPStatus.UNAUTHORIZED:
            lines.append('WWW-Authenticate: Basic realm="csms"')
        lines += ["Connection: close", "", ""]
        self.sendData("\r\n".join(lines).encode() + body)

    def _leave_gate(self) -> None:
        if self._in_gate:
            self._in_gate = False
            self.factory.gate.leave()


def _tidy(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    if not colon or name.strip().lower() != b"sec-websocket-protocol":
        return line
    try:
        offered = handshake.offered_subprotocols(value.decode("ascii"))
    except UnicodeDecodeError:
        return line
    return name + b": " + ", ".join(offered or []).encode()
