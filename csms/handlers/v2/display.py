"""Display messages (OCPP 2.x, functional block O)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.events.notices import DisplayMessagesReported
from csms.handlers.request import Reply, Request
from csms.handlers.v2.telling import tell
from csms.ledger.decision import Draft
from csms.ledger.parts import collect


class Display:
    """What a station shows to drivers."""

    @on(Action.notify_display_messages)
    def on_notify_display_messages(self, request: Request, request_id: int, **members: Any) -> Reply:
        """Answer NotifyDisplayMessages (O03): published when the last part is there."""
        number = int(request_id)

        def make(draft: Draft) -> DisplayMessagesReported | None:
            messages = request.payload.get("messageInfo", [])
            report = collect(draft, Action.notify_display_messages, number, messages, more=bool(members.get("tbc")))
            if report is None:
                return None
            return DisplayMessagesReported(
                request_id=number, messages=list(report.items), is_complete=report.is_complete
            )

        return Reply(call_result.NotifyDisplayMessages(), tell(request, Action.notify_display_messages, make))
