"""An OCSP responder on a loopback port that says what a test wants, and what it may say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from csms.handlers.contracts import OcspData
from tests.certificates import issue, ocsp_data

NOW = datetime.now(UTC).replace(microsecond=0)
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
HOUR = timedelta(hours=1)


def data_of(issued, url="http://127.0.0.1/", algorithm="SHA256"):
    wire = ocsp_data(issued, algorithm)
    return OcspData(wire["hashAlgorithm"], wire["issuerNameHash"], wire["issuerKeyHash"], wire["serialNumber"], url)


def delegate(issuer, usage=ExtendedKeyUsageOID.OCSP_SIGNING, **members):
    """Certify a responder."""
    return issue("Responder", issuer, ca=False, extension=x509.ExtendedKeyUsage([usage]), **members)


def response(issued, status=GOOD, *, signer=None, sent=(), begins=None, ends=NOW + HOUR, algorithm=None):
    """Return an OCSPResponse in DER; it is signed by the issuer, or by ``signer``."""
    signer = signer or issued.issuer
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            issued.certificate,
            issued.issuer.certificate,
            algorithm or hashes.SHA256(),
            status,
            begins or NOW - HOUR,
            ends,
            NOW - HOUR if status is REVOKED else None,
            None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
    )
    if sent:
        builder = builder.certificates([one.certificate for one in sent])
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(Encoding.DER)


class OcspResponder(Resource):
    """``answers`` are what it says by serial number; without one it keeps silent. ``asked`` are the serial numbers."""

    isLeaf = True

    def __init__(self):
        super().__init__()
        self.answers = {}
        self.status = 200
        self.asked = []
        self.arrived = Deferred()
        site = Site(self)
        site.noisy = False
        site.log = lambda request: None
        self.port = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.url = f"http://127.0.0.1:{self.port.getHost().port}/ocsp"

    def knows(self, issued, *arguments, **members):
        """Have an answer about a certificate."""
        self.answers[issued.certificate.serial_number] = response(issued, *arguments, **members)

    def render_POST(self, request):
        assert request.getHeader("content-type") == "application/ocsp-request"
        serial = ocsp.load_der_ocsp_request(request.content.read()).serial_number
        self.asked.append(serial)
        if not self.arrived.called:
            self.arrived.callback(None)
        request.notifyFinish().addErrback(lambda _gone: None)
        if serial in self.answers:
            request.setResponseCode(self.status)
            request.write(self.answers[serial])
            request.finish()
        return NOT_DONE_YET

    async def stop(self):
        """Listen no more."""
        await maybeDeferred(self.port.stopListening)
