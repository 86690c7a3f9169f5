"""Status of certificate chains (OCPP 2.1, functional block M)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.python.failure import Failure

from csms.handlers.iso15118 import NoAnswer, OcspAnswer, Providers, Responders
from csms.handlers.request import Reply, Request
from csms.handlers.v2.values import ocsp_data
from csms.handlers.wire import wire_time

_MOST_REQUESTS, _MOST_URLS = 4, 5
"""As many as the schema allows: more, which are let pass where deviations are tolerated, are not answered."""


class CertificateChains:
    """Status of certificate chains: what a station asks of others."""

    def __init__(self, providers: Providers) -> None:
        self._responders = providers.responders

    @on(Action.get_certificate_chain_status)
    def on_get_certificate_chain_status(
        self, request: Request, certificate_status_requests: list[dict[str, Any]], **_members: Any
    ) -> Deferred[Reply]:
        """Answer GetCertificateChainStatus (M07): Failed where nobody could say, and for revocation lists (M07.FR.05)."""
        asked = [
            Deferred.fromCoroutine(self._status(request, **dict(item)))
            for item in certificate_status_requests[:_MOST_REQUESTS]
        ]
        return gatherResults(asked).addCallback(
            lambda statuses: Reply(call_result.GetCertificateChainStatus(certificate_status=statuses))
        )

    async def _status(
        self,
        request: Request,
        certificate_hash_data: dict[str, Any],
        source: str,
        urls: list[str],
        **_more: Any,
    ) -> dict[str, Any]:
        answer = None
        if self._responders is not None and source == "OCSP":
            answer = await _first_answer(self._responders, certificate_hash_data, urls)
        until = answer.next_update if answer is not None else None
        return {
            "certificate_hash_data": certificate_hash_data,
            "source": source,
            "status": answer.state if answer is not None else "Failed",
            "next_update": wire_time(until if until is not None else request.context.now),
        }


async def _first_answer(responders: Responders, certificate: dict[str, Any], urls: list[str]) -> OcspAnswer | None:
    """Return what the first of the responders says that can be asked, and has the word of the issuer (M07.FR.01).

    All are asked at once: the station waits for the slowest, and not for all in turn.
    """
    asked = [responders.ask(ocsp_data({**certificate, "responder_url": url})) for url in urls[:_MOST_URLS]]
    for _succeeded, outcome in await DeferredList(asked, consumeErrors=True):
        if isinstance(outcome, Failure):
            outcome.trap(NoAnswer)  # type: ignore[no-untyped-call]
        elif outcome.is_verified:
            return outcome
    return None
