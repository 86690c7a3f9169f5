"""Autobahn's WebSocket client: one connection of a charge point to its server (OCPP-J §3)."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote, urlsplit

from attrs import field, frozen
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_PEM, X509
from OpenSSL.crypto import Error as CryptoError
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime
from twisted.internet.ssl import (
    Certificate,
    KeyPair,
    PrivateCertificate,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure

from csms.simulator.rpc import Rpc

_USER_AGENT = "csms-simulator"
_FINAL_STATUSES = (400, 401, 403, 404, 406)


class Unreachable(Exception):
    """There is no connection. ``final`` where trying again will hardly help: wrong password, wrong certificate."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@frozen
class Target:
    """Where a charge point connects to, and as whom.

    ``url`` holds the percent-encoded identity; ``password`` is for Basic authentication, whose user name is the
    identity: a text, or the bytes of an AuthorizationKey; ``tls`` makes the connections of a wss URL.
    """

    url: str
    client_id: str
    password: str | bytes | None = field(default=None, repr=False)
    tls: IOpenSSLClientConnectionCreator | None = None

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers of the handshake."""
        if self.password is None:
            return {}
        password = self.password.encode() if isinstance(self.password, str) else self.password
        credentials = b64encode(self.client_id.encode() + b":" + password).decode("ascii")
        return {"Authorization": f"Basic {credentials}"}


def client_url(url: str, client_id: str) -> str:
    """Return the URL of one charge point: the identity is appended, percent-encoded, or replaces ``{id}``."""
    encoded = quote(client_id, safe="")
    if "{id}" in url:
        return url.replace("{id}", encoded)
    return f"{url}{'' if url.endswith('/') else '/'}{encoded}"


def client_id_of(url: str) -> str | None:
    """Return the identity that a complete URL names, None where it ends with a slash or has ``{id}``.

    :raises ValueError: it is no ws or wss URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f"{url!r} is no WebSocket URL: ws://host:port/ocpp/ or wss://… is")
    if "{id}" in url:
        return None
    return unquote(parts.path.rsplit("/", 1)[-1]) or None


def tls_options(
    url: str, ca: Path | None, certificate: Path | None = None, key: Path | None = None
) -> IOpenSSLClientConnectionCreator | None:
    """Return what makes TLS connections for a wss URL, None for ws.

    The server's certificate is checked against the PEM file ``ca`` (or the system's trust store), and its names
    against the host of the URL, by service-identity. ``certificate`` and ``key`` are PEM files too: what the charge point
    shows (security profile 3), with the certificates that lead to its authority behind its own.

    :raises ValueError: ``ca`` or ``certificate`` holds no certificate, ``key`` no key or that of another; one goes without the other.
    :raises OSError: a file cannot be read.
    """
    if (certificate is None) != (key is None):
        raise ValueError("a client certificate needs its key, and the key its certificate")
    parts = urlsplit(url)
    if parts.scheme != "wss":
        return None
    trust: Any = platformTrust()
    if ca is not None:
        loaded = x509.load_pem_x509_certificates(ca.read_bytes())
        certificates = [Certificate.loadPEM(item.public_bytes(Encoding.PEM)) for item in loaded]
        trust = trustRootFromCertificates(certificates)
    if certificate is None or key is None:
        return optionsForClientTLS(parts.hostname or "", trustRoot=trust)
    own, *chain = (X509.from_cryptography(item) for item in x509.load_pem_x509_certificates(certificate.read_bytes()))
    try:
        loaded_key = KeyPair.load(key.read_bytes(), FILETYPE_PEM)
        shown = PrivateCertificate.fromCertificateAndKeyPair(Certificate(own), loaded_key)
    except (ValueError, TypeError, SSL.Error, CryptoError):
        raise ValueError(f"{key} is not the key of {certificate}, in PEM without a passphrase") from None
    return optionsForClientTLS(
        parts.hostname or "",
        trustRoot=trust,
        clientCertificate=shown,
        extraCertificateOptions={"extraCertChain": chain},
    )


def connect(reactor: IReactorTime, target: Target, rpc: Rpc, handshake_timeout_s: float) -> Deferred[None]:
    """Open a WebSocket whose messages go to ``rpc``; fire when the handshake is done.

    The Deferred fails with `Unreachable`.
    """
    factory = _Factory(reactor, target, rpc, handshake_timeout_s)
    endpoint: Any = HostnameEndpoint(cast(Any, reactor), factory.host, factory.port, timeout=handshake_timeout_s)
    if target.tls is not None:
        endpoint = wrapClientTLS(target.tls, endpoint)
    connecting: Deferred[Any] = endpoint.connect(factory)
    done: Deferred[None] = Deferred(lambda _: factory.cancel(connecting))
    factory.done = done
    connecting.addErrback(lambda failure: factory.failed(_unreachable(failure)))
    return done


class _Factory(WebSocketClientFactory):
    def __init__(self, reactor: IReactorTime, target: Target, rpc: Rpc, handshake_timeout_s: float) -> None:
        super().__init__(
            url=target.url,
            protocols=[rpc.version.subprotocol],
            useragent=_USER_AGENT,
            headers=target.headers(),
            reactor=reactor,
        )
        self.setProtocolOptions(openHandshakeTimeout=handshake_timeout_s, closeHandshakeTimeout=1, tcpNoDelay=True)
        self.noisy = False
        self.protocol = _Protocol
        self.rpc = rpc
        self.done: Deferred[None] | None = None
        self.socket: _Protocol | None = None

    def opened(self) -> None:
        done, self.done = self.done, None
        if done is not None:
            done.callback(None)

    def failed(self, reason: Unreachable) -> None:
        done, self.done = self.done, None
        if done is not None:
            done.errback(reason)

    def cancel(self, connecting: Deferred[Any]) -> None:
        self.done = None
        if self.socket is not None:
            self.socket.abort()
        connecting.cancel()


class _Protocol(WebSocketClientProtocol):
    factory: _Factory
    _lost: Failure | None = None

    def connectionMade(self) -> None:
        self.factory.socket = self
        super().connectionMade()

    def onOpen(self) -> None:
        wanted = self.factory.rpc.version.subprotocol
        if self.websocket_protocol_in_use != wanted:
            self.factory.failed(Unreachable(f"the server does not speak {wanted}", final=True))
            self.sendClose(1002, f"{wanted} expected")
            return
        self.factory.rpc.opened(self)
        self.factory.opened()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: FBT001 - Autobahn's signature
        if isBinary:
            self.sendClose(1003, "text expected")
        else:
            self.factory.rpc.received(payload)

    def connectionLost(self, reason: Any) -> None:
        self._lost = reason
        super().connectionLost(reason)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:  # noqa: ARG002, FBT001 - as above
        if self.factory.done is not None:
            self.factory.failed(self._refusal())
        else:
            self.factory.rpc.disconnected(f"closed with {code}: {reason}")

    def _refusal(self) -> Unreachable:
        """Say why there was no handshake."""
        words = str(getattr(self, "http_status_line", "") or "").split(" ", 2)
        if len(words) > 1 and words[1].isdecimal() and words[1] != "101":
            return Unreachable(f"refused with HTTP {' '.join(words[1:])}", final=int(words[1]) in _FINAL_STATUSES)
        if self._lost is not None and isinstance(self._lost.value, VerificationError | SSL.Error):
            return _unreachable(self._lost)
        return Unreachable(self.wasNotCleanReason or "the connection closed during the handshake")

    # The port `csms.simulator.rpc.Socket`.

    def send(self, text: bytes) -> None:
        self.sendMessage(text)

    def close(self) -> None:
        self.sendClose(1000)

    def abort(self) -> None:
        self.dropConnection(abort=True)


def _unreachable(failure: Failure) -> Unreachable:
    error = failure.value
    if isinstance(error, Unreachable):
        return error
    if isinstance(error, VerificationError):
        return Unreachable("the server's certificate is for another host name", final=True)
    if isinstance(error, SSL.Error):
        reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
        # OpenSSL's stack of errors, the innermost first: the last one says what it means.
        text = str(reasons[-1][-1]) if reasons else "the connection broke"
        return Unreachable(f"TLS: {text}", final="certificate" in text)
    # Twisted's connection errors hold a multi-line docstring and the errno; the last part says it.
    return Unreachable(str(error).strip().rstrip(".").splitlines()[0] if str(error) else type(error).__name__)
