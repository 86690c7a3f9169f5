"""Battery swapping (OCPP 2.1, functional block S)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.events.notices import BatterySwapped, SwappedBattery
from csms.handlers.request import Reply, Request
from csms.handlers.v2.telling import given, tell
from csms.ledger.decision import Draft
from csms.ledger.notices import where


class BatterySwap:
    """Batteries that go in and out."""

    @on(Action.battery_swap)
    def on_battery_swap(
        self,
        request: Request,
        request_id: int,
        event_type: str,
        id_token: dict[str, Any],
        battery_data: list[dict[str, Any]],
        **_members: Any,
    ) -> Reply:
        """Answer BatterySwap (S01)."""

        def make(draft: Draft) -> BatterySwapped:
            batteries = [
                SwappedBattery(
                    serial_number=battery["serial_number"],
                    state_of_charge=battery["soc"],
                    state_of_health=battery["soh"],
                    production_date=given(battery.get("production_date")),
                    vendor_info=given(battery.get("vendor_info")),
                    **where(draft, battery["evse_id"]),
                )
                for battery in battery_data
            ]
            return BatterySwapped(
                request_id=int(request_id), event=event_type, id_tag=id_token["id_token"], batteries=batteries
            )

        return Reply(call_result.BatterySwap(), tell(request, Action.battery_swap, make))
