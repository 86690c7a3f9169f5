"""Contract certificates of ISO 15118 against the installed roots: pure, and as slow as its arithmetic.

A chain is followed from the contract certificate up to a root; the certificates between come with it, or are installed beside
the roots. What comes from a car is hostile: whatever is wrong with it is ``CertChainError``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from attrs import define, field
from cryptography import x509
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtensionOID, NameOID
from msgspec import Struct

from csms.authority.issuers import HASHES, UNREADABLE, hashes_of, is_issued_by
from csms.authority.ocsp_messages import data_for, issuer_of
from csms.handlers.contracts import CertificateStatus, Contract, OcspData

_LONGEST_CHAIN = 16 * 1024
"""OCPP 2.1 allows 10,000 characters."""
_MOST_CERTIFICATES = 6
_MOST_HASHES = 4
_EMAID_WITHOUT_CHECK_DIGIT = 14
_UNDERSTOOD = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE})


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
        roots = [certificate for certificate in installed if is_issued_by(certificate, certificate)]
        return cls(roots, [certificate for certificate in installed if certificate not in roots])

    def knows_issuer(self, data: OcspData) -> bool:
        """Tell whether the issuer that is meant is installed."""
        algorithm = data.hash_algorithm
        known = self._by_hash.get(algorithm)
        if known is None:
            known = frozenset(hashes_of(certificate, algorithm) for certificate in (*self.roots, *self.links))
            self._by_hash[algorithm] = known
        return (data.issuer_name_hash.lower(), data.issuer_key_hash.lower()) in known


class Inquiry(Struct, frozen=True):
    """What is still to be asked of an OCSP responder, and whoever issued the certificate, where it is known."""

    data: OcspData
    issuer: Certificate | None


class Verified(Struct, frozen=True):
    """What is known of a contract certificate; where it is Accepted, what has to be Good for that."""

    status: CertificateStatus
    inquiries: Sequence[Inquiry] = ()


def verify(contract: Contract, roots: Roots, now: datetime) -> Verified:
    """Verify a contract certificate (OCPP 2.x C07.FR.13 to FR.17), as far as it can be known without asking anybody.

    Of hashes alone it can be known that the issuer of one of them is installed; the station has seen the certificates.
    """
    try:
        chain = _checked(contract, roots)
        inquiries = list(_inquiries(contract, chain, roots))
    except (BadChain, *UNREADABLE):
        return Verified("CertChainError")
    if any(certificate.not_valid_before_utc > now for certificate in chain):
        return Verified("CertChainError")
    if any(certificate.not_valid_after_utc <= now for certificate in chain):
        return Verified("CertificateExpired")
    return Verified("Accepted", inquiries)


def _inquiries(contract: Contract, chain: Sequence[Certificate], roots: Roots) -> Iterator[Inquiry]:
    """Give what the station says is to be asked, and then what certificates themselves do that it does not name."""
    known = [*chain, *roots.links, *roots.roots]
    for item in contract.hashes:
        yield Inquiry(item, issuer_of(item, known))
    for certificate, issuer in pairwise(chain):
        if not any(_is_of(item, certificate, issuer) for item in contract.hashes):
            data = data_for(certificate, issuer)
            if data is not None:
                yield Inquiry(data, issuer)


def _checked(contract: Contract, roots: Roots) -> Sequence[Certificate]:
    """Return the chain of a contract, none where only hashes were shown."""
    if len(contract.hashes) > _MOST_HASHES or any(item.hash_algorithm not in HASHES for item in contract.hashes):
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
    :raises ValueError, …: see `UNREADABLE`.
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
    return next((candidate for candidate in candidates if is_issued_by(certificate, candidate)), None)


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
    return any(_is_of(data, certificate, issuer) for certificate, issuer in pairwise(chain))


def _is_of(data: OcspData, certificate: Certificate, issuer: Certificate) -> bool:
    serial = data.serial_number.lower().lstrip("0")
    return f"{certificate.serial_number:x}" == serial and issuer_of(data, [issuer]) is not None
