"""What the operator sets for charge points, through one door: where one is connected its session has to know."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from twisted.internet.defer import DeferredLock

from csms.certificates import LONGEST_NAME, names_a_server
from csms.chargepoint.presence import SessionLeft
from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.chargepoint.transport import CLOSE_POLICY
from csms.ledger import provisioning as rules
from csms.ledger.configuration import is_secret
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context, Decision
from csms.ledger.provisioning import Provision
from csms.ledger.state import ChargePoint, ChargePointState
from csms.passwords.passwords import Passwords
from csms.passwords.secret import checked
from csms.store import provisioning as store
from csms.store import queries
from csms.store.certificates import who_is_named
from csms.store.configuration import Scope, delete_wanted, put_wanted, wanted_by

_LONGEST_KEY = 100
"""Configuration keys have 50 characters at most; the name of a variable of OCPP 2.x is put together of several."""
_LONGEST_VALUE = 500
_DELETED = "deleted by the operator"


class UnknownTariff(LookupError):
    """There is no such tariff."""


class BadCertificateName(Exception):
    """A CN cannot be a charge point's, or is another one's; the message is one line."""


class Provisioning:
    """The operator's settings for charge points, and tariffs."""

    def __init__(self, shared: Shared, registry: Registry, passwords: Passwords) -> None:
        self._shared = shared
        self._registry = registry
        self._passwords = passwords
        self._naming = DeferredLock()
        """A CN is looked for and given in one go: it names one charge point only."""
        self.has_new_wishes = False
        """Whether a configuration was wanted since the start: charge points that are connected do not know of it."""

    async def put(self, client_id: str, changes: Provision, password: str | UnsetType | None = UNSET) -> ChargePoint:
        """Change a charge point, or make one, and return it as it is then.

        A password counts from the next connection on, None takes it away; one that was on its way counts no more.

        :raises UnknownTariff: there is no such tariff.
        :raises BadCertificateName: it cannot be one, or names another charge point.
        :raises BadPassword: it cannot be one.
        :raises Busy: too many passwords wait for their hashes.
        :raises ValueError: a value is out of its range; the message names it.
        :raises StoreError: the ledger is away.
        """
        factor, tariff_id = changes.meter_factor, changes.tariff_id
        if factor is not UNSET and factor is not None and not (factor.is_finite() and factor > 0):
            raise ValueError("meter_factor: allowed is a number above 0")
        tariff = None
        if tariff_id is not UNSET and tariff_id is not None:
            tariff = await self._shared.ledger.read(queries.tariff, tariff_id)
            if tariff is None:
                raise UnknownTariff(tariff_id)
        if password is not UNSET:
            secret = checked(password) if password is not None else None
            hashed = await self._passwords.hash(secret) if secret is not None else None
            changes = replace(changes, password_hash=hashed)
        charge_point = await self._provision(client_id, changes, tariff)
        if password is not UNSET:
            self._passwords.attempts.forgive(client_id)
        if changes.group_name is not UNSET:
            self.has_new_wishes = True  # of its new group
        return charge_point

    async def _provision(self, client_id: str, changes: Provision, tariff: Tariff | None) -> ChargePoint:
        def rule(state: ChargePointState, context: Context) -> Decision[ChargePoint]:
            return rules.provision(state, context, changes, tariff)

        charge_point: ChargePoint
        if not isinstance(changes.certificate_name, str):
            charge_point = await self._registry.decide(client_id, rule)
            return charge_point
        await self._naming.acquire()
        try:
            await self._check_name(client_id, changes.certificate_name)
            charge_point = await self._registry.decide(client_id, rule)
        finally:
            self._naming.release()
        return charge_point

    async def _check_name(self, client_id: str, certificate_name: str) -> None:
        if not 0 < len(certificate_name) <= LONGEST_NAME or not certificate_name.isprintable():
            raise BadCertificateName(f"allowed are 1 to {LONGEST_NAME} printable characters")
        if names_a_server(certificate_name):
            raise BadCertificateName("an address could pass for a server's: allowed is a serial number")
        others = await self._shared.ledger.read(who_is_named, certificate_name) - {client_id}
        if others:
            raise BadCertificateName(
                f"it names {min(others)!r} already: allowed is one that names no other charge point"
            )

    async def delete(self, client_id: str) -> bool:
        """Forget a charge point, whose socket is closed; tell whether it was known.

        Its transactions stay. Where unknown charge points are accepted it is let in again, as a new one.
        """
        while (session := await self._registry.settled(client_id)) is not None:
            session.close(CLOSE_POLICY, _DELETED)
            await self._registry.discard(session, _DELETED)
        deleted: bool = await self._registry.keep_away(
            client_id, lambda: self._shared.ledger.write(partial(store.delete_charge_point, client_id=client_id))
        )
        return deleted

    async def put_tariff(self, tariff_id: str, tariff: Tariff) -> None:
        """Write a tariff; sessions that end from now on cost by it."""
        await self._shared.ledger.write(partial(store.put_tariff, tariff_id=tariff_id, tariff=tariff))
        await self._retariff(tariff_id, tariff)

    async def delete_tariff(self, tariff_id: str) -> bool:
        """Delete a tariff; tell whether there was one. Charge points that had it have the default from then on."""
        deleted: bool = await self._shared.ledger.write(partial(store.delete_tariff, tariff_id=tariff_id))
        await self._retariff(tariff_id, None)
        return deleted

    async def put_wanted(self, scope: Scope, name: str, wanted: Mapping[str, str]) -> None:
        """Say which configuration a charge point, or those of a group, are to have; set when they boot.

        :raises ValueError: a key or a value is out of its range, or a secret; the message names it.
        """
        for key, value in wanted.items():
            if not 0 < len(key) <= _LONGEST_KEY:
                raise ValueError(f"{key[:60]!r}: allowed are keys of 1 to {_LONGEST_KEY} characters")
            if len(value) > _LONGEST_VALUE:
                raise ValueError(f"{key}: allowed are values of up to {_LONGEST_VALUE} characters")
            if is_secret(key):
                raise ValueError(f"{key}: a secret is not kept; send it by ChangeConfiguration")
        if len({key.casefold() for key in wanted}) != len(wanted):
            raise ValueError("a key is there twice: keys are the same in any case")
        await self._shared.ledger.write(partial(put_wanted, scope=scope, name=name, wanted=wanted))
        self.has_new_wishes = True

    async def delete_wanted(self, scope: Scope, name: str) -> bool:
        """Want nothing any more; tell whether there was anything. What charge points have stays as it is."""
        deleted: bool = await self._shared.ledger.write(partial(delete_wanted, scope=scope, name=name))
        return deleted

    async def wanted(self, scope: Scope, name: str) -> dict[str, str]:
        """Return which configuration a charge point, or those of a group, are to have."""
        found: dict[str, str] = await self._shared.ledger.read(wanted_by, scope, name)
        return found

    async def _retariff(self, tariff_id: str, tariff: Tariff | None) -> None:
        for session in self._registry:
            try:
                await session.decide(lambda state, _context: rules.retariff(state, tariff_id, tariff))
            except SessionLeft:
                continue  # it reads its tariff when it comes again
