"""CostUpdated: what running transactions cost so far, told to stations of OCPP 2.x again and again (I02).

Only where the operator's settings want it, and only what is not as it was told before.
"""

from __future__ import annotations

from decimal import Decimal

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.commands import Commands
from csms.chargepoint.outcomes import CallRefused, CommandFailed
from csms.chargepoint.registry import Registry
from csms.chargepoint.session import Session
from csms.chargepoint.shared import Shared
from csms.ledger.cost import Tariff, running_cost
from csms.ledger.numbers import number
from csms.ocppj.versions import V16

_log = Logger()
_ACTION = "CostUpdated"
_ACCEPTED = "Accepted"


class CostUpdates:
    """Tells stations; ``tariff`` is that of the settings."""

    def __init__(self, shared: Shared, registry: Registry, commands: Commands, tariff: Tariff) -> None:
        self._shared = shared
        self._registry = registry
        self._commands = commands
        self._tariff = tariff
        self._told: dict[int, Decimal] = {}
        self._busy: set[str] = set()
        self._refused: dict[str, Session] = {}

    def send(self) -> None:
        """Tell all stations that are connected here; one that is slow to answer is left out until it has."""
        running: set[int] = set()
        for session in self._registry:
            running.update(session.state.running)
            client_id = session.client_id
            if self._is_wanted(session) and client_id not in self._busy:
                self._busy.add(client_id)
                done = Deferred.fromCoroutine(self._tell(session))
                done.addErrback(
                    lambda failure, name: _log.failure("{client_id}: telling costs failed", failure, client_id=name),
                    client_id,
                )
                done.addBoth(self._ended, client_id)
        self._told = {key: cost for key, cost in self._told.items() if key in running}
        self._refused = {
            client_id: session
            for client_id, session in self._refused.items()
            if self._registry.get(client_id) is session
        }

    def _is_wanted(self, session: Session) -> bool:
        state = session.state
        if session.version is V16 or not state.running or state.registered != _ACCEPTED:
            return False
        is_free = state.tariff is None and self._tariff.pricing_model == "free"
        return not is_free and self._refused.get(session.client_id) is not session

    def _ended(self, _result: object, client_id: str) -> None:
        self._busy.discard(client_id)

    async def _tell(self, session: Session) -> None:
        for transaction_id in list(session.state.running):
            transaction = session.state.running.get(transaction_id)
            if transaction is None or transaction.station_transaction_id is None:
                continue
            total = running_cost(transaction, session.state.tariff or self._tariff, self._shared.now()).total
            if self._told.get(transaction_id) == total:
                continue
            payload = {"totalCost": number(total), "transactionId": transaction.station_transaction_id}
            try:
                await self._commands.send(session.client_id, _ACTION, payload)
            except CallRefused as error:
                _log.info(
                    "{client_id}: costs are not told while it is connected: {error}",
                    client_id=session.client_id,
                    error=str(error),
                )
                self._refused[session.client_id] = session
                return
            except CommandFailed as error:
                _log.debug("{client_id}: a cost was not told: {error}", client_id=session.client_id, error=str(error))
                return
            self._told[transaction_id] = total
