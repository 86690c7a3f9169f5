"""After a reconnection a station of OCPP 2.x is asked whether it still has the transactions that run here (E14).

Only where the operator's settings ask for it. What the answer means is learnt as from an operator's own question.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.commands import Commands
from csms.chargepoint.outcomes import CommandFailed
from csms.chargepoint.registry import Registry
from csms.chargepoint.session import Session
from csms.ocppj.versions import V16

_log = Logger()
_ACTION = "GetTransactionStatus"


class TransactionStatus:
    """Asks stations that are back for their transactions, one after the other, and once for each socket."""

    def __init__(self, registry: Registry, commands: Commands) -> None:
        self._registry = registry
        self._commands = commands
        self._asking: dict[str, Session] = {}

    def ready(self, client_id: str) -> None:
        """A charge point may be spoken to: ask, where something runs."""
        session = self._registry.get(client_id)
        if session is None or session.version is V16 or self._asking.get(client_id) is session:
            return
        station_ids = [
            transaction.station_transaction_id
            for transaction in session.state.running.values()
            if transaction.station_transaction_id is not None
        ]
        if station_ids:
            self._asking[client_id] = session
            done = Deferred.fromCoroutine(self._ask(client_id, station_ids))
            done.addErrback(
                lambda failure: _log.failure(
                    "{client_id}: asking for its transactions failed", failure, client_id=client_id
                )
            )
            done.addBoth(self._asked, client_id, session)

    def _asked(self, _result: Any, client_id: str, session: Session) -> None:
        if self._asking.get(client_id) is session:
            del self._asking[client_id]

    async def _ask(self, client_id: str, station_ids: list[str]) -> None:
        for station_id in station_ids:
            try:
                await self._commands.send(client_id, _ACTION, {"transactionId": station_id})
            except CommandFailed as error:
                _log.info("{client_id}: {action}: {status}", client_id=client_id, action=_ACTION, status=error.status)
                return
