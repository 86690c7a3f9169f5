"""Firmware management (OCPP 2.x, functional block L)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.events.notices import FirmwarePublished
from csms.handlers.request import Reply, Request
from csms.handlers.v2.telling import given, tell
from csms.handlers.v2.values import whole
from csms.ledger import chargepoints


class Firmware:
    """Firmware management: what a station tells."""

    @on(Action.firmware_status_notification)
    def on_firmware_status_notification(self, request: Request, status: str, **members: Any) -> Reply:
        """Answer FirmwareStatusNotification (L01)."""
        decision = chargepoints.firmware_status(
            request.state,
            request.context,
            kind=Action.firmware_status_notification,
            status=status,
            request_id=members.get("request_id"),
            body=request.payload,
        )
        return Reply(call_result.FirmwareStatusNotification(), decision)

    @on(Action.publish_firmware_status_notification)
    def on_publish_firmware_status_notification(self, request: Request, status: str, **members: Any) -> Reply:
        """Answer PublishFirmwareStatusNotification (L03)."""
        request_id = members.get("request_id")
        notice = FirmwarePublished(
            status=status,
            request_id=given(whole(request_id)),
            locations=given(members.get("location")),
        )
        decision = tell(request, Action.publish_firmware_status_notification, lambda _draft: notice)
        return Reply(call_result.PublishFirmwareStatusNotification(), decision)
