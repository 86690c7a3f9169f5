"""Contract certificates of ISO 15118 as handlers ask for them (OCPP 2.x C07)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct
from twisted.internet.defer import Deferred

from csms.ledger.authorization import TagInfo, TagStatus

CertificateStatus = Literal[
    "Accepted",
    "SignatureError",
    "CertificateExpired",
    "CertificateRevoked",
    "NoCertificateAvailable",
    "CertChainError",
    "ContractCancelled",
]
"""AuthorizeCertificateStatusEnumType."""
_CANCELLED: frozenset[TagStatus] = frozenset({"Blocked", "Expired", "Invalid", "Unknown"})


class OcspData(Struct, frozen=True):
    """What an OCSP responder is asked about a certificate (OCSPRequestDataType)."""

    hash_algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial_number: str
    responder_url: str


class Contract(Struct, frozen=True):
    """What a car has shown: its EMAID, and its certificate chain (PEM, from the leaf up) or only its hashes."""

    emaid: str
    chain: str | None
    hashes: tuple[OcspData, ...] = ()


class Contracts(Protocol):
    """Somebody who verifies contract certificates."""

    def check(self, contract: Contract, now: datetime) -> Deferred[CertificateStatus]:
        """Verify one, within a bound of time; never ``ContractCancelled``, which is about the EMAID."""


def refused(status: CertificateStatus) -> TagInfo:
    """Return what the EMAID of a certificate is told that is not Accepted (C07.FR.15 to FR.17)."""
    return TagInfo("Expired" if status == "CertificateExpired" else "Invalid")


def status_with(info: TagInfo) -> CertificateStatus:
    """Return the status of a certificate that is valid, with what its EMAID is told (C07.FR.13, FR.14)."""
    return "ContractCancelled" if info.status in _CANCELLED else "Accepted"
