"""Client certificates of charge points (security profile 3): whom a certificate names.

TLS has looked at the chain, and at the revocation lists (`csms.websocket.revocations`). Here is what it does not know: the
subject's O is, where the operator has told his name, the operator's (OCPP 2.0.1 A00.FR.509), and its CN is one of the charge
point's: its identity or, by the operator's word, its serial number (FR.405, FR.511; `csms.websocket.door`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from attrs import frozen
from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.protocols.tls import TLSMemoryBIOProtocol

from csms import certificates
from csms.websocket.revocations import NEVER


@frozen
class ClientCertificates:
    """Judges the certificates that were shown; without ``organization`` any O will do."""

    _now: Callable[[], datetime]
    _organization: str | None = None
    _lists_end: Callable[[x509.Name], datetime] = lambda _issuer: NEVER
    """When the first of the revocation lists runs out that a certificate of an issuer depends on."""

    def name(self, transport: Any) -> str | None:
        """Return whom the certificate of a transport names, nobody ("") as `named`, None where it has shown none."""
        certificate = shown_by(transport)
        return self.named(certificate) if certificate is not None else None

    def named(self, certificate: x509.Certificate) -> str:
        """Return whom a certificate names: nobody ("") where it is of another operator, or not valid now.

        Where a session is resumed TLS does not look again.
        """
        try:
            common_names = certificates.names_in(certificate, NameOID.COMMON_NAME)
            organizations = certificates.names_in(certificate, NameOID.ORGANIZATION_NAME)
        except ValueError:
            return ""
        is_ours = self._organization is None or organizations == [self._organization]
        now = self._now()
        is_valid = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
        is_valid = is_valid and now < self._lists_end(certificate.issuer)
        return common_names[0] if len(common_names) == 1 and is_ours and is_valid else ""


def shown_by(transport: Any) -> x509.Certificate | None:
    """Return the certificate that a transport has shown, None where it has shown none."""
    shown = transport.getPeerCertificate() if isinstance(transport, TLSMemoryBIOProtocol) else None
    return shown.to_cryptography() if shown is not None else None
