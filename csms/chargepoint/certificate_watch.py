"""Says when a certificate ends: those that charge points have taken, those that they come with, and those of the daemon itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import define, field
from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.ledger import certificates
from csms.ledger.certificates import NOTICE, SERVER, Certificate
from csms.ledger.decision import Rule
from csms.store import certificates as stored
from csms.store.errors import StoreError
from csms.store.facts import fact

_log = Logger()
ANNOUNCE_EVERY_S = 3600.0
_LIST_NOTICE = timedelta(days=1)
"""Lists are made anew every few days."""
DAEMON = ":daemon"
"""Whose the events about the daemon's own certificates are: no charge point can have this identity."""


class OwnCertificate(Struct, frozen=True):
    """A certificate that the daemon shows to charge points, and its file."""

    file: str
    certificate: Certificate


@define(eq=False)
class CertificateWatch:
    """See the module. ``notice`` is how long before its end a certificate is announced; of each it is said once."""

    _shared: Shared
    _registry: Registry
    _notice: timedelta
    own: Callable[[], Sequence[OwnCertificate]] = tuple
    """Tells which certificates the daemon shows."""
    lists_end: Callable[[], Mapping[str, datetime]] = dict
    """Tells when the revocation list of each authority runs out."""
    _seen: dict[str, str] = field(factory=dict)
    """The serial numbers that are known to be in the ledger, by charge point."""

    def came_with(self, client_id: str, certificate: Certificate) -> None:
        """A charge point has proved by a certificate who it is."""
        session = self._registry.get(client_id)
        ends = session is not None and certificates.ends_permission(session.state, certificate, self._shared.now())
        if self._seen.get(client_id) == certificate.serial_number and not ends:
            return
        done = Deferred.fromCoroutine(self._see(client_id, certificate, has_news=ends))
        done.addErrback(lambda failure: _log.failure("a certificate is not watched", failure))

    async def _see(self, client_id: str, certificate: Certificate, *, has_news: bool) -> None:
        try:
            known = await self._shared.ledger.read(stored.certificate_in_use, client_id)
            if has_news or known != certificate:
                await self._decide(client_id, lambda state, context: certificates.use(state, context, certificate))
        except StoreError as error:
            _log.warn("{client_id}: its certificate is not watched: {error}", client_id=client_id, error=str(error))
        else:
            self._seen[client_id] = certificate.serial_number

    async def announce(self) -> None:
        """Say which certificates end soon."""
        shared = self._shared
        if not shared.ledger.available:
            return
        before = shared.now() + self._notice
        for client_id, key, certificate in await shared.ledger.read(stored.ending, shared.gateway_id, before):
            _log.warn(
                "{client_id}: its certificate {serial} ends at {not_after:%Y-%m-%d %H:%M} UTC",
                client_id=client_id,
                serial=certificate.serial_number,
                not_after=certificate.not_after,
            )
            await self._decide(client_id, _announcement(certificate, key))
        for shown in self.own():
            if shown.certificate.not_after <= before:
                await self._announce_own(shown)
        for authority, end in self.lists_end().items():
            if end <= shared.now() + _LIST_NOTICE:
                _log.warn(
                    "the list of {authority} in tls.crl runs out at {end:%Y-%m-%d %H:%M} UTC: "
                    "nobody whose chain it is in comes in from then on",
                    authority=authority,
                    end=end,
                )

    async def _announce_own(self, shown: OwnCertificate) -> None:
        """Nobody comes in by TLS when it has ended: the log says it each time, an event once."""
        certificate = shown.certificate
        _log.warn(
            "tls.certificate {file} ends at {not_after:%Y-%m-%d %H:%M} UTC",
            file=shown.file,
            not_after=certificate.not_after,
        )
        key = f"{SERVER} {certificate.serial_number}"
        if await self._shared.ledger.read(fact, DAEMON, NOTICE, key) is None:
            await self._decide(DAEMON, _announcement(certificate, key))

    async def _decide(self, client_id: str, rule: Rule[None]) -> None:
        await self._registry.decide(client_id, rule)


def _announcement(certificate: Certificate, key: str) -> Rule[None]:
    return lambda state, context: certificates.announce(state, context, certificate, key)
