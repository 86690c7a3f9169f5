"""Contract certificates of ISO 15118 against the installed roots: pure, and as slow as its arithmetic.

A chain is followed from the contract certificate up to a root; the certificates between come with it, or are installed beside
the roots. What comes from a car is hostile: whatever is wrong with it is ``CertChainError``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from attrs import define, field
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import Certificate, ocsp
from cryptography.x509.oid import ExtensionOID, NameOID

from csms.handlers.contracts import CertificateStatus, Contract, OcspData

_LONGEST_CHAIN = 16 * 1024
"""OCPP 2.1 allows 10,000 characters."""
_MOST_CERTIFICATES = 6
_MOST_HASHES = 4
_EMAID_WITHOUT_CHECK_DIGIT = 14
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
_STRONG = frozenset({"sha256", "sha384", "sha512", None})
"""Ed25519 and Ed448 name no hash."""
_UNDERSTOOD = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE})
_BAD = (
    ValueError,
    TypeError,
    KeyError,
    UnsupportedAlgorithm,
    InvalidSignature,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What the library makes of a certificate that is none."""


class BadChain(Exception):
    """A chain cannot be verified; the message says why."""


@define(eq=False)
class Roots:
    """The certificates that the operator installed: those that signed themselves are roots, others are links to them."""

    roots: Sequence[Certificate]
    links: Sequence[Certificate] = ()
    _by_hash: dict[str, frozenset[tuple[str, str]]] = field(factory=dict)

    @classmethod
    def of(cls, certificates: Iterable[Certificate]) -> Roots:
        """Sort certificates."""
        installed = list(certificates)
        roots = [certificate for certificate in installed if _is_issued_by(certificate, certificate)]
        return cls(roots, [certificate for certificate in installed if certificate not in roots])

    def knows_issuer(self, data: OcspData) -> bool:
        """Tell whether the issuer that is meant is installed."""
        algorithm = data.hash_algorithm
        known = self._by_hash.get(algorithm)
        if known is None:
            known = frozenset(_hashes_of(certificate, algorithm) for certificate in (*self.roots, *self.links))
            self._by_hash[algorithm] = known
        return (data.issuer_name_hash.lower(), data.issuer_key_hash.lower()) in known


def verify(contract: Contract, roots: Roots, now: datetime) -> CertificateStatus:
    """Verify a contract certificate (OCPP 2.x C07.FR.13 to FR.17), as far as it can be known without asking anybody.

    Of hashes alone it can be known that the issuer of one of them is installed; the station has seen the certificates.
    """
    try:
        chain = _checked(contract, roots)
    except (BadChain, *_BAD):
        return "CertChainError"
    if any(certificate.not_valid_before_utc > now for certificate in chain):
        return "CertChainError"
    return "CertificateExpired" if any(certificate.not_valid_after_utc <= now for certificate in chain) else "Accepted"


def _checked(contract: Contract, roots: Roots) -> Sequence[Certificate]:
    """Return the chain of a contract, none where only hashes were shown."""
    if len(contract.hashes) > _MOST_HASHES or any(item.hash_algorithm not in _HASHES for item in contract.hashes):
        raise BadChain("the OCSP data are not understood")
    if contract.chain is None:
        if not any(roots.knows_issuer(item) for item in contract.hashes):
            raise BadChain("no issuer is installed")
        return ()
    chain = chain_of(contract.chain, roots)
    if not _is_for(chain[0], contract.emaid):
        raise BadChain("it is for another EMAID")
    if not all(_matches(item, chain) for item in contract.hashes):
        raise BadChain("the OCSP data are of other certificates")
    return chain


def chain_of(pem: str, roots: Roots) -> Sequence[Certificate]:
    """Return the certificates from the contract's up to a root, each issued by the next; their times are not looked at.

    :raises BadChain: there is no such chain.
    :raises ValueError, …: see `_BAD`.
    """
    if len(pem) > _LONGEST_CHAIN:
        raise BadChain("it is too long")
    leaf, *given = x509.load_pem_x509_certificates(pem.encode())
    if len(given) > _MOST_CERTIFICATES:
        raise BadChain("it has too many certificates")
    if _constraints(leaf, "is the contract's").ca:
        raise BadChain("the first certificate is an authority's")
    chain = [leaf]
    links = [*given, *roots.links]
    while len(chain) <= _MOST_CERTIFICATES:
        issuer = _issuer(chain[-1], roots.roots)
        if issuer is not None:
            _check_authority(issuer, len(chain) - 1)
            return [*chain, issuer]
        issuer = _issuer(chain[-1], links)
        if issuer is None or issuer in chain:
            raise BadChain("it does not lead to a root that is installed")
        _check_authority(issuer, len(chain) - 1)
        chain.append(issuer)
    raise BadChain("it has too many certificates")


def _issuer(certificate: Certificate, candidates: Iterable[Certificate]) -> Certificate | None:
    return next((candidate for candidate in candidates if _is_issued_by(certificate, candidate)), None)


def _is_issued_by(certificate: Certificate, issuer: Certificate) -> bool:
    if certificate.issuer != issuer.subject or _hash_name(certificate) not in _STRONG:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except _BAD:
        return False
    return True


def _hash_name(certificate: Certificate) -> str | None:
    algorithm = certificate.signature_hash_algorithm
    return algorithm.name if algorithm is not None else None


def _check_authority(certificate: Certificate, below: int) -> None:
    """Check that a certificate may have issued another, with so many authorities below it (RFC 5280 §4.2.1.9, §4.2.1.3)."""
    constraints = _constraints(certificate, "issued another")
    if not constraints.ca:
        raise BadChain("a certificate that issued another is no authority's")
    if constraints.path_length is not None and below > constraints.path_length:
        raise BadChain("an authority may not have so many below it")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        raise BadChain("an authority may not sign certificates")


def _constraints(certificate: Certificate, role: str) -> x509.BasicConstraints:
    """Return what an authority may do, nothing where it does not say; what is critical has to be understood."""
    for extension in certificate.extensions:
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise BadChain(f"a certificate that {role} demands {extension.oid.dotted_string}")
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return x509.BasicConstraints(ca=False, path_length=None)


def _is_for(certificate: Certificate, emaid: str) -> bool:
    """Tell whether a certificate's common name is the EMAID, whatever its separators and with or without check digit."""
    shown = _plain(emaid)
    return any(
        _same_emaid(_plain(str(attribute.value)), shown)
        for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    )


def _same_emaid(one: str, other: str) -> bool:
    if one == other:
        return bool(one)
    shorter, longer = sorted((one, other), key=len)
    return len(shorter) == _EMAID_WITHOUT_CHECK_DIGIT == len(longer) - 1 and longer.startswith(shorter)


def _plain(emaid: str) -> str:
    return emaid.replace("-", "").replace("*", "").strip().casefold()


def _matches(data: OcspData, chain: Sequence[Certificate]) -> bool:
    """Tell whether OCSP data are of a certificate of the chain."""
    wanted = (data.issuer_name_hash.lower(), data.issuer_key_hash.lower())
    serial = data.serial_number.lower().lstrip("0")
    return any(
        f"{certificate.serial_number:x}" == serial and _hashes_of(issuer, data.hash_algorithm) == wanted
        for certificate, issuer in pairwise(chain)
    )


def _hashes_of(issuer: Certificate, algorithm: str) -> tuple[str, str]:
    """Return the hashes of an issuer's name and key, as OCSP has them (RFC 6960 §4.1.1)."""
    chosen = _HASHES[algorithm]
    name = hashes.Hash(chosen)
    name.update(issuer.subject.public_bytes())
    # The name in this request is of the issuer's own issuer; the key is the one that is meant.
    request = ocsp.OCSPRequestBuilder().add_certificate(issuer, issuer, chosen).build()
    return name.finalize().hex(), request.issuer_key_hash.hex()
