"""Those outside who are asked about certificates of ISO 15118, as handlers ask them (OCPP 2.x M01, M02, M06, M07)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

from attrs import frozen
from cryptography.x509 import Certificate
from msgspec import Struct
from twisted.internet.defer import Deferred

from csms.handlers.contracts import OcspData

CertificateState = Literal["Good", "Revoked", "Unknown"]


class OcspAnswer(Struct, frozen=True):
    """What a responder says of a certificate, and its OCSPResponse in DER (RFC 6960 §4.2.1)."""

    state: CertificateState
    der: bytes
    next_update: datetime | None
    is_verified: bool
    """Whether its issuer is known, and has signed the answer: one that is signed wrongly is none."""


class NoAnswer(Exception):
    """Nobody could say; ``reason_code`` is for a StatusInfoType, the message is one line."""

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code

    @property
    def status_info(self) -> dict[str, str]:
        """Return the StatusInfoType."""
        return {"reason_code": self.reason_code[:20], "additional_info": str(self)[:512]}


class Responders(Protocol):
    """The OCSP responders that may be asked."""

    def ask(self, data: OcspData, issuer: Certificate | None = None) -> Deferred[OcspAnswer]:
        """Ask about a certificate, whose issuer may be known; fails with `NoAnswer`, and answers within a bound of time."""


class EvCertificate(Struct, frozen=True):
    """What a provider answers a car; ``exi_response`` is base64."""

    status: Literal["Accepted", "Failed"]
    exi_response: str
    remaining_contracts: int | None = None
    status_info: Mapping[str, str] | None = None


class EvCertificates(Protocol):
    """A provider of contract certificates."""

    def ask(self, client_id: str, request: Mapping[str, Any]) -> Deferred[EvCertificate]:
        """Pass a Get15118EVCertificateRequest on; fails with `NoAnswer`, and answers within a bound of time."""


@frozen
class Providers:
    """Who is configured."""

    responders: Responders | None = None
    ev_certificates: EvCertificates | None = None


NOBODY = Providers()
