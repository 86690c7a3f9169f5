"""Certificates of ISO 15118 (OCPP 2.x, functional block M)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result as call_result_21
from ocpp.v201 import call_result
from ocpp.v201.enums import Action
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from csms.handlers.iso15118 import EvCertificate, NoAnswer, OcspAnswer, Providers
from csms.handlers.request import Reply, Request
from csms.handlers.v2.values import ocsp_data
from csms.ledger import chargepoints

_OCSP_RESULT = {False: 5_500, True: 18_000}
_EXI_RESPONSE = {False: 7_500, True: 17_000}
"""The longest texts, in OCPP 2.0.1 and in 2.1."""


class Certificates:
    """Certificates of ISO 15118: what a station asks of others."""

    def __init__(self, providers: Providers, *, is_21: bool) -> None:
        self._providers = providers
        self._is_21 = is_21

    @on(Action.get_15118_ev_certificate)
    def on_get_15118_ev_certificate(self, request: Request, **_members: Any) -> Deferred[Reply]:
        """Answer Get15118EVCertificate (M01, M02): what the provider says."""
        provider = self._providers.ev_certificates
        if provider is None:
            asked: Deferred[EvCertificate] = fail(
                NoAnswer("NotEnabled", "no provider of contract certificates: iso15118.ev_certificate_url is not set")
            )
        else:
            asked = provider.ask(request.state.charge_point.client_id, request.payload)

        def answered(told: EvCertificate) -> Any:
            longest = _EXI_RESPONSE[self._is_21]
            if len(told.exi_response) > longest:
                raise NoAnswer("TooLargeElement", f"the exiResponse has more than {longest} characters")
            if self._is_21:
                return call_result_21.Get15118EVCertificate(
                    status=told.status,
                    exi_response=told.exi_response,
                    remaining_contracts=told.remaining_contracts,
                    status_info=told.status_info,
                )
            return call_result.Get15118EVCertificate(told.status, told.exi_response, told.status_info)

        def failed(failure: Failure) -> Any:
            return call_result.Get15118EVCertificate("Failed", "", _status_info(failure))

        return (
            asked.addCallback(answered).addErrback(failed).addCallback(_kept, request, Action.get_15118_ev_certificate)
        )

    @on(Action.get_certificate_status)
    def on_get_certificate_status(
        self, request: Request, ocsp_request_data: dict[str, Any], **_members: Any
    ) -> Deferred[Reply]:
        """Answer GetCertificateStatus (M06): what the responder says, whatever it is."""
        responders = self._providers.responders
        if responders is None:
            asked: Deferred[OcspAnswer] = fail(
                NoAnswer("NotEnabled", "no OCSP responder: iso15118.ocsp_responders is not set")
            )
        else:
            asked = responders.ask(ocsp_data(ocsp_request_data))

        def answered(told: OcspAnswer) -> Any:
            result, longest = b64encode(told.der).decode(), _OCSP_RESULT[self._is_21]
            if len(result) > longest:
                raise NoAnswer("TooLargeElement", f"the OCSP response has more than {longest} characters")
            return call_result.GetCertificateStatus("Accepted", ocsp_result=result)

        def failed(failure: Failure) -> Any:
            return call_result.GetCertificateStatus("Failed", status_info=_status_info(failure))

        return asked.addCallback(answered).addErrback(failed).addCallback(_kept, request, Action.get_certificate_status)


def _status_info(failure: Failure) -> Any:
    fault = failure.value
    if not isinstance(fault, NoAnswer):
        failure.raiseException()
    return fault.status_info


def _kept(result: Any, request: Request, kind: Action) -> Reply:
    return Reply(result, chargepoints.keep(request.state, request.context, kind=kind, body=request.payload))
