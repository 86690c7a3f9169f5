"""Diagnostics (OCPP 2.x, functional block N)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.events.notices import CustomerInformationReported
from csms.handlers.request import Reply, Request
from csms.handlers.v2.telling import tell
from csms.ledger import chargepoints
from csms.ledger.decision import Draft
from csms.ledger.parts import collect


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
    def on_notify_customer_information(self, request: Request, request_id: int, seq_no: int, **members: Any) -> Reply:
        """Answer NotifyCustomerInformation (N09): kept, and told of without its content when the last part is there."""
        number = int(request_id)

        def make(draft: Draft) -> CustomerInformationReported | None:
            action, more = Action.notify_customer_information, bool(members.get("tbc"))
            report = collect(draft, action, number, [int(seq_no)], more=more)
            if report is None:
                return None
            parts = sorted(report.items)
            return CustomerInformationReported(
                request_id=number, parts=len(parts), is_complete=parts == list(range(len(parts)))
            )

        decision = tell(request, Action.notify_customer_information, make)
        return Reply(call_result.NotifyCustomerInformation(), decision)
