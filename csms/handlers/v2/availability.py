"""Availability (OCPP 2.x, functional block G)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class Availability:
    """StatusNotification."""

    @on(Action.status_notification)
    def on_status_notification(self, request: Request, **_members: Any) -> Reply:
        """Answer StatusNotification (G01)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.status_notification, body=request.payload
        )
        return Reply(call_result.StatusNotification(), decision)
