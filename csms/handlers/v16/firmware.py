"""Firmware management of OCPP 1.6, charge point to central system (§4.4, §4.5), and its signed kind (security whitepaper)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints
from csms.ledger.decision import Decision


class Firmware:
    """The status notifications of uploads and updates: kept, and told of."""

    @on(Action.diagnostics_status_notification)
    def on_diagnostics_status_notification(self, request: Request, status: str, **_members: Any) -> Reply:
        """Answer DiagnosticsStatusNotification (§4.4)."""
        return Reply(
            call_result.DiagnosticsStatusNotification(),
            _progress(chargepoints.diagnostics_status, request, Action.diagnostics_status_notification, status),
        )

    @on(Action.firmware_status_notification)
    def on_firmware_status_notification(self, request: Request, status: str, **_members: Any) -> Reply:
        """Answer FirmwareStatusNotification (§4.5)."""
        return Reply(
            call_result.FirmwareStatusNotification(),
            _progress(chargepoints.firmware_status, request, Action.firmware_status_notification, status),
        )

    @on(Action.signed_firmware_status_notification)
    def on_signed_firmware_status_notification(self, request: Request, status: str, **members: Any) -> Reply:
        """Answer SignedFirmwareStatusNotification (security whitepaper L01, §5.19)."""
        action = Action.signed_firmware_status_notification
        return Reply(
            call_result.SignedFirmwareStatusNotification(),
            _progress(chargepoints.firmware_status, request, action, status, members.get("request_id")),
        )

    @on(Action.log_status_notification)
    def on_log_status_notification(self, request: Request, status: str, **members: Any) -> Reply:
        """Answer LogStatusNotification (security whitepaper N01, §5.13)."""
        return Reply(
            call_result.LogStatusNotification(),
            _progress(
                chargepoints.diagnostics_status,
                request,
                Action.log_status_notification,
                status,
                members.get("request_id"),
            ),
        )


def _progress(
    rule: Callable[..., Decision[None]], request: Request, kind: Action, status: str, request_id: float | None = None
) -> Decision[None]:
    return rule(
        request.state,
        request.context,
        kind=kind,
        status=status,
        request_id=int(request_id) if request_id is not None else None,
        body=request.payload,
    )
