"""Display messages (OCPP 2.x, functional block O)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class Display:
    """Display messages: what a station tells."""

    @on(Action.notify_display_messages)
    def on_notify_display_messages(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyDisplayMessages (O03)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.notify_display_messages, body=request.payload
        )
        return Reply(call_result.NotifyDisplayMessages(), decision)
