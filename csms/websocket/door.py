"""Who is let in: the OCPP security profiles, and passwords (security whitepaper §2, OCPP 2.0.1 part 2 A00).

Profile 0 is a trusted network; 1 wants a password, 2 a password and TLS, 3 TLS with a client certificate that names the charge
point. The daemon has a profile, a charge point may have a higher one, and a charge point that has a password has to give it
whatever the profile. Whoever gives a wrong password and whoever gives one for an identity that is not known hear the same,
after the same time.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from attrs import define, field, frozen

from csms.ledger.state import Credentials
from csms.passwords.passwords import Passwords
from csms.passwords.secret import canonical, is_possible
from csms.passwords.threads import Busy
from csms.websocket import handshake
from csms.websocket.basic import Given
from csms.websocket.client_certificates import Shown
from csms.websocket.handshake import Refusal

BASIC, TLS, CERTIFICATE = 1, 2, 3
_NOTHING_GIVEN = "a user name and a password are wanted (HTTP Basic): the identity and its password"
_WRONG = "the user name or the password is wrong"


@frozen
class Visitor:
    """Somebody who says that he is a charge point, and how he comes."""

    client_id: str
    address: str
    given: Given | None = None
    is_tls: bool = False
    certificate: Shown | None = None
    """The client certificate that he has shown."""


@frozen
class Verdict:
    """Somebody is let in: having proved who he is, or not. ``renewed`` is the hash of a new password that he came with."""

    authenticated: bool = False
    renewed: str | None = None
    has_expired_certificate: bool = False


@define(eq=False)
class Door:
    """See the module. ``on_renewed`` is told who has come with a new password, when he is in, and its hash."""

    passwords: Passwords
    profile: int = 0
    anonymous_from_anywhere: bool = False
    rejects_unknown: bool = False
    on_renewed: Callable[[str, str], None] = field(default=lambda _client_id, _hash: None)

    async def judge(self, visitor: Visitor, credentials: Credentials) -> Verdict:
        """Return how somebody is let in.

        :raises Refusal: he is not.
        """
        profile, why = max(self.profile, credentials.security_profile), "wrongPassword"
        if self.profile >= TLS and not visitor.is_tls:
            raise self._no_tls(credentials)
        if profile >= CERTIFICATE:
            fault = _fault_of(visitor.certificate, credentials)
            if fault is None:
                has_expired = visitor.certificate is not None and visitor.certificate.has_expired
                return Verdict(authenticated=True, has_expired_certificate=has_expired)
            # No password stands in for a certificate; and whoever has none is not told that it is one that is wanted here.
            credentials, why = Credentials(is_known=credentials.is_known), fault
        if self._needs_password(visitor, credentials, profile):
            found = await self._refuse_or_find(visitor, credentials, why)
            if profile >= TLS and not visitor.is_tls:
                raise self._no_tls(credentials)
            return Verdict(authenticated=True, renewed=found if found != credentials.password_hash else None)
        # What was sent to a charge point that had no password counts as soon as it is given; until then it may come without.
        renewed = await self._renewed(visitor, credentials) if credentials.hashes else None
        return Verdict(authenticated=renewed is not None, renewed=renewed)

    def may_be_anonymous(self, visitor: Visitor) -> bool:
        """Tell whether somebody is let in without a password, unless this charge point has to give one."""
        return visitor.given is None and self.profile < BASIC and self._trusts(visitor.address)

    def _trusts(self, address: str) -> bool:
        return self.anonymous_from_anywhere or handshake.is_private(address)

    def _needs_password(self, visitor: Visitor, credentials: Credentials, profile: int) -> bool:
        if profile >= BASIC or credentials.password_hash is not None or not self._trusts(visitor.address):
            return True
        return self.rejects_unknown and not credentials.is_known and visitor.given is not None

    async def _refuse_or_find(self, visitor: Visitor, credentials: Credentials, why: str) -> str:
        """Return the hash of the password that somebody gave.

        :raises Refusal: it is none of this charge point's.
        """
        is_known, attempts = credentials.is_known, self.passwords.attempts
        if visitor.given is None:
            raise Refusal(401, _NOTHING_GIVEN, "noPassword" if why == "wrongPassword" else why, is_known=is_known)
        found = None
        if _is_plausible(visitor):
            found = await self._found(visitor, credentials)
        if found is None:
            attempts.failed(visitor.client_id, visitor.address)
            raise Refusal(401, _WRONG, why, is_known=is_known)
        attempts.succeeded(visitor.client_id, visitor.address)
        return found

    async def _found(self, visitor: Visitor, credentials: Credentials) -> str | None:
        passwords, client_id = self.passwords, visitor.client_id
        secret = canonical(visitor.given.password) if visitor.given is not None else b""
        found = passwords.remembered(client_id, secret, credentials.hashes)
        if found is not None:
            return found
        wait_s = passwords.attempts.wait_s(client_id, visitor.address)
        if wait_s > 0:
            raise Refusal(
                429,
                "too many wrong passwords: try again later",
                "tooManyAttempts",
                is_known=credentials.is_known,
                retry_after_s=math.ceil(wait_s),
            )
        try:
            return await passwords.verify(client_id, secret, credentials.hashes)
        except Busy:
            raise Refusal(503, "too many charge points come at once, try again later") from None

    async def _renewed(self, visitor: Visitor, credentials: Credentials) -> str | None:
        if visitor.given is None or not _is_plausible(visitor):
            return None
        try:
            found = await self._found(visitor, credentials)
        except Refusal as refusal:
            if refusal.status == 503:
                raise
            return None
        if found is None:
            self.passwords.attempts.failed(visitor.client_id, visitor.address)
        return found

    def _no_tls(self, credentials: Credentials) -> Refusal:
        return Refusal(403, "charge points connect by TLS here", "noTls", is_known=credentials.is_known)


def _fault_of(shown: Shown | None, credentials: Credentials) -> str | None:
    """Return why a certificate lets nobody in as this charge point, None where it does (A00.FR.405, FR.407, FR.429)."""
    if shown is None:
        return "noCertificate"
    if shown.name not in credentials.certificate_names:
        return "wrongCertificate"
    return "expiredCertificate" if shown.has_expired and not credentials.accept_expired_certificate else None


def _is_plausible(visitor: Visitor) -> bool:
    """Tell whether it makes sense to look at a password: the user name has to be the identity (A00.FR.204)."""
    given = visitor.given
    return given is not None and given.user == visitor.client_id.encode("utf-8") and is_possible(given.password)
