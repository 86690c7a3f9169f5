"""Smart charging (OCPP 2.x, functional block K)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.events.notices import (
    ChargingLimitChanged,
    ChargingProfilesReported,
    EvChargingNeeds,
    EvChargingSchedule,
    ReportedProfile,
)
from csms.handlers.request import Reply, Request
from csms.handlers.v2.telling import given, tell, truth
from csms.handlers.v2.values import whole
from csms.handlers.wire import instant
from csms.ledger.decision import Draft
from csms.ledger.notices import running_at, where
from csms.ledger.parts import collect


class SmartCharging:
    """Limits of others, profiles that are installed, and what vehicles want."""

    def __init__(self, *, is_21: bool) -> None:
        # No schedule follows by itself: a station must not wait for one (K15.FR.04; 2.1 has a word of its own for that).
        self._needs_answer = "NoChargingProfile" if is_21 else "Rejected"

    @on(Action.notify_charging_limit)
    def on_notify_charging_limit(self, request: Request, charging_limit: dict[str, Any], **members: Any) -> Reply:
        """Answer NotifyChargingLimit (K12)."""

        def make(draft: Draft) -> ChargingLimitChanged:
            return ChargingLimitChanged(
                status="active",
                source=charging_limit["charging_limit_source"],
                is_grid_critical=given(truth(charging_limit.get("is_grid_critical"))),
                is_local_generation=given(truth(charging_limit.get("is_local_generation"))),
                schedules=given(request.payload.get("chargingSchedule")),
                **where(draft, members.get("evse_id")),
            )

        return Reply(call_result.NotifyChargingLimit(), tell(request, Action.notify_charging_limit, make))

    @on(Action.cleared_charging_limit)
    def on_cleared_charging_limit(self, request: Request, charging_limit_source: str, **members: Any) -> Reply:
        """Answer ClearedChargingLimit (K13)."""

        def make(draft: Draft) -> ChargingLimitChanged:
            place = where(draft, members.get("evse_id"))
            return ChargingLimitChanged(status="cleared", source=charging_limit_source, **place)

        return Reply(call_result.ClearedChargingLimit(), tell(request, Action.cleared_charging_limit, make))

    @on(Action.report_charging_profiles)
    def on_report_charging_profiles(
        self, request: Request, request_id: int, evse_id: int, charging_limit_source: str, **members: Any
    ) -> Reply:
        """Answer ReportChargingProfiles (K09): published when the last part is there."""
        number = int(request_id)

        def make(draft: Draft) -> ChargingProfilesReported | None:
            place = where(draft, evse_id)
            profiles = [
                ReportedProfile(source=charging_limit_source, profile=profile, **place)
                for profile in request.payload["chargingProfile"]
            ]
            report = collect(
                draft, Action.report_charging_profiles, number, profiles, more=bool(members.get("tbc", False))
            )
            if report is None:
                return None
            return ChargingProfilesReported(
                request_id=number, profiles=list(report.items), is_complete=report.is_complete
            )

        return Reply(call_result.ReportChargingProfiles(), tell(request, Action.report_charging_profiles, make))

    @on(Action.notify_ev_charging_needs)
    def on_notify_ev_charging_needs(self, request: Request, evse_id: int, **members: Any) -> Reply:
        """Answer NotifyEVChargingNeeds (K15, K17): whoever makes schedules learns of it, and may send one."""

        def make(draft: Draft) -> EvChargingNeeds:
            most = members.get("max_schedule_tuples")
            return EvChargingNeeds(
                needs=request.payload["chargingNeeds"],
                answer=self._needs_answer,
                transaction_id=running_at(draft, evse_id),
                max_schedule_tuples=given(whole(most)),
                **where(draft, evse_id),
            )

        decision = tell(request, Action.notify_ev_charging_needs, make)
        return Reply(call_result.NotifyEVChargingNeeds(status=self._needs_answer), decision)

    @on(Action.notify_ev_charging_schedule)
    def on_notify_ev_charging_schedule(self, request: Request, evse_id: int, time_base: str, **members: Any) -> Reply:
        """Answer NotifyEVChargingSchedule (K15, K17)."""

        def make(draft: Draft) -> EvChargingSchedule:
            selected = members.get("selected_charging_schedule_id")
            return EvChargingSchedule(
                time_base=instant(request, time_base).at,
                schedule=request.payload["chargingSchedule"],
                transaction_id=running_at(draft, evse_id),
                selected_charging_schedule_id=given(whole(selected)),
                power_tolerance_acceptance=given(truth(members.get("power_tolerance_acceptance"))),
                **where(draft, evse_id),
            )

        decision = tell(request, Action.notify_ev_charging_schedule, make)
        return Reply(call_result.NotifyEVChargingSchedule(status="Accepted"), decision)
