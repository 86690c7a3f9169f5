"""The device model and its monitoring (OCPP 2.x, functional blocks B and N)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class DeviceModel:
    """The device model and its monitoring: what a station tells."""

    @on(Action.notify_report)
    def on_notify_report(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyReport (B07)."""
        decision = chargepoints.keep(request.state, request.context, kind=Action.notify_report, body=request.payload)
        return Reply(call_result.NotifyReport(), decision)

    @on(Action.notify_monitoring_report)
    def on_notify_monitoring_report(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyMonitoringReport (N02)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.notify_monitoring_report, body=request.payload
        )
        return Reply(call_result.NotifyMonitoringReport(), decision)

    @on(Action.notify_event)
    def on_notify_event(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyEvent (N07)."""
        decision = chargepoints.keep(request.state, request.context, kind=Action.notify_event, body=request.payload)
        return Reply(call_result.NotifyEvent(), decision)
