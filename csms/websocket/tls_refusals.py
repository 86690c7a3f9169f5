"""Why TLS refused somebody: his client certificate, or that he had none where one is demanded.

He has not said yet who he is. His certificate's own words about that are nobody's proof, but name whom it is about.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.protocols.tls import TLSMemoryBIOProtocol

from csms import certificates
from csms.websocket.handshake import Refusal

BY_TLS = 0
"""The status of such a refusal: there is no HTTP yet."""
_NONE_SHOWN = "peer did not return a certificate"
_NO_LIST, _EXPIRED, _LIST_EXPIRED, _REVOKED = 3, 10, 12, 23
"""X509_V_ERR_UNABLE_TO_GET_CRL, _CERT_HAS_EXPIRED, _CRL_HAS_EXPIRED and _CERT_REVOKED."""
_WHY = {
    _REVOKED: ("revokedCertificate", "its certificate, or one of its chain, was revoked"),
    _EXPIRED: ("expiredCertificate", "a certificate of its chain has ended"),
    _NO_LIST: ("noRevocationList", "an authority of its chain has no list in tls.crl"),
    _LIST_EXPIRED: ("noRevocationList", "the list of an authority of its chain in tls.crl has run out"),
}
_OTHERWISE = ("badCertificate", "its certificate does not lead to tls.client_ca, or is not for a client")

Verify = Callable[[SSL.Connection, crypto.X509, int, int, int], bool]
"""A callback of a context: connection, certificate, error, depth, whether OpenSSL would go on."""


@frozen
class _Found:
    name: str | None
    error: int


def remembering(verify: Verify) -> Verify:
    """Return a callback that leaves at the connection what it refused, for `refusal_of`."""

    def callback(connection: SSL.Connection, shown: crypto.X509, error: int, depth: int, ok: int) -> bool:
        # One that has ended goes on: whether its charge point may come with it is for the door to say (A00.FR.429).
        if verify(connection, shown, error, depth, ok) or (error == _EXPIRED and depth == 0 and not ok):
            return True
        connection.set_app_data(_Found(_name(shown) if depth == 0 else None, error))
        return False

    return callback


def refusal_of(transport: object, error: SSL.Error) -> tuple[str | None, Refusal] | None:
    """Return whom the certificate names that TLS refused, as far as that is known, and why; None where it was something else."""
    connection = transport.getHandle() if isinstance(transport, TLSMemoryBIOProtocol) else None
    found = connection.get_app_data() if connection is not None else None
    if isinstance(found, _Found):
        why, reason = _WHY.get(found.error, _OTHERWISE)
        return found.name, Refusal(BY_TLS, reason, why)
    reasons = [entry[-1] for entry in error.args[0]] if error.args and isinstance(error.args[0], list) else []
    if _NONE_SHOWN in reasons:
        return None, Refusal(BY_TLS, "it has shown no client certificate", "noCertificate")
    return None


def _name(shown: crypto.X509) -> str | None:
    try:
        names = certificates.names_in(shown.to_cryptography(), NameOID.COMMON_NAME)
    except ValueError:
        return None
    is_one = len(names) == 1 and 0 < len(names[0]) <= certificates.LONGEST_NAME and names[0].isprintable()
    return names[0] if is_one else None
