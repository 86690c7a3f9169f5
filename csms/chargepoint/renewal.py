"""Charge points that were let in though their certificate has ended get a new one at once (2.0.1 A00.FR.429, A02).

They are Pending, and are told to ask for it; when they have taken it their socket is closed, so that they come with it.
"""

from __future__ import annotations

from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.commands import Commands
from csms.chargepoint.outcomes import CommandFailed
from csms.chargepoint.registry import Registry
from csms.chargepoint.transport import CLOSE_POLICY
from csms.handlers.certificate_requests import ANSWER
from csms.ocppj.versions import V16

_log = Logger()


@define(eq=False)
class Renewal:
    """See the module."""

    _registry: Registry
    _commands: Commands

    def serve(self) -> None:
        """Hear of the charge points that take a certificate."""
        self._commands.conclusions[ANSWER] = self._taken

    def ready(self, client_id: str) -> None:
        """A charge point may be spoken to, or has booted again: what it was asked for before it may not have done."""
        session = self._registry.get(client_id)
        if session is None or not session.state.has_expired_certificate or session.state.registered != "Pending":
            return
        _log.warn("{client_id}: its certificate has ended: it is Pending, and asked to renew it", client_id=client_id)
        asking = Deferred.fromCoroutine(self._ask(client_id, is_16=session.version is V16))
        asking.addErrback(lambda failure: _log.failure("a certificate is not renewed", failure))

    async def _ask(self, client_id: str, *, is_16: bool) -> None:
        action = "ExtendedTriggerMessage" if is_16 else "TriggerMessage"
        wanted = "SignChargePointCertificate" if is_16 else "SignChargingStationCertificate"
        try:
            answer = await self._commands.send(client_id, action, {"requestedMessage": wanted})
        except CommandFailed as error:
            _log.error("{client_id}: its certificate is not renewed: {error}", client_id=client_id, error=str(error))
            return
        if answer.get("status") != "Accepted":
            _log.error("{client_id}: it does not renew its certificate: {answer}", client_id=client_id, answer=answer)

    def _taken(self, client_id: str, answer: dict[str, Any]) -> None:
        session = self._registry.get(client_id)
        if session is not None and session.state.has_expired_certificate and answer.get("status") == "Accepted":
            session.close(CLOSE_POLICY, "come with the new certificate")
