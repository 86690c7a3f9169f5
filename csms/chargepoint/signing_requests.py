"""Has another authority sign what charge points ask for, and looks at what it has signed before they get it.

What is open is in the ledger: after a restart it is taken up again. Each charge point has one request at most, its latest.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.chargepoint.certificates import check_length
from csms.chargepoint.commands import Commands
from csms.chargepoint.issued_chains import IssuedChains
from csms.chargepoint.outcomes import InvalidPayload, NotConnected
from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.handlers.certificate_requests import (
    ANSWER,
    AuthorityAway,
    OtherAuthority,
    Signing,
    SigningFailed,
    Wanted,
)
from csms.ledger import certificates
from csms.ledger.certificates import OWN, Certificate, SigningRequest
from csms.ledger.decision import Rule
from csms.store import certificates as stored
from csms.store.errors import StoreError

_log = Logger()
LOOK_EVERY_S = 15.0
_LEAST_S = 30.0
"""A charge point that asks again within it is refused: what is passed on is bounded."""
_FIRST_PAUSE = timedelta(seconds=30)
_LONGEST_PAUSE = timedelta(hours=1)
_MOST_DOUBLINGS = 7


@define(eq=False)
class _Open:
    wanted: SigningRequest
    due: datetime | None
    """When the authority is asked next; None while it is asked, and where it answers by itself."""
    failures: int = 0


@define(eq=False)
class SigningRequests:
    """See the module. ``patience`` is how long a request may stay open, and its certificate wait for the charge point."""

    _shared: Shared
    _registry: Registry
    _commands: Commands
    _chains: IssuedChains
    _authority: OtherAuthority
    _patience: timedelta
    _open: dict[str, _Open] = field(factory=dict)
    _is_taken_up: bool = False

    def serve(self, signing: Signing) -> None:
        """Take the requests that are accepted from now on, and look at every certificate that is to be sent."""

        def accepted(wanted: Wanted) -> None:
            client_id = wanted.client_id
            self._chains.forget(client_id)
            signing.in_hand.add(client_id)
            self._shared.clock.callLater(_LEAST_S, signing.in_hand.discard, client_id)
            self._take_up(client_id, wanted.kept(self._shared.now()))

        signing.on_accepted = accepted
        self._commands.inspections[ANSWER] = self._inspect

    async def work(self) -> None:
        """Ask about what is due, and give up what has waited too long."""
        shared = self._shared
        if not shared.ledger.available:
            return
        if not self._is_taken_up:
            for client_id, wanted in await shared.ledger.read(stored.unanswered_requests, shared.gateway_id):
                if client_id not in self._open:
                    self._take_up(client_id, wanted)
            self._is_taken_up = True
        now = shared.now()
        for client_id, request in list(self._open.items()):
            if request.wanted.asked_at + self._patience <= now:
                await self._give_up(client_id, request)
            elif request.due is not None and request.due <= now:
                self._begin(client_id, request)

    def _take_up(self, client_id: str, wanted: SigningRequest) -> None:
        request = self._open[client_id] = _Open(wanted, None)
        if self._authority.is_asked:
            self._begin(client_id, request)

    def _begin(self, client_id: str, request: _Open) -> None:
        request.due = None
        asking = Deferred.fromCoroutine(self._ask(client_id, request))
        asking.addErrback(self._failed, client_id, request)

    async def _ask(self, client_id: str, request: _Open) -> None:
        try:
            chain = await self._authority.ask(client_id, request.wanted)
            if chain is None or self._open.get(client_id) is not request:
                # It comes as a command; or the charge point has asked for another meanwhile.
                return
            certificate = await self._check(chain, request.wanted, client_id)
        except AuthorityAway as error:
            _log.warn("{client_id}: the authority does not answer: {error}", client_id=client_id, error=str(error))
            self._later(request)
            return
        except SigningFailed as error:
            await self._refuse(client_id, request, str(error))
            return
        if self._open.get(client_id) is request:
            await self._chains.send(client_id, request.wanted, certificate, chain)
            self._forget(client_id, request)

    async def _inspect(self, client_id: str, payload: dict[str, Any]) -> None:
        """Look at a certificate that is to be sent, whoever sends it.

        :raises InvalidPayload: it must not be sent.
        """
        try:
            wanted = await self._shared.ledger.read(stored.signing_request, client_id)
        except StoreError as error:
            raise NotConnected(f"the ledger cannot be read: {error}") from None
        member, reason = "certificateChain", "the charge point has not asked for a certificate"
        if wanted is not None:
            certificate_type = payload.get("certificateType")
            if (certificate_type or OWN) != (wanted.certificate_type or OWN):
                member, reason = "certificateType", f"the charge point has asked for {wanted.certificate_type or OWN}"
            elif payload.get("requestId") != wanted.request_id:
                member, reason = "requestId", f"the charge point has asked with {wanted.request_id}"
            else:
                try:
                    await self._check(payload["certificateChain"], wanted, client_id)
                except StoreError as error:
                    raise NotConnected(f"the ledger cannot be read: {error}") from None
                except SigningFailed as error:
                    reason = str(error)
                else:
                    return
        self._warn(client_id, reason)
        certificate_type = payload.get("certificateType")
        await self._decide(
            client_id,
            lambda state, context: certificates.fail(
                state, context, reason=reason, serial_number=None, certificate_type=certificate_type
            ),
        )
        raise InvalidPayload(member, reason)

    async def _check(self, chain: str, wanted: SigningRequest, client_id: str) -> Certificate:
        await check_length(self._shared, client_id, chain)
        names = await self._shared.ledger.read(stored.certificate_names, client_id)
        return await self._authority.check(chain, wanted, names, self._shared.now())

    async def _give_up(self, client_id: str, request: _Open) -> None:
        # A command may have brought the certificate.
        known = await self._shared.ledger.read(stored.signing_request, client_id)
        if known is None or known.csr != request.wanted.csr:
            self._forget(client_id, request)
        else:
            await self._refuse(client_id, request, "the authority has not signed it in time")

    async def _refuse(self, client_id: str, request: _Open, reason: str) -> None:
        self._warn(client_id, reason)
        wanted = request.wanted
        await self._decide(client_id, lambda state, context: certificates.give_up(state, context, wanted, reason))
        self._forget(client_id, request)

    def _warn(self, client_id: str, reason: str) -> None:
        _log.error("{client_id}: it gets no certificate: {reason}", client_id=client_id, reason=reason)

    async def _decide(self, client_id: str, rule: Rule[None]) -> None:
        await self._registry.decide(client_id, rule)

    def _later(self, request: _Open) -> None:
        pause = min(_FIRST_PAUSE * 2 ** min(request.failures, _MOST_DOUBLINGS), _LONGEST_PAUSE)
        request.failures += 1
        request.due = self._shared.now() + pause

    def _forget(self, client_id: str, request: _Open) -> None:
        if self._open.get(client_id) is request:
            del self._open[client_id]

    def _failed(self, failure: Failure, client_id: str, request: _Open) -> None:
        _log.failure("{client_id}: its certificate was not asked for", failure, client_id=client_id)
        self._later(request)
