"""The operator's certificate authority: signs what charge points ask for, under a policy, on threads.

What a charge point writes into its request is hostile. Nothing of it gets into the certificate but the public key: the
subject is made of one of the charge point's names and the operator's name, and they have to be what it asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from csms import certificates
from csms.certificates import Authority, BadCertificate, PublicKey
from csms.handlers.certificate_requests import Names, Signed, SigningFailed, described

_log = Logger()
_AT_ONCE = 2
_LONGEST_REQUEST = 16 * 1024
LONGEST_CHAIN = 10_000
"""CertificateSigned.certificateChain in every version."""
_RSA_BITS = range(2048, 8193)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_STRONG = frozenset({"sha256", "sha384", "sha512"})
_BAD = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
"""What the library makes of a request that is none."""
ALLOWED_NAMES = "the identity of the charge point, or its certificateName"
"""What a CN may be, for people."""
RunInThread = Callable[..., Deferred[Any]]
"""``run(function, *arguments)``, as `twisted.internet.threads.deferToThread`."""


class AuthorityError(Exception):
    """The authority cannot be used; the message is one line that names the setting."""


@define(eq=False)
class CertificateAuthority:
    """The port `csms.handlers.certificate_requests.Signer`. ``key`` is a file, or PEM itself."""

    _run: RunInThread
    _certificate: str
    _key: str
    _organization: str
    _validity: timedelta
    _authority: Authority | None = None
    _slots: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_AT_ONCE))

    async def load(self) -> None:
        """Read certificate and key.

        :raises AuthorityError: they cannot be used; what was read before stays in use.
        """
        self._authority = await self._run(read_authority, self._certificate, self._key)
        certificate = self._authority.certificate
        _log.info("the certificate authority is valid until {until:%Y-%m-%d}", until=certificate.not_valid_after_utc)

    def fault(self, csr: str, names: Names, now: datetime) -> Deferred[str | None]:
        """Return why a request is not signed, None where it is."""
        found: Deferred[str | None] = self._slots.run(self._run, self._fault, csr, names, now)
        return found

    def sign(self, csr: str, names: Names, now: datetime) -> Deferred[Signed]:
        """Sign a request."""
        signed: Deferred[Signed] = self._slots.run(self._run, self._sign, csr, names, now)
        return signed

    def _fault(self, csr: str, names: Names, now: datetime) -> str | None:
        authority = self._authority
        if authority is None or not _is_valid(authority.certificate, now):
            return "the authority's own certificate is not valid now"
        return fault_of(csr, names, self._organization)

    def _sign(self, csr: str, names: Names, now: datetime) -> Signed:
        authority = self._authority
        try:
            if authority is None:
                raise SigningFailed("there is no authority")
            asked = checked(csr, names, self._organization)
            subject = certificates.name_of(asked.common_name, self._organization)
            made = certificates.issue(authority, subject, asked.key, "charger", now, self._validity)
        except (BadRequest, BadCertificate) as error:
            raise SigningFailed(str(error)) from None
        chain = certificates.certificate_pem(made, *authority.links).decode()
        if len(chain) > LONGEST_CHAIN:
            raise SigningFailed(f"the chain has {len(chain)} characters: charge points take {LONGEST_CHAIN}")
        return Signed(described(made), chain)


def read_authority(certificate: str, key: str) -> Authority:
    """Read an authority; takes a moment.

    :raises AuthorityError: it cannot be used. The message never holds the key.
    """
    try:
        certificate_pem = Path(certificate).read_bytes()
    except OSError as error:
        raise AuthorityError(f"pki.ca_certificate: {certificate} cannot be read: {error.strerror}") from None
    try:
        key_pem = key.encode() if certificates.is_pem(key) else Path(key).read_bytes()
    except OSError as error:
        raise AuthorityError(f"pki.ca_key cannot be read: {error.strerror}") from None
    try:
        return certificates.read_authority(certificate_pem, key_pem)
    except BadCertificate as error:
        raise AuthorityError(f"pki.ca_certificate and pki.ca_key cannot be used: {error}") from None


class BadRequest(Exception):
    """A request is not signed; the message says why, in one line."""


@frozen
class Asked:
    """What is taken of a request: which of the charge point's names it has, and its public key."""

    common_name: str
    key: PublicKey


def fault_of(csr: str, names: Names, organization: str) -> str | None:
    """Return what is wrong with a request by the policy, None where nothing is."""
    try:
        checked(csr, names, organization)
    except BadRequest as error:
        return str(error)
    return None


def checked(csr: str, names: Names, organization: str) -> Asked:
    """Hold a request of a charge point with these names against the policy, and return what is taken of it.

    :raises BadRequest: it is not signed.
    """
    if len(csr) > _LONGEST_REQUEST:
        raise BadRequest("the request is too long")
    try:
        request = x509.load_pem_x509_csr(csr.encode())
        key = _key(request)
        # Only now: what a signature costs depends on the key.
        _check_signature(request)
        common_name = _common_name(request, names, organization)
        _check_usage(request.extensions)
    except _BAD:
        raise BadRequest("it is no certificate signing request in PEM") from None
    return Asked(common_name, key)


def _key(request: x509.CertificateSigningRequest) -> PublicKey:
    key = request.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size not in _RSA_BITS:
            raise BadRequest(
                f"an RSA key of {key.key_size} bits: allowed are {_RSA_BITS.start} to {_RSA_BITS.stop - 1}"
            )
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, _CURVES):
            raise BadRequest(f"a key on {key.curve.name}: allowed are P-256, P-384 and P-521")
        return key
    raise BadRequest("the key is neither ECDSA nor RSA")


def _check_signature(request: x509.CertificateSigningRequest) -> None:
    algorithm = request.signature_hash_algorithm
    if algorithm is None or algorithm.name not in _STRONG:
        raise BadRequest("its signature is not of SHA-256 or stronger")
    if not request.is_signature_valid:
        raise BadRequest("its signature is not of its key")


def _common_name(request: x509.CertificateSigningRequest, names: Names, organization: str) -> str:
    """Check that the subject is the charge point (A00.FR.509, FR.511)."""
    common_names = certificates.names_in(request, NameOID.COMMON_NAME)
    if len(common_names) != 1 or common_names[0] not in names:
        raise BadRequest(f"its CN is {_shown(common_names)}: allowed is {ALLOWED_NAMES}")
    if certificates.names_a_server(common_names[0]):
        raise BadRequest("an identity that is an address could pass for a server's")
    organizations = certificates.names_in(request, NameOID.ORGANIZATION_NAME)
    if organizations != [organization]:
        raise BadRequest(f"its O is {_shown(organizations)}: allowed is {organization!r}")
    return common_names[0]


def _check_usage(extensions: x509.Extensions) -> None:
    """Check that it wants to be no more than a client; what it does not ask for it is given as the policy says."""
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and value.ca:
            raise BadRequest("it asks to be an authority")
        if isinstance(value, x509.KeyUsage) and (value.key_cert_sign or value.crl_sign):
            raise BadRequest("it asks to sign certificates or revocation lists")
        if isinstance(value, x509.ExtendedKeyUsage) and any(use != ExtendedKeyUsageOID.CLIENT_AUTH for use in value):
            raise BadRequest("it asks for another use than that of a client")


def _shown(names: list[str]) -> str:
    return " and ".join(repr(name[:64]) for name in names[:3]) or "missing"


def _is_valid(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
