"""Status of certificate chains (OCPP 2.1, functional block M)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.handlers.request import Reply, Request
from csms.handlers.wire import wire_time


class CertificateChains:
    """Status of certificate chains: what a station tells."""

    @on(Action.get_certificate_chain_status)
    def on_get_certificate_chain_status(
        self, request: Request, certificate_status_requests: list[dict[str, Any]], **_members: Any
    ) -> Reply:
        """Answer GetCertificateChainStatus (M07): Failed for each, as long as there is nobody to ask."""
        statuses = [
            {
                "certificate_hash_data": asked["certificate_hash_data"],
                "source": asked["source"],
                "status": "Failed",
                "next_update": wire_time(request.context.now),
            }
            for asked in certificate_status_requests
        ]
        return Reply(call_result.GetCertificateChainStatus(certificate_status=statuses))
