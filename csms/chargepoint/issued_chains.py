"""Sends charge points the certificates that were issued for them, until each has said what it thinks of its own.

A chain is in the ledger from the moment on when it was issued, so that neither a crash nor an absence loses it and nothing is
issued twice. It is sent when it is there, when the charge point is back, and after a pause where it was sent before; so many times,
and for so long. A connection that is lost counts as no try.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from attrs import define, field
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.commands import Commands
from csms.chargepoint.outcomes import CommandFailed, ConnectionLost, InvalidPayload, NotConnected, TooManyCommands
from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.handlers.certificate_requests import ANSWER
from csms.ledger import certificates
from csms.ledger.certificates import Certificate, SigningRequest
from csms.ledger.decision import Rule
from csms.store import certificates as stored

_log = Logger()
LOOK_EVERY_S = 15.0
MOST_TRIES = 5
_PAUSE = timedelta(minutes=5)
_READ_EVERY = timedelta(minutes=5)


@define(eq=False)
class _Waiting:
    wanted: SigningRequest
    due: datetime
    tries: int = 0
    is_under_way: bool = False


@define(eq=False)
class IssuedChains:
    """See the module. ``patience`` is how long a chain waits for its charge point, from its request on."""

    _shared: Shared
    _registry: Registry
    _commands: Commands
    _patience: timedelta
    _waiting: dict[str, _Waiting] = field(factory=dict)
    _forgotten: dict[str, datetime] = field(factory=dict)
    """When charge points have asked for another certificate, until that is here: the ledger may still have the one before."""
    _read_at: datetime | None = None

    async def send(
        self,
        client_id: str,
        wanted: SigningRequest,
        certificate: Certificate,
        chain: str,
        message_id: str | None = None,
    ) -> None:
        """Keep a chain that was issued, and send it; fires when it was sent or has to wait.

        :raises StoreError: it could not be kept, and was not sent.
        """
        answered = replace(wanted, is_answered=True, chain=chain)
        await self._decide(
            client_id, lambda state, context: certificates.answer(state, context, answered, certificate), message_id
        )
        self._waiting[client_id] = waiting = _Waiting(answered, self._shared.now())
        self._forgotten.pop(client_id, None)
        await self._begin(client_id, waiting)

    def forget(self, client_id: str) -> None:
        """The charge point has asked for another certificate."""
        self._waiting.pop(client_id, None)
        self._forgotten[client_id] = self._shared.now()

    def ready(self, client_id: str) -> None:
        """A charge point may be spoken to."""
        waiting = self._waiting.get(client_id)
        if waiting is not None and waiting.due <= self._shared.now():
            self._begin(client_id, waiting)

    async def work(self) -> None:
        """Send what is due, and give up what has waited too long; what the ledger has is read at the start, and at times."""
        shared, now = self._shared, self._shared.now()
        if not shared.ledger.available:
            return
        if self._read_at is None or now >= self._read_at + _READ_EVERY:
            # At times: a charge point may have come here from another daemon.
            for client_id, wanted in await shared.ledger.read(stored.chains_to_send, shared.gateway_id):
                forgotten_at = self._forgotten.get(client_id)
                if forgotten_at is None or wanted.asked_at > forgotten_at:
                    self._waiting.setdefault(client_id, _Waiting(wanted, now))
            self._read_at = now
        for client_id, waiting in list(self._waiting.items()):
            if waiting.wanted.asked_at + self._patience <= now:
                await self._give_up(client_id, waiting, "the charge point did not come for it in time")
            elif waiting.due <= now and self._registry.get(client_id) is not None:
                self._begin(client_id, waiting)

    def _begin(self, client_id: str, waiting: _Waiting) -> Deferred[None]:
        """Whatever comes of it, the chain is kept: nobody has to issue another one."""
        return Deferred.fromCoroutine(self._try(client_id, waiting)).addErrback(
            lambda failure: _log.failure("{client_id}: its certificate was not sent", failure, client_id=client_id)
        )

    async def _try(self, client_id: str, waiting: _Waiting) -> None:
        if waiting.is_under_way:
            return
        waiting.is_under_way = True
        try:
            await self._send(client_id, waiting)
        finally:
            waiting.is_under_way = False

    async def _send(self, client_id: str, waiting: _Waiting) -> None:
        wanted = waiting.wanted
        if not await self._is_open(client_id, wanted):
            # Settled while it was read, or by another daemon.
            self._drop(client_id, waiting)
            return
        payload: dict[str, Any] = {"certificateChain": wanted.chain}
        if wanted.certificate_type is not None:
            payload["certificateType"] = wanted.certificate_type
        if wanted.request_id is not None:
            payload["requestId"] = wanted.request_id
        try:
            await self._commands.send(client_id, ANSWER, payload)
        except NotConnected:
            return
        except InvalidPayload:
            # Whoever looked at it has said why (`Commands.inspections`).
            await self._decide(client_id, lambda state, context: certificates.settle(state, context, wanted))
            self._drop(client_id, waiting)
        except (ConnectionLost, TooManyCommands):
            # Not a word of it yet: the pause keeps one that leaves whenever it is sent from doing nothing else.
            waiting.due = self._shared.now() + _PAUSE
        except CommandFailed as error:
            await self._fail(client_id, waiting, str(error))
        else:
            waiting.due = self._shared.now() + _PAUSE
            if await self._is_open(client_id, wanted):
                await self._fail(client_id, waiting, "what it answered was not recorded")
            else:
                self._drop(client_id, waiting)

    async def _fail(self, client_id: str, waiting: _Waiting, reason: str) -> None:
        _log.warn("{client_id}: its certificate was not taken: {reason}", client_id=client_id, reason=reason)
        waiting.tries += 1
        waiting.due = self._shared.now() + _PAUSE
        if waiting.tries >= MOST_TRIES:
            await self._give_up(client_id, waiting, f"it was sent {MOST_TRIES} times: {reason}")

    async def _give_up(self, client_id: str, waiting: _Waiting, reason: str) -> None:
        wanted = waiting.wanted
        if await self._is_open(client_id, wanted):
            _log.error("{client_id}: it gets no certificate: {reason}", client_id=client_id, reason=reason)
            await self._decide(client_id, lambda state, context: certificates.give_up(state, context, wanted, reason))
        self._drop(client_id, waiting)

    async def _is_open(self, client_id: str, wanted: SigningRequest) -> bool:
        """Another daemon, or a command, may have brought it; or the charge point has asked for another."""
        known = await self._shared.ledger.read(stored.signing_request, client_id)
        return known is not None and known.chain == wanted.chain

    async def _decide(self, client_id: str, rule: Rule[None], message_id: str | None = None) -> None:
        await self._registry.decide(client_id, rule, message_id)

    def _drop(self, client_id: str, waiting: _Waiting) -> None:
        if self._waiting.get(client_id) is waiting:
            del self._waiting[client_id]
