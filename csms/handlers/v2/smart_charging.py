"""Smart charging (OCPP 2.x, functional block K)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class SmartCharging:
    """Smart charging: what a station tells."""

    @on(Action.notify_charging_limit)
    def on_notify_charging_limit(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyChargingLimit (K12)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.notify_charging_limit, body=request.payload
        )
        return Reply(call_result.NotifyChargingLimit(), decision)

    @on(Action.cleared_charging_limit)
    def on_cleared_charging_limit(self, request: Request, **_members: Any) -> Reply:
        """Answer ClearedChargingLimit (K13)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.cleared_charging_limit, body=request.payload
        )
        return Reply(call_result.ClearedChargingLimit(), decision)

    @on(Action.report_charging_profiles)
    def on_report_charging_profiles(self, request: Request, **_members: Any) -> Reply:
        """Answer ReportChargingProfiles (K09)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.report_charging_profiles, body=request.payload
        )
        return Reply(call_result.ReportChargingProfiles(), decision)

    @on(Action.notify_ev_charging_needs)
    def on_notify_ev_charging_needs(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyEVChargingNeeds (K15)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.notify_ev_charging_needs, body=request.payload
        )
        return Reply(call_result.NotifyEVChargingNeeds(status="Accepted"), decision)

    @on(Action.notify_ev_charging_schedule)
    def on_notify_ev_charging_schedule(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifyEVChargingSchedule (K15)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.notify_ev_charging_schedule, body=request.payload
        )
        return Reply(call_result.NotifyEVChargingSchedule(status="Accepted"), decision)
