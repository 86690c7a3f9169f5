"""SignCertificate and CertificateSigned, the same in every version (security whitepaper A02, A03; OCPP 2.x A02, A03).

A request is held against the policy before it is answered. Signing follows, and CertificateSigned when the answer has left
(`csms.chargepoint.certificates`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from attrs import define, field
from cryptography.x509 import Certificate as Certificate509
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms import certificates as x509
from csms.handlers.command_set import Learner, Payload
from csms.handlers.kept import kept
from csms.handlers.request import Reply, Request
from csms.ledger import certificates, chargepoints
from csms.ledger.certificates import OWN, Certificate, SigningRequest
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState
from csms.store import certificates as stored

_log = Logger()
ACTION = "SignCertificate"
ANSWER = "CertificateSigned"
Names = frozenset[str]
"""The CNs that name a charge point: its identity and, by the operator's word, its serial number (A00.FR.511)."""


class Wanted(Struct, frozen=True, kw_only=True):
    """A request that is accepted; ``request_id`` is of OCPP 2.1 (A02.FR.25)."""

    client_id: str
    csr: str
    certificate_type: str | None
    request_id: int | None
    message_id: str | None

    def kept(self, asked_at: datetime) -> SigningRequest:
        """Return it as it is kept until it is signed."""
        return SigningRequest(
            csr=self.csr, asked_at=asked_at, certificate_type=self.certificate_type, request_id=self.request_id
        )


class Signed(Struct, frozen=True):
    """A certificate for a charge point, and its chain in PEM: itself first, without the root."""

    certificate: Certificate
    chain: str


def described(leaf: Certificate509) -> Certificate:
    """Return what is kept of a certificate."""
    return Certificate(x509.serial_of(leaf), leaf.not_valid_before_utc, leaf.not_valid_after_utc)


class SigningFailed(Exception):
    """The authority does not sign; the message is one line."""


class SigningPolicy(Protocol):
    """What requests are held against; what takes time is done on a thread."""

    def fault(self, csr: str, names: Names, now: datetime) -> Deferred[str | None]:
        """Return why a request of a charge point with these names is not signed, None where it is."""


class Signer(SigningPolicy, Protocol):
    """The authority of this daemon."""

    def sign(self, csr: str, names: Names, now: datetime) -> Deferred[Signed]:
        """Sign a request that has no fault; fails with `SigningFailed`."""


class AuthorityAway(Exception):
    """The other authority has not answered, and may be asked again; the message is one line."""


class OtherAuthority(SigningPolicy, Protocol):
    """Another authority, whose certificates are looked at before they are passed on."""

    @property
    def is_asked(self) -> bool:
        """Whether it is asked; else it hears of requests by itself, and its answers come as commands."""

    def ask(self, client_id: str, wanted: SigningRequest) -> Deferred[str | None]:
        """Return a chain in PEM, None where it comes later; fails with `AuthorityAway`, or `SigningFailed` for good."""

    def check(self, chain: str, wanted: SigningRequest, names: Names, now: datetime) -> Deferred[Certificate]:
        """Return what a chain is about; fails with `SigningFailed` where it must not go to the charge point."""


@define(eq=False)
class Signing:
    """What requests are held against, and what is told of those that were accepted."""

    policy: SigningPolicy
    names: Callable[[str], Deferred[Names]]
    """Tells the names of a charge point."""
    is_elsewhere: bool = False
    """Another authority signs, and has to hear of it."""
    on_accepted: Callable[[Wanted], None] = lambda _wanted: None
    in_hand: set[str] = field(factory=set)
    """The charge points whose last request is not settled: one at a time."""


def answer(
    request: Request,
    signing: Signing | None,
    result: Callable[[str], Any],
    *,
    csr: str,
    certificate_type: str | None = None,
    request_id: int | None = None,
) -> Reply | Deferred[Reply]:
    """Answer SignCertificate; ``result`` makes the answer of the version from a status."""
    if signing is None:
        return Reply(result("Rejected"), _recorded(request))
    client_id = request.state.charge_point.client_id
    wanted = Wanted(
        client_id=client_id,
        csr=csr,
        certificate_type=certificate_type,
        request_id=request_id,
        message_id=request.context.message_id,
    )
    if certificate_type not in {None, OWN}:
        return _answered(f"no authority for {certificate_type}", request, signing, result, wanted)
    if client_id in signing.in_hand:
        return _answered("the request before is not settled yet", request, signing, result, wanted)
    now = request.context.now
    looked_at = signing.names(client_id).addCallback(lambda names: signing.policy.fault(csr, names, now))
    return looked_at.addCallback(_answered, request, signing, result, wanted)


def _answered(
    fault: str | None, request: Request, signing: Signing, result: Callable[[str], Any], wanted: Wanted
) -> Reply:
    if fault is None:
        decision = _kept(request, wanted, is_elsewhere=signing.is_elsewhere)
        signing.on_accepted(wanted)
        return Reply(result("Accepted"), decision)
    _log.warn("{client_id}: its certificate is not signed: {reason}", client_id=wanted.client_id, reason=fault)
    decision = certificates.refuse(
        request.state,
        request.context,
        kind=ACTION,
        body=request.payload,
        reason=fault,
        certificate_type=wanted.certificate_type,
    )
    return Reply(result("Rejected"), decision)


def _recorded(request: Request) -> Decision[None]:
    return chargepoints.keep(request.state, request.context, kind=ACTION, body=request.payload)


def _kept(request: Request, wanted: Wanted, *, is_elsewhere: bool) -> Decision[None]:
    return certificates.request(
        request.state,
        request.context,
        kind=ACTION,
        body=request.payload,
        wanted=wanted.kept(request.context.now),
        is_elsewhere=is_elsewhere,
    )


def _learn(
    state: ChargePointState, context: Context, request: Payload, response: Payload, wanted: SigningRequest | None
) -> Decision[None]:
    """Learn whether a charge point took a certificate, ours or that of another authority."""
    draft = Draft(state, context)
    draft.take(_KEPT.rule(state, context, request, response, None))
    try:
        leaf = x509.read_certificates(request["certificateChain"].encode())[0]
    except x509.BadCertificate:
        return draft.decide(None)
    serial_number, certificate_type = x509.serial_of(leaf), request.get("certificateType")
    if response.get("status") == "Accepted":
        draft.take(certificates.install(draft.state, context, described(leaf), certificate_type))
    else:
        draft.take(
            certificates.fail(
                draft.state,
                context,
                reason="the charge point does not take it",
                serial_number=serial_number,
                certificate_type=certificate_type,
            )
        )
    if wanted is not None and x509.is_for(leaf, wanted.csr):
        draft.take(certificates.settle(draft.state, context, wanted))
    return draft.decide(None)


_KEPT = kept(ANSWER)
LEARNERS: dict[str, Learner] = {ANSWER: Learner(_learn, stored.signing_request)}
