"""Signs the certificates that charge points were promised."""

from __future__ import annotations

from typing import Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.chargepoint.issued_chains import IssuedChains
from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.handlers.certificate_requests import Signer, Signing, SigningFailed, Wanted
from csms.ledger import certificates
from csms.store import certificates as stored

_log = Logger()


@define(eq=False)
class Certificates:
    """See the module."""

    _shared: Shared
    _registry: Registry
    _chains: IssuedChains

    def serve(self, signing: Signing, signer: Signer) -> None:
        """Have the requests signed that are accepted from now on."""

        def accepted(wanted: Wanted) -> None:
            def done(_result: Any) -> None:
                signing.in_hand.discard(wanted.client_id)

            self._chains.forget(wanted.client_id)
            signing.in_hand.add(wanted.client_id)
            issued = Deferred.fromCoroutine(self._issue(signer, wanted))
            issued.addErrback(_failed, wanted.client_id).addBoth(done)

        signing.on_accepted = accepted

    async def _issue(self, signer: Signer, wanted: Wanted) -> None:
        client_id, certificate_type = wanted.client_id, wanted.certificate_type
        try:
            names = await self._shared.ledger.read(stored.certificate_names, client_id)
            signed = await signer.sign(wanted.csr, names, self._shared.now())
            await check_length(self._shared, client_id, signed.chain)
        except SigningFailed as error:
            reason = str(error)
            _log.error("{client_id}: its certificate was not signed: {reason}", client_id=client_id, reason=reason)
            await self._registry.decide(
                client_id,
                lambda state, context: certificates.fail(
                    state, context, reason=reason, serial_number=None, certificate_type=certificate_type
                ),
                wanted.message_id,
            )
            return
        # Between its messages: the answer to SignCertificate has left when this is decided.
        await self._chains.send(
            client_id, wanted.kept(self._shared.now()), signed.certificate, signed.chain, wanted.message_id
        )


async def check_length(shared: Shared, client_id: str, chain: str) -> None:
    """Look whether a charge point takes a chain of that length, as far as it has told.

    :raises SigningFailed: it does not.
    """
    longest = await shared.ledger.read(stored.longest_chain, client_id)
    if longest is not None and len(chain) > longest:
        raise SigningFailed(f"the chain has {len(chain)} characters: the charge point takes {longest}")


def _failed(failure: Failure, client_id: str) -> None:
    _log.failure("{client_id}: its certificate was not issued", failure, client_id=client_id)
