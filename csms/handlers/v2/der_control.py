"""Control of distributed energy resources (OCPP 2.1, functional block R)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class DerControl:
    """Control of distributed energy resources: what a station tells."""

    @on(Action.notify_der_alarm)
    def on_notify_der_alarm(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyDERAlarm (R04)."""
        decision = chargepoints.keep(request.state, request.context, kind=Action.notify_der_alarm, body=request.payload)
        return Reply(call_result.NotifyDERAlarm(), decision)

    @on(Action.notify_der_start_stop)
    def on_notify_der_start_stop(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyDERStartStop (R04)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.notify_der_start_stop, body=request.payload
        )
        return Reply(call_result.NotifyDERStartStop(), decision)

    @on(Action.report_der_control)
    def on_report_der_control(self, request: Request, **_members: Any) -> Reply:
        """Answer ReportDERControl (R04)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.report_der_control, body=request.payload
        )
        return Reply(call_result.ReportDERControl(), decision)
