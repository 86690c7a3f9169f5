"""Who issued a certificate, and how OCSP names it."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import Certificate, ocsp

HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
"""HashAlgorithmEnumType."""
STRONG = frozenset({"sha256", "sha384", "sha512", None})
"""Ed25519 and Ed448 name no hash."""
UNREADABLE = (
    ValueError,
    TypeError,
    KeyError,
    UnsupportedAlgorithm,
    InvalidSignature,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library makes of a certificate, or an OCSP response, that is none."""


def is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    """Tell whether an issuer has signed a certificate."""
    if certificate.issuer != issuer.subject or _hash_name(certificate) not in STRONG:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except UNREADABLE:
        return False
    return True


def hashes_of(issuer: Certificate, algorithm: str) -> tuple[str, str]:
    """Return the hashes of an issuer's name and key, as OCSP has them (RFC 6960 §4.1.1)."""
    chosen = HASHES[algorithm]
    name = hashes.Hash(chosen)
    name.update(issuer.subject.public_bytes())
    # The name in this request is of the issuer's own issuer; the key is the one that is meant.
    request = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, chosen).build()
    return name.finalize().hex(), request.issuer_key_hash.hex()


def _hash_name(certificate: Certificate) -> str | None:
    algorithm = certificate.signature_hash_algorithm
    return algorithm.name if algorithm is not None else None
