"""Security of OCPP 1.6, charge point to central system (security whitepaper, edition 3)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action, GenericStatus

from csms.handlers.request import Reply, Request
from csms.handlers.wire import instant
from csms.ledger import chargepoints


class Security:
    """Security events, and certificates that a charge point wants signed."""

    @on(Action.security_event_notification)
    def on_security_event_notification(self, request: Request, timestamp: str, **members: Any) -> Reply:
        """Answer SecurityEventNotification (A04, §5.15): stored and published."""
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
    def on_sign_certificate(self, request: Request, **_members: Any) -> Reply:
        """Answer SignCertificate (A02, §5.17): kept, and Rejected as long as there is no certificate authority."""
        decision = chargepoints.keep(request.state, request.context, kind=Action.sign_certificate, body=request.payload)
        return Reply(call_result.SignCertificate(status=GenericStatus.rejected), decision)
