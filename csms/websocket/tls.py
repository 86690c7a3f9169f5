"""Direct TLS for charge points: contexts of pyOpenSSL, replaced on SIGHUP; running connections keep theirs.

TLS 1.2 and 1.3; for 1.2 the suites that the OCPP security profiles demand, and their forward-secret kin. ECDSA and RSA
certificates may be configured at once, and those of several server names: a client is shown the ones for the name that it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from csms import certificates
from csms.websocket.revocations import NEVER, RevocationLists, take_the_verdict
from csms.websocket.tls_refusals import remembering

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384"
)
TLS13_SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384"

_log = Logger()
_SESSIONS = b"csms"
_RESUMABLE_S = 3600
"""How long after its handshake a session may be resumed."""


class CertificateError(Exception):
    """A certificate or key cannot be used; the message is one line that names the setting and the file."""


@frozen
class _Pair:
    """A certificate with its key: the files, the kind of key, and the server names, in lower case."""

    certificate: str
    key: str
    leaf: x509.Certificate
    kind: type
    names: frozenset[str]

    def use(self, context: SSL.Context) -> None:
        """Have a context show it."""
        _use("tls.certificate", self.certificate, context.use_certificate_chain_file)
        _use("tls.key", self.key, lambda path: context.use_privatekey(_private_key(path)))
        _use("tls.key", self.key, lambda _path: context.check_privatekey())


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False)
class ChargePointTls:
    """Creates the TLS side of each new connection from the certificates that were loaded last.

    A session can be resumed until then: the keys of its ticket belong to the context, so that whoever comes after a reload
    is held against the new authorities and revocation lists.
    """

    certificates: Sequence[str]
    keys: Sequence[str]
    client_ca: str | None = None
    crl: str | None = None
    demands_certificates: bool = False
    """Whether nobody comes in who shows no client certificate; else one is only asked for."""
    shown: Mapping[str, x509.Certificate] = field(init=False, factory=dict)
    """The certificates that clients are shown, by their files."""
    _revocations: RevocationLists | None = field(init=False, default=None)
    _context: SSL.Context | None = field(init=False, default=None)

    def load(self) -> None:
        """Read the files.

        :raises CertificateError: they cannot be used; what was loaded before stays in use.
        """
        pairs = [_pair(*files) for files in zip(self.certificates, self.keys, strict=True)]
        for pair in pairs:
            pair.use(SSL.Context(SSL.TLS_SERVER_METHOD))
        revocations = (
            _revocations(self.client_ca, self.crl) if self.client_ca is not None and self.crl is not None else None
        )
        made: dict[tuple[_Pair, ...], SSL.Context] = {}

        def context_of(chosen: Sequence[_Pair]) -> SSL.Context:
            # Of two for the same name with the same kind of key the first one is shown.
            shown = tuple({pair.kind: pair for pair in reversed(chosen)}.values())
            if shown not in made:
                made[shown] = self._make(shown, revocations)
            return made[shown]

        context = context_of(pairs)
        names = frozenset[str]().union(*(pair.names for pair in pairs))
        by_name = {name: context_of([pair for pair in pairs if name in pair.names]) for name in names}
        context.set_tlsext_servername_callback(lambda connection: _choose(connection, by_name))
        self._context, self._revocations = context, revocations
        self.shown = {pair.certificate: pair.leaf for pair in pairs}
        for authority in revocations.unlisted if revocations is not None else ():
            _log.warn(
                "tls.crl has no list of {authority}: charge points whose certificates it issued are refused, "
                "and authorities that it issued are believed",
                authority=authority.rfc4514_string(),
            )

    def lists_end(self, issuer: x509.Name) -> datetime:
        """Return when the first of the revocation lists runs out that a certificate of an issuer depends on."""
        return self._revocations.until(issuer) if self._revocations is not None else NEVER

    @property
    def lists(self) -> dict[str, datetime]:
        """When the revocation list of each authority runs out, by its name."""
        ends = self._revocations.ends if self._revocations is not None else {}
        return {authority.rfc4514_string(): end for authority, end in ends.items()}

    def _make(self, pairs: Sequence[_Pair], revocations: RevocationLists | None) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION)
        context.set_cipher_list(CIPHERS.encode())
        context.set_tls13_ciphersuites(TLS13_SUITES.encode())
        context.set_timeout(_RESUMABLE_S)
        # Without it OpenSSL refuses whoever resumes a session with a client certificate.
        context.set_session_id(_SESSIONS)
        for pair in pairs:
            pair.use(context)
        if self.client_ca is not None:
            _use("tls.client_ca", self.client_ca, context.load_verify_locations)
            if revocations is not None:
                revocations.use(context)
            demanded = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if self.demands_certificates else 0
            verify = revocations.verify if revocations is not None else take_the_verdict
            context.set_verify(SSL.VERIFY_PEER | demanded, remembering(verify))
        return context

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the TLS connection for a socket that was just accepted."""
        del protocol
        if self._context is None:
            raise CertificateError("no certificate was loaded")
        return SSL.Connection(self._context, None)


def _choose(connection: SSL.Connection, by_name: Mapping[str, SSL.Context]) -> None:
    """Show the certificates for the server name that a client asks for; for one that no certificate has, the default ones."""
    name = (connection.get_servername() or b"").decode("ascii", "replace").lower()
    chosen = by_name.get(name) or by_name.get(f"*.{name.partition('.')[2]}")
    if chosen is not None:
        connection.set_context(chosen)


def _pair(certificate: str, key: str) -> _Pair:
    found: list[x509.Certificate] = []
    _use("tls.certificate", certificate, lambda path: found.append(_certificate(path)))
    try:
        alternatives = found[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = alternatives.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        names = []
    if not names:
        names = certificates.names_in(found[0], NameOID.COMMON_NAME)
    return _Pair(certificate, key, found[0], type(found[0].public_key()), frozenset(name.lower() for name in names))


def _certificates(path: str) -> list[x509.Certificate]:
    try:
        return certificates.read_certificates(Path(path).read_bytes())
    except certificates.BadCertificate as error:
        raise ValueError(str(error)) from None


def _certificate(path: str) -> x509.Certificate:
    certificate = _certificates(path)[0]
    try:
        certificate.public_key()
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    return certificate


def _revocations(client_ca: str, crl: str) -> RevocationLists:
    authorities: list[x509.Certificate] = []
    _use("tls.client_ca", client_ca, lambda path: authorities.extend(_certificates(path)))
    found: list[RevocationLists] = []
    _use("tls.crl", crl, lambda path: found.append(RevocationLists.of(Path(path).read_bytes(), authorities)))
    return found[0]


def _private_key(path: str) -> Any:
    """Return the key in a PEM file; one with a passphrase is an error, not a question on the terminal."""
    try:
        return load_pem_private_key(Path(path).read_bytes(), password=None)
    except TypeError:
        raise ValueError("it is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("no private key in PEM") from None


def _use(setting: str, path: str, how: Callable[[str], object]) -> None:
    try:
        with Path(path).open("rb"):
            pass
        how(path)
    except OSError as error:
        raise CertificateError(f"{setting} {path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise CertificateError(f"{setting} {path} cannot be used: {error}") from None
    except SSL.Error as error:
        reasons = [entry[-1] for entry in error.args[0] if entry[-1]] if error.args else []
        raise CertificateError(
            f"{setting} {path} cannot be used: {reasons[-1] if reasons else 'no PEM file'}"
        ) from None
