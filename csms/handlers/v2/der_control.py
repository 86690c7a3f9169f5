"""Control of distributed energy resources (OCPP 2.1, functional block R)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.events.notices import DerAlarm, DerControlChanged, DerControlsReported
from csms.handlers.request import Reply, Request
from csms.handlers.v2.telling import given, tell, truth
from csms.handlers.wire import instant
from csms.ledger.decision import Draft
from csms.ledger.parts import collect

_NO_CONTROLS = frozenset({"requestId", "tbc", "customData"})


class DerControl:
    """Alarms of the grid, and the controls that are in force."""

    @on(Action.notify_der_alarm)
    def on_notify_der_alarm(self, request: Request, control_type: str, timestamp: str, **members: Any) -> Reply:
        """Answer NotifyDERAlarm (R04)."""
        notice = DerAlarm(
            control_type=control_type,
            timestamp=instant(request, timestamp).at,
            grid_event_fault=given(members.get("grid_event_fault")),
            alarm_ended=given(truth(members.get("alarm_ended"))),
            extra_info=given(members.get("extra_info")),
        )
        return Reply(call_result.NotifyDERAlarm(), tell(request, Action.notify_der_alarm, lambda _draft: notice))

    @on(Action.notify_der_start_stop)
    def on_notify_der_start_stop(
        self, request: Request, control_id: str, started: Any, timestamp: str, **members: Any
    ) -> Reply:
        """Answer NotifyDERStartStop (R04)."""
        notice = DerControlChanged(
            control_id=control_id,
            started=bool(started),
            timestamp=instant(request, timestamp).at,
            superseded_ids=given(members.get("superseded_ids")),
        )
        decision = tell(request, Action.notify_der_start_stop, lambda _draft: notice)
        return Reply(call_result.NotifyDERStartStop(), decision)

    @on(Action.report_der_control)
    def on_report_der_control(self, request: Request, request_id: int, **members: Any) -> Reply:
        """Answer ReportDERControl (R04): published when the last part is there."""
        number = int(request_id)

        def make(draft: Draft) -> DerControlsReported | None:
            controls = [
                {kind: control}
                for kind, found in request.payload.items()
                if kind not in _NO_CONTROLS and isinstance(found, list)
                for control in found
            ]
            report = collect(draft, Action.report_der_control, number, controls, more=bool(members.get("tbc")))
            if report is None:
                return None
            return DerControlsReported(request_id=number, controls=list(report.items), is_complete=report.is_complete)

        return Reply(call_result.ReportDERControl(), tell(request, Action.report_der_control, make))
