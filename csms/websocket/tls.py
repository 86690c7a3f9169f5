"""Direct TLS for charge points: contexts of pyOpenSSL, replaced on SIGHUP; running connections keep theirs.

TLS 1.2 and 1.3; for 1.2 the suites that the OCPP security profiles demand, and their forward-secret kin. ECDSA and RSA
certificates may be configured at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from csms.websocket.client_certificates import use_revocations

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384"
)

_SESSIONS = b"csms"


class CertificateError(Exception):
    """A certificate or key cannot be used; the message is one line that names the setting and the file."""


@implementer(IOpenSSLServerConnectionCreator)
@define(eq=False)
class ChargePointTls:
    """Creates the TLS side of each new connection from the certificates that were loaded last."""

    certificates: Sequence[str]
    keys: Sequence[str]
    client_ca: str | None = None
    crl: str | None = None
    demands_certificates: bool = False
    """Whether nobody comes in who shows no client certificate; else one is only asked for."""
    _context: SSL.Context | None = field(init=False, default=None)

    def load(self) -> None:
        """Read the files.

        :raises CertificateError: they cannot be used; what was loaded before stays in use.
        """
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_RENEGOTIATION)
        context.set_cipher_list(CIPHERS.encode())
        for certificate, key in zip(self.certificates, self.keys, strict=True):
            _use("tls.certificate", certificate, context.use_certificate_chain_file)
            _use("tls.key", key, lambda path: context.use_privatekey(_private_key(path)))
            _use("tls.key", key, lambda _path: context.check_privatekey())
        if self.client_ca is not None:
            _use("tls.client_ca", self.client_ca, context.load_verify_locations)
            if self.crl is not None:
                _use("tls.crl", self.crl, lambda path: use_revocations(context, path))
            demanded = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if self.demands_certificates else 0
            context.set_verify(SSL.VERIFY_PEER | demanded, lambda *verdict: bool(verdict[-1]))
            # Without it OpenSSL refuses whoever resumes a session with a client certificate.
            context.set_session_id(_SESSIONS)
        self._context = context

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the TLS connection for a socket that was just accepted."""
        del protocol
        if self._context is None:
            raise CertificateError("no certificate was loaded")
        return SSL.Connection(self._context, None)


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
