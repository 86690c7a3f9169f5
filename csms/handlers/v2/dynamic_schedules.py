"""Dynamic schedules and priority charging (OCPP 2.1, functional block K)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class DynamicSchedules:
    """Dynamic schedules and priority charging: what a station tells."""

    @on(Action.pull_dynamic_schedule_update)
    def on_pull_dynamic_schedule_update(self, request: Request, **_members: Any) -> Reply:
        """Answer PullDynamicScheduleUpdate (K28)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.pull_dynamic_schedule_update, body=request.payload
        )
        return Reply(call_result.PullDynamicScheduleUpdate(status="Rejected"), decision)

    @on(Action.notify_priority_charging)
    def on_notify_priority_charging(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyPriorityCharging (K21)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.notify_priority_charging, body=request.payload
        )
        return Reply(call_result.NotifyPriorityCharging(), decision)
