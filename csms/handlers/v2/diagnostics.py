"""Diagnostics (OCPP 2.x, functional block N)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class Diagnostics:
    """Diagnostics: what a station tells."""

    @on(Action.log_status_notification)
    def on_log_status_notification(self, request: Request, status: str, **members: Any) -> Reply:
        """Answer LogStatusNotification (N01)."""
        decision = chargepoints.diagnostics_status(
            request.state,
            request.context,
            kind=Action.log_status_notification,
            status=status,
            request_id=members.get("request_id"),
            body=request.payload,
        )
        return Reply(call_result.LogStatusNotification(), decision)

    @on(Action.notify_customer_information)
    def on_notify_customer_information(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyCustomerInformation (N09)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.notify_customer_information, body=request.payload
        )
        return Reply(call_result.NotifyCustomerInformation(), decision)
