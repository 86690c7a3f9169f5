"""Firmware management of OCPP 1.6, charge point to central system (§4.4, §4.5), and its signed kind (security whitepaper)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class Firmware:
    """The status notifications of uploads and updates: kept for whoever looks into what a charge point did."""

    @on(Action.diagnostics_status_notification)
    def on_diagnostics_status_notification(self, request: Request, **_members: Any) -> Reply:
        """Answer DiagnosticsStatusNotification (§4.4)."""
        return _kept(request, Action.diagnostics_status_notification, call_result.DiagnosticsStatusNotification())

    @on(Action.firmware_status_notification)
    def on_firmware_status_notification(self, request: Request, **_members: Any) -> Reply:
        """Answer FirmwareStatusNotification (§4.5)."""
        return _kept(request, Action.firmware_status_notification, call_result.FirmwareStatusNotification())

    @on(Action.signed_firmware_status_notification)
    def on_signed_firmware_status_notification(self, request: Request, **_members: Any) -> Reply:
        """Answer SignedFirmwareStatusNotification (security whitepaper L01, §5.19)."""
        return _kept(
            request, Action.signed_firmware_status_notification, call_result.SignedFirmwareStatusNotification()
        )

    @on(Action.log_status_notification)
    def on_log_status_notification(self, request: Request, **_members: Any) -> Reply:
        """Answer LogStatusNotification (security whitepaper N01, §5.13)."""
        return _kept(request, Action.log_status_notification, call_result.LogStatusNotification())


def _kept(request: Request, action: Action, payload: Any) -> Reply:
    return Reply(payload, chargepoints.keep(request.state, request.context, kind=action, body=request.payload))
