"""What operators can do, made together once; the faces of the daemon (HTTP, MQTT) are given its parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from attrs import frozen
from twisted.internet.defer import Deferred

from csms.chargepoint.arrival import Arrival
from csms.chargepoint.certificate_watch import ANNOUNCE_EVERY_S, CertificateWatch
from csms.chargepoint.certificates import Certificates
from csms.chargepoint.commands import Commands
from csms.chargepoint.cost_updates import CostUpdates
from csms.chargepoint.issued_chains import LOOK_EVERY_S as SEND_EVERY_S
from csms.chargepoint.issued_chains import IssuedChains
from csms.chargepoint.new_passwords import NewPasswords
from csms.chargepoint.provisioning import Provisioning
from csms.chargepoint.registry import Registry
from csms.chargepoint.renewal import Renewal
from csms.chargepoint.shared import Shared
from csms.chargepoint.signing_requests import LOOK_EVERY_S, SigningRequests
from csms.chargepoint.transaction_status import TransactionStatus
from csms.chargepoint.transactions import Transactions
from csms.handlers.certificate_requests import OtherAuthority, Signer, Signing
from csms.handlers.command_set import CommandSet
from csms.handlers.tags import Tags
from csms.ledger import reservations
from csms.ledger.cost import Tariff
from csms.ocppj.versions import Version
from csms.passwords.passwords import Passwords
from csms.store import queries

EXPIRE_EVERY_S = 5.0
SWEEP_EVERY_S = 30.0


@frozen(eq=False)
class Operations:
    """See the module."""

    commands: Commands
    provisioning: Provisioning
    transactions: Transactions
    new_passwords: NewPasswords
    _shared: Shared
    _registry: Registry
    _cost_updates: CostUpdates
    _cost_updates_every_s: float
    certificate_watch: CertificateWatch
    _chains: IssuedChains | None
    _certificates: Certificates | None
    _signing_requests: SigningRequests | None

    @classmethod
    def of(
        cls,
        shared: Shared,
        registry: Registry,
        command_sets: Mapping[Version, CommandSet],
        new_message_id: Callable[[], str],
        tariff: Tariff,
        tags: Tags,
        passwords: Passwords,
        *,
        asks_transaction_status: bool = False,
        cost_updates_every_s: float = 0,
        signing: Signing | None = None,
        signer: Signer | None = None,
        other_authority: OtherAuthority | None = None,
        signing_patience: timedelta = timedelta(days=1),
        expiry_notice: timedelta = timedelta(days=30),
    ) -> Operations:
        """Make the operations, and let them hear of the charge points that arrive; 0 is that costs are not told unasked."""
        new_passwords = NewPasswords(shared, registry, passwords)
        commands = Commands(shared, registry, command_sets, tags, new_message_id, new_passwords)
        provisioning = Provisioning(shared, registry, passwords)
        arrival = Arrival(shared, registry, commands, provisioning)
        shared.on_ready.append(commands.ready)
        shared.on_booted.append(arrival.booted)
        chains = IssuedChains(shared, registry, commands, signing_patience)
        certificates = signing_requests = None
        if signing is not None and signer is not None:
            certificates = Certificates(shared, registry, chains, signing, signer)
            certificates.serve()
        if signing is not None and other_authority is not None:
            signing_requests = SigningRequests(shared, registry, commands, chains, other_authority, signing_patience)
            signing_requests.serve(signing)
        if signing is not None:
            shared.on_ready.append(chains.ready)
        renewal = Renewal(registry, commands)
        renewal.serve()
        shared.on_ready.append(renewal.ready)
        if asks_transaction_status:
            shared.on_ready.append(TransactionStatus(registry, commands).ready)
        return cls(
            commands,
            provisioning,
            Transactions(shared, registry, tariff),
            new_passwords,
            shared,
            registry,
            CostUpdates(shared, registry, commands, tariff),
            cost_updates_every_s,
            CertificateWatch(shared, registry, expiry_notice),
            chains if signing is not None else None,
            certificates,
            signing_requests,
        )

    @property
    def jobs(self) -> Sequence[tuple[float, Callable[[], Deferred[None] | None]]]:
        """What has to be done again and again: seconds, and the job."""
        jobs: list[tuple[float, Callable[[], Deferred[None] | None]]] = [
            (EXPIRE_EVERY_S, lambda: Deferred.fromCoroutine(self.expire_reservations())),
            (SWEEP_EVERY_S, lambda: Deferred.fromCoroutine(self.commands.sweep())),
            (ANNOUNCE_EVERY_S, lambda: Deferred.fromCoroutine(self.certificate_watch.announce())),
        ]
        certificates, signing_requests, chains = self._certificates, self._signing_requests, self._chains
        if chains is not None:
            jobs.append((SEND_EVERY_S, lambda: Deferred.fromCoroutine(chains.work())))
        if certificates is not None:
            jobs.append((LOOK_EVERY_S, lambda: Deferred.fromCoroutine(certificates.work())))
        if signing_requests is not None:
            jobs.append((LOOK_EVERY_S, lambda: Deferred.fromCoroutine(signing_requests.work())))
        if self._cost_updates_every_s > 0:
            jobs.append((self._cost_updates_every_s, self._cost_updates.send))
        return jobs

    async def expire_reservations(self) -> None:
        """End the reservations whose time is over, also of charge points that are offline."""
        shared = self._shared
        if not shared.ledger.available:
            return
        for client_id in await shared.ledger.read(queries.reservations_over, shared.gateway_id, shared.now()):
            await self._registry.decide(client_id, reservations.expire)
