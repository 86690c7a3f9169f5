"""Security (OCPP 2.x, functional block A)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action, GenericStatusEnumType
from twisted.internet.defer import Deferred

from csms.handlers.certificate_requests import Signing, answer
from csms.handlers.request import Reply, Request
from csms.handlers.wire import instant
from csms.ledger import chargepoints


class Security:
    """Security: what a station tells."""

    def __init__(self, signing: Signing | None = None) -> None:
        self._signing = signing

    @on(Action.security_event_notification)
    def on_security_event_notification(self, request: Request, timestamp: str, **members: Any) -> Reply:
        """Answer SecurityEventNotification (A04): stored and published."""
        decision = chargepoints.security_event(
            request.state,
            request.context,
            event_type=members["type"],
            instant=instant(request, timestamp),
            tech_info=members.get("tech_info"),
            body=request.payload,
        )
        return Reply(call_result.SecurityEventNotification(), decision)

    @on(Action.sign_certificate)
    def on_sign_certificate(self, request: Request, csr: str, **members: Any) -> Reply | Deferred[Reply]:
        """Answer SignCertificate (A02, A03): Rejected as long as there is no certificate authority."""
        return answer(
            request,
            self._signing,
            _result,
            csr=csr,
            certificate_type=members.get("certificate_type"),
            request_id=members.get("request_id"),
        )


def _result(status: str) -> call_result.SignCertificate:
    return call_result.SignCertificate(status=GenericStatusEnumType(status))
