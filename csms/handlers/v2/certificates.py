"""Certificates of ISO 15118 (OCPP 2.x, functional block M)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class Certificates:
    """Certificates of ISO 15118: what a station tells."""

    @on(Action.get_15118_ev_certificate)
    def on_get_15118_ev_certificate(self, request: Request, **_members: Any) -> Reply:
        """Answer Get15118EVCertificate (M01)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.get_15118_ev_certificate, body=request.payload
        )
        return Reply(call_result.Get15118EVCertificate(status="Failed", exi_response=""), decision)

    @on(Action.get_certificate_status)
    def on_get_certificate_status(self, request: Request, **_members: Any) -> Reply:
        """Answer GetCertificateStatus (M06)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.get_certificate_status, body=request.payload
        )
        return Reply(call_result.GetCertificateStatus(status="Failed"), decision)
