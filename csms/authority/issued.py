"""Looks at what another authority has signed, before it goes to a charge point: pure, and as slow as its arithmetic.

What comes is somebody else's word: whatever is wrong with it is one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from csms import certificates
from csms.authority.issuers import UNREADABLE, is_issued_by
from csms.authority.signing import ALLOWED_NAMES, LONGEST_CHAIN
from csms.certificates import BadCertificate
from csms.handlers.certificate_requests import Names, SigningFailed, described
from csms.ledger.certificates import Certificate

_MOST_CERTIFICATES = 6
_CLOCK_SKEW = timedelta(minutes=5)
"""What an authority has signed just now may begin a little later by its clock."""


def check_issued(
    chain: str, csr: str, names: Names, organization: str, roots: Sequence[x509.Certificate], now: datetime
) -> Certificate:
    """Return what a chain in PEM is about: the certificate of a charge point first, then those that lead to its root.

    Without ``roots`` any root is believed.

    :raises SigningFailed: it must not be sent.
    """
    if len(chain) > LONGEST_CHAIN:
        raise SigningFailed(f"the chain has {len(chain)} characters: charge points take {LONGEST_CHAIN}")
    try:
        found = certificates.read_certificates(chain.encode())
        if len(found) > _MOST_CERTIFICATES:
            raise SigningFailed(f"the chain has {len(found)} certificates: allowed are {_MOST_CERTIFICATES}")
        leaf = found[0]
        _check_leaf(leaf, csr, names, organization)
        for certificate in found:
            _check_time(certificate, now)
        _check_links(found, roots)
    except BadCertificate as error:
        raise SigningFailed(f"the chain holds {error}") from None
    except UNREADABLE:
        raise SigningFailed("a certificate of the chain cannot be read") from None
    return described(leaf)


def _check_leaf(leaf: x509.Certificate, csr: str, names: Names, organization: str) -> None:
    if not certificates.is_for(leaf, csr):
        raise SigningFailed("the certificate's key is not that of the request")
    common_names = certificates.names_in(leaf, NameOID.COMMON_NAME)
    if len(common_names) != 1 or common_names[0] not in names:
        raise SigningFailed(f"the certificate's CN is not {ALLOWED_NAMES}")
    if certificates.names_in(leaf, NameOID.ORGANIZATION_NAME) != [organization]:
        raise SigningFailed(f"the certificate's O is not {organization!r}")
    if _is_authority(leaf):
        raise SigningFailed("the certificate is an authority's")
    for extension in leaf.extensions:
        value = extension.value
        if isinstance(value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CLIENT_AUTH not in value:
            raise SigningFailed("the certificate is not for a client")


def _check_time(certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now + _CLOCK_SKEW:
        raise SigningFailed(f"a certificate is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC only")
    if now >= certificate.not_valid_after_utc:
        raise SigningFailed(f"a certificate was valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")


def _check_links(chain: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> None:
    for below, above in pairwise(chain):
        if not _has_issued(above, below):
            raise SigningFailed("a certificate of the chain is not signed by the one after it")
    if roots and chain[-1] not in roots and not any(_has_issued(root, chain[-1]) for root in roots):
        raise SigningFailed("the chain does not lead to a certificate of pki.roots")


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    return is_issued_by(certificate, issuer) and _is_authority(issuer)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
