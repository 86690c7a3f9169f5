"""Client certificates of charge points (security profile 3): revocation lists, and whom a certificate names.

TLS has looked at the chain. Here is what it does not know: the subject's CN is the identity of the charge point and its O, where the
operator has told his name, the operator's (OCPP 2.0.1 A00.FR.509, FR.511).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from attrs import frozen
from cryptography import x509
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.protocols.tls import TLSMemoryBIOProtocol

from csms import certificates

_LIST = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_NEVER = datetime.max.replace(tzinfo=UTC)


def use_revocations(context: SSL.Context, path: str) -> dict[x509.Name, datetime]:
    """Have a context refuse certificates that were revoked, and all whose authority has no list in the file that is valid.

    Returns when the list of each authority runs out.

    :raises ValueError: the file holds no revocation list.
    """
    found = [x509.load_pem_x509_crl(text) for text in _LIST.findall(Path(path).read_bytes())]
    store = context.get_cert_store()
    if not found or store is None:
        raise ValueError("no revocation list in PEM")
    for revocations in found:
        store.add_crl(revocations)
    store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
    ends: dict[x509.Name, datetime] = {}
    for revocations in found:
        end = revocations.next_update_utc or _NEVER
        ends[revocations.issuer] = max(end, ends.get(revocations.issuer, end))
    return ends


@frozen
class ClientCertificates:
    """Judges the certificates that were shown; without ``organization`` any O will do."""

    _now: Callable[[], datetime]
    _organization: str | None = None
    _lists_end: Callable[[], Mapping[x509.Name, datetime]] = dict
    """When the revocation list of an authority runs out, for those that have to have one."""

    def certified(self, transport: Any, client_id: str) -> bool | None:
        """Tell whether the certificate of a transport names a charge point, None where it has shown none."""
        shown = transport.getPeerCertificate() if isinstance(transport, TLSMemoryBIOProtocol) else None
        if shown is None:
            return None
        return self.names(shown.to_cryptography(), client_id)

    def names(self, certificate: x509.Certificate, client_id: str) -> bool:
        """Tell whether a certificate names a charge point, and is valid now: where a session is resumed TLS does not look again."""
        try:
            common_names = certificates.names_in(certificate, NameOID.COMMON_NAME)
            organizations = certificates.names_in(certificate, NameOID.ORGANIZATION_NAME)
        except ValueError:
            return False
        is_ours = self._organization is None or organizations == [self._organization]
        now = self._now()
        is_valid = certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc
        is_valid = is_valid and now < self._lists_end().get(certificate.issuer, _NEVER)
        return common_names == [client_id] and is_ours and is_valid
