"""Configuration on arrival: what the operator wants of a charge point is read and set after it was accepted.

Only where he asked for it, and only the keys that he named: nothing is sent unasked at boot. OCPP 1.6 §5.3, §5.8; for 2.x see
`csms.chargepoint.wanted_variables`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.commands import Commands
from csms.chargepoint.outcomes import CommandFailed
from csms.chargepoint.provisioning import Provisioning
from csms.chargepoint.registry import Registry
from csms.chargepoint.session import Session
from csms.chargepoint.shared import Shared
from csms.chargepoint.wanted_variables import WantedVariables
from csms.handlers.v16.configuration import observed
from csms.ledger import configuration as rules
from csms.ledger.configuration import Observed, Outcome
from csms.ocppj.versions import V16, Version
from csms.store import configuration as store

_log = Logger()
_MAX_KEYS = "getconfigurationmaxkeys"
_KEYS_AT_ONCE = 10


class Arrival:
    """Sets the wanted configuration of charge points that have booted."""

    def __init__(self, shared: Shared, registry: Registry, commands: Commands, provisioning: Provisioning) -> None:
        self._shared = shared
        self._registry = registry
        self._commands = commands
        self._provisioning = provisioning
        self._running: dict[str, Session] = {}

    def booted(self, client_id: str) -> None:
        """A charge point has booted: begin, where there is something to do."""
        session = self._registry.get(client_id)
        if session is None or session.state.registered != "Accepted":
            return
        if not (session.state.has_wishes or self._provisioning.has_new_wishes):
            return
        if self._running.get(client_id) is not session:
            self._running[client_id] = session
            done = Deferred.fromCoroutine(self._configure(client_id, session.version))
            done.addErrback(
                lambda failure: _log.failure("{client_id}: configuring failed", failure, client_id=client_id)
            )
            done.addBoth(self._ended, client_id, session)

    def _ended(self, _result: Any, client_id: str, session: Session) -> None:
        if self._running.get(client_id) is session:
            del self._running[client_id]

    async def _configure(self, client_id: str, version: Version) -> None:
        wanted = await self._shared.ledger.read(store.wanted_of, client_id)
        if not wanted:
            return
        if version is V16:
            outcomes = await self._configure_keys(client_id, wanted)
        else:
            outcomes = await WantedVariables(self._shared.ledger, self._commands, client_id).configure(wanted)
        statuses = {key: outcome.status for key, outcome in outcomes.items()}
        _log.info("{client_id}: configured: {statuses}", client_id=client_id, statuses=statuses)
        await self._registry.decide(
            client_id, lambda state, context: rules.arrive(state, context, wanted=wanted, outcomes=outcomes)
        )

    async def _configure_keys(self, client_id: str, wanted: dict[str, str]) -> dict[str, Outcome]:
        known = await self._shared.ledger.read(store.known_configuration, client_id)
        limit = known[_MAX_KEYS].value if _MAX_KEYS in known else None
        at_once = int(limit) if limit is not None and limit.isdecimal() and int(limit) > 0 else _KEYS_AT_ONCE
        outcomes: dict[str, Outcome] = {}
        keys = list(wanted)
        for start in range(0, len(keys), at_once):
            await self._configure_some(client_id, {key: wanted[key] for key in keys[start : start + at_once]}, outcomes)
        return outcomes

    async def _configure_some(self, client_id: str, wanted: dict[str, str], outcomes: dict[str, Outcome]) -> None:
        try:
            response = await self._commands.send(client_id, "GetConfiguration", {"key": list(wanted)})
        except CommandFailed as error:
            outcomes.update(dict.fromkeys(wanted, Outcome(error.status)))
            return
        found = {item.key.casefold(): item for item in observed(response)}
        for key, value in wanted.items():
            item = found.get(key.casefold())
            status = await self._set(client_id, key, value, item)
            outcomes[key] = Outcome(status, item.value if item is not None else None)

    async def _set(self, client_id: str, key: str, value: str, found: Observed | None) -> str:
        if found is None:
            return rules.NOT_SUPPORTED
        if rules.same(found.value, value):
            return rules.UNCHANGED
        if found.readonly:
            return rules.READ_ONLY
        try:
            response = await self._commands.send(client_id, "ChangeConfiguration", {"key": key, "value": value})
        except CommandFailed as error:
            return error.status
        return str(response.get("status", ""))
