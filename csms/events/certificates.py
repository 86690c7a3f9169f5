"""Business events about the certificates of charge points. What of OCPP 1.6 has no type is of the charge point itself."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, UnsetType

from csms.events.payload import PayloadStruct


class SigningRequested(PayloadStruct, frozen=True, kw_only=True):
    """A charge point asked for a certificate, and another authority has to sign it: by the command CertificateSigned.

    ``request_id`` is of OCPP 2.1; where it is there the command has to have it.
    """

    csr: str
    certificate_type: str | UnsetType = UNSET
    request_id: int | UnsetType = UNSET


class CertificateSigned(PayloadStruct, frozen=True, kw_only=True):
    """A charge point asked for a certificate, and it was signed: by the authority of this daemon, or by the one that it asked."""

    serial_number: str
    not_before: datetime
    not_after: datetime
    certificate_type: str | UnsetType = UNSET


class CertificateRefused(PayloadStruct, frozen=True, kw_only=True):
    """A charge point asked for a certificate that it does not get, or does not take the one that it got (`serial_number`)."""

    reason: str
    serial_number: str | UnsetType = UNSET
    certificate_type: str | UnsetType = UNSET


class CertificateInstalled(PayloadStruct, frozen=True, kw_only=True):
    """A charge point took the certificate that it was sent."""

    serial_number: str
    not_after: datetime
    certificate_type: str | UnsetType = UNSET


class CertificateExpiring(PayloadStruct, frozen=True, kw_only=True):
    """The certificate of a charge point ends soon, or has ended: told once of each.

    One of the daemon's own (`ServerCertificate`) is told of as one of the charge point `:daemon`, which there cannot be.
    """

    serial_number: str
    not_after: datetime
    certificate_type: str | UnsetType = UNSET


EVENT_TYPES: dict[str, type[PayloadStruct]] = {
    "signing_requested": SigningRequested,
    "certificate_signed": CertificateSigned,
    "certificate_refused": CertificateRefused,
    "certificate_installed": CertificateInstalled,
    "certificate_expiring": CertificateExpiring,
}
CertificateEvent = (
    SigningRequested | CertificateSigned | CertificateRefused | CertificateInstalled | CertificateExpiring
)
