"""Signs the certificates that charge points were promised."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.chargepoint.issued_chains import IssuedChains
from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.handlers.certificate_requests import Signer, Signing, SigningFailed, Wanted
from csms.ledger import certificates
from csms.ledger.certificates import SigningRequest
from csms.store import certificates as stored

_log = Logger()


@define(eq=False)
class Certificates:
    """See the module. What was promised and not signed when the daemon died is signed after its next start."""

    _shared: Shared
    _registry: Registry
    _chains: IssuedChains
    _signing: Signing
    _signer: Signer
    _asked_here: set[str] | None = field(factory=set)
    """Whose requests this daemon has accepted, until those of an earlier one are taken up."""

    def serve(self) -> None:
        """Have the requests signed that are accepted from now on."""

        def accepted(wanted: Wanted) -> None:
            self._chains.forget(wanted.client_id)
            if self._asked_here is not None:
                self._asked_here.add(wanted.client_id)
            self._begin(wanted.client_id, wanted.kept(self._shared.now()), wanted.message_id)

        self._signing.on_accepted = accepted

    async def work(self) -> None:
        """Sign what an earlier daemon has accepted; once is enough."""
        ledger = self._shared.ledger
        if self._asked_here is None or not ledger.available:
            return
        found = await ledger.read(stored.unanswered_requests, self._shared.gateway_id)
        asked_here, self._asked_here = self._asked_here, None
        for client_id, wanted in found:
            if client_id not in asked_here:
                self._begin(client_id, wanted, None)

    def _begin(self, client_id: str, wanted: SigningRequest, message_id: str | None) -> None:
        def done(_result: Any) -> None:
            self._signing.in_hand.discard(client_id)

        self._signing.in_hand.add(client_id)
        issued = Deferred.fromCoroutine(self._issue(client_id, wanted, message_id))
        issued.addErrback(_failed, client_id).addBoth(done)

    async def _issue(self, client_id: str, wanted: SigningRequest, message_id: str | None) -> None:
        try:
            names = await self._shared.ledger.read(stored.certificate_names, client_id)
            signed = await self._signer.sign(wanted.csr, names, self._shared.now())
            await check_length(self._shared, client_id, signed.chain)
        except SigningFailed as error:
            reason = str(error)
            _log.error("{client_id}: its certificate was not signed: {reason}", client_id=client_id, reason=reason)
            await self._registry.decide(
                client_id, lambda state, context: certificates.give_up(state, context, wanted, reason), message_id
            )
            return
        # Between its messages: the answer to SignCertificate has left when this is decided.
        await self._chains.send(client_id, wanted, signed.certificate, signed.chain, message_id)


async def check_length(shared: Shared, client_id: str, chain: str) -> None:
    """Look whether a charge point takes a chain of that length, as far as it has told.

    :raises SigningFailed: it does not.
    """
    longest = await shared.ledger.read(stored.longest_chain, client_id)
    if longest is not None and len(chain) > longest:
        raise SigningFailed(f"the chain has {len(chain)} characters: the charge point takes {longest}")


def _failed(failure: Failure, client_id: str) -> None:
    _log.failure("{client_id}: its certificate was not issued", failure, client_id=client_id)
