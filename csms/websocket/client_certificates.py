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
class Shown:
    """A client certificate: whom it names, nobody ("") where it is worth nothing, and whether it has ended."""

    name: str
    has_expired: bool = False


@frozen
class ClientCertificates:
    """Judges the certificates that were shown; without ``organization`` any O will do."""

    _now: Callable[[], datetime]
    _organization: str | None = None
    _lists_end: Callable[[x509.Name], datetime] = lambda _issuer: NEVER
    """When the first of the revocation lists runs out that a certificate of an issuer depends on."""

    def shown(self, transport: Any) -> Shown | None:
        """Judge the certificate of a transport; None where it has shown none."""
        certificate = shown_by(transport)
        return self.judge(certificate) if certificate is not None else None

    def judge(self, certificate: x509.Certificate) -> Shown:
        """Return whom a certificate names: nobody where it is of another operator, or not valid yet, or its lists have run out.

        Where a session is resumed TLS does not look again.
        """
        try:
            common_names = certificates.names_in(certificate, NameOID.COMMON_NAME)
            organizations = certificates.names_in(certificate, NameOID.ORGANIZATION_NAME)
        except ValueError:
            return Shown("")
        is_ours = self._organization is None or organizations == [self._organization]
        now = self._now()
        is_good = is_ours and certificate.not_valid_before_utc <= now < self._lists_end(certificate.issuer)
        name = common_names[0] if len(common_names) == 1 and is_good else ""
        return Shown(name, now >= certificate.not_valid_after_utc)


def shown_by(transport: Any) -> x509.Certificate | None:
    """Return the certificate that a transport has shown, None where it has shown none."""
    shown = transport.getPeerCertificate() if isinstance(transport, TLSMemoryBIOProtocol) else None
    return shown.to_cryptography() if shown is not None else None
