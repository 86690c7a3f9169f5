"""The certificates of charge points: signed, refused, installed, about to end. What is installed is kept as a fact, one a type."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, Struct
from msgspec.structs import replace

from csms.events.certificates import (
    CertificateExpiring,
    CertificateInstalled,
    CertificateRefused,
    CertificateSigned,
    SigningRequested,
)
from csms.ledger import facts
from csms.ledger.chargepoints import record
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.provisioning import provisioned
from csms.ledger.state import ChargePointState

KIND = "certificate"
NOTICE = "certificate_notice"
"""The kind of the fact that says which certificate was announced to end: apart, so that neither is written over the other."""
REQUEST = "signing_request"
"""The kind of the fact that says what is to be signed, or was and is on its way: the latest request of each charge point."""
OWN = "ChargingStationCertificate"
"""The key of a certificate without a type: the charge point's own."""
USED = "used"
"""The key of the certificate that a charge point came with last; one that it was given may not be in use yet."""
SERVER = "ServerCertificate"
"""The type of the daemon's own certificates."""


class Certificate(Struct, frozen=True, rename="camel"):
    """A certificate that a charge point has."""

    serial_number: str
    not_before: datetime
    not_after: datetime


class Notice(Struct, frozen=True, rename="camel"):
    """The certificate that was announced last."""

    serial_number: str


class SigningRequest(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a charge point wants to be signed; ``request_id`` is of OCPP 2.1 (A02.FR.25)."""

    csr: str
    asked_at: datetime
    certificate_type: str | None = None
    request_id: int | None = None
    is_answered: bool = False
    """The certificate is here, and on its way to the charge point."""
    chain: str | None = None
    """The certificate with its chain in PEM, as long as it is on its way."""
    is_settled: bool = False
    """The charge point has said what it thinks of it, or there will be none."""


def request(
    state: ChargePointState, context: Context, *, kind: str, body: object, wanted: SigningRequest, is_elsewhere: bool
) -> Decision[None]:
    """Keep a request until it is answered, in place of the one before; where another authority has to, it is published."""
    draft = Draft(state, context)
    draft.change(record(state, context, kind, body))
    facts.know(draft, context, REQUEST, OWN, wanted)
    if is_elsewhere:
        draft.emit(
            "signing_requested",
            SigningRequested(
                csr=wanted.csr,
                certificate_type=wanted.certificate_type or UNSET,
                request_id=wanted.request_id if wanted.request_id is not None else UNSET,
            ),
        )
    return draft.decide(None)


def answer(
    state: ChargePointState, context: Context, wanted: SigningRequest, certificate: Certificate
) -> Decision[None]:
    """A certificate was signed, and is kept with its chain; the charge point does not have it yet."""
    draft = Draft(state, context)
    draft.emit(
        "certificate_signed",
        CertificateSigned(
            serial_number=certificate.serial_number,
            not_before=certificate.not_before,
            not_after=certificate.not_after,
            certificate_type=wanted.certificate_type or UNSET,
        ),
    )
    facts.know(draft, context, REQUEST, OWN, wanted)
    return draft.decide(None)


def settle(state: ChargePointState, context: Context, wanted: SigningRequest) -> Decision[None]:
    """Nothing more will come of a request."""
    draft = Draft(state, context)
    facts.know(draft, context, REQUEST, OWN, replace(wanted, is_settled=True, chain=None))
    return draft.decide(None)


def give_up(state: ChargePointState, context: Context, wanted: SigningRequest, reason: str) -> Decision[None]:
    """Nothing comes of a request, and that is said."""
    draft = Draft(state, context)
    draft.take(fail(state, context, reason=reason, serial_number=None, certificate_type=wanted.certificate_type))
    draft.take(settle(draft.state, context, wanted))
    return draft.decide(None)


def refuse(
    state: ChargePointState,
    context: Context,
    *,
    kind: str,
    body: object,
    reason: str,
    certificate_type: str | None,
) -> Decision[None]:
    """Keep a request for a certificate that is not signed, and say why."""
    draft = Draft(state, context)
    draft.change(record(state, context, kind, body))
    draft.emit("certificate_refused", CertificateRefused(reason=reason, certificate_type=certificate_type or UNSET))
    return draft.decide(None)


def fail(
    state: ChargePointState, context: Context, *, reason: str, serial_number: str | None, certificate_type: str | None
) -> Decision[None]:
    """A certificate that was promised is not there: the authority failed, or the charge point does not take it."""
    draft = Draft(state, context)
    draft.emit(
        "certificate_refused",
        CertificateRefused(
            reason=reason, serial_number=serial_number or UNSET, certificate_type=certificate_type or UNSET
        ),
    )
    return draft.decide(None)


def install(
    state: ChargePointState, context: Context, certificate: Certificate, certificate_type: str | None
) -> Decision[None]:
    """The charge point took a certificate (CertificateSigned was Accepted): it takes the place of the one before.

    One that had ended and was let in all the same is not let in again.
    """
    draft = Draft(state, context)
    if state.has_expired_certificate:
        _end_permission(draft)
    facts.know(draft, context, KIND, certificate_type or OWN, certificate)
    draft.emit(
        "certificate_installed",
        CertificateInstalled(
            serial_number=certificate.serial_number,
            not_after=certificate.not_after,
            certificate_type=certificate_type or UNSET,
        ),
    )
    return draft.decide(None)


def use(state: ChargePointState, context: Context, certificate: Certificate) -> Decision[None]:
    """The charge point has come with a certificate (security profile 3): its end is watched.

    By one that has not ended it shows that it no longer needs to come with one that has, however it got it.
    """
    draft = Draft(state, context)
    if ends_permission(state, certificate, context.now):
        _end_permission(draft)
    facts.know(draft, context, KIND, USED, certificate)
    return draft.decide(None)


def ends_permission(state: ChargePointState, certificate: Certificate, now: datetime) -> bool:
    """Tell whether a charge point that may come with a certificate that has ended may do so no more, by what it came with."""
    return state.charge_point.accept_expired_certificate and now < certificate.not_after


def _end_permission(draft: Draft) -> None:
    charge_point = replace(draft.state.charge_point, accept_expired_certificate=False)
    draft.state = replace(draft.state, charge_point=charge_point)
    draft.change(provisioned(charge_point))


def announce(state: ChargePointState, context: Context, certificate: Certificate, key: str) -> Decision[None]:
    """Say that a certificate ends soon, and remember under its key that it was said."""
    draft = Draft(state, context)
    facts.know(draft, context, NOTICE, key, Notice(certificate.serial_number))
    draft.emit(
        "certificate_expiring",
        CertificateExpiring(
            serial_number=certificate.serial_number,
            not_after=certificate.not_after,
            certificate_type=OWN if key == USED else key.partition(" ")[0],
        ),
    )
    return draft.decide(None)
