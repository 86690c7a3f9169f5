"""An authority on a loopback port that says what a test wants."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site


class AuthorityServer(Resource):
    """``answer`` is what it says; where it is None it waits for `release`. ``asked`` is what it was asked."""

    isLeaf = True

    def __init__(self, certificate=None):
        super().__init__()
        self.answer = {"status": "Accepted"}
        self.status = 200
        self.asked = []
        self.headers = []
        self.connections = 0
        self.lost = 0
        self._waiting = []
        self._arrivals = []
        site = Site(self)
        site.noisy = False
        site.displayTracebacks = False
        site.log = lambda request: None
        build = site.buildProtocol

        def counted(address):
            self.connections += 1
            return build(address)

        site.buildProtocol = counted
        if certificate is None:
            self.port = reactor.listenTCP(0, site, interface="127.0.0.1")
        else:
            self.port = reactor.listenSSL(0, site, certificate.options(), interface="127.0.0.1")
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port.getHost().port}/authorize?x=1"

    def render_POST(self, request):
        self.asked.append(json.loads(request.content.read()))
        self.headers.append(
            {name.decode().lower(): value[0].decode() for name, value in request.requestHeaders.getAllRawHeaders()}
        )
        request.notifyFinish().addErrback(self._gone)
        if self.answer is None:
            self._waiting.append(request)
        elif callable(self.answer):
            self.answer(request)
        else:
            self._say(request)
        for arrived in self._arrivals[:]:
            self._arrivals.remove(arrived)
            arrived.callback(None)
        return NOT_DONE_YET

    async def stop(self):
        """Listen no more."""
        await maybeDeferred(self.port.stopListening)

    def _gone(self, _failure):
        self.lost += 1

    def _say(self, request):
        request.setResponseCode(self.status)
        request.write(self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode())
        request.finish()

    def next_question(self):
        """Fire when the next question has come."""
        self._arrivals.append(Deferred())
        return self._arrivals[-1]

    def release(self, answer):
        """Answer what waits."""
        self.answer = answer
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            self._say(request)


def certificate_for(address):
    """Return a self-signed certificate for an IP address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ssl.PrivateCertificate.loadPEM(private + made.public_bytes(serialization.Encoding.PEM))
