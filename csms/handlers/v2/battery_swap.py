"""Battery swapping (OCPP 2.1, functional block S)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class BatterySwap:
    """Battery swapping: what a station tells."""

    @on(Action.battery_swap)
    def on_battery_swap(self, request: Request, **_members: Any) -> Reply:
        """Answer BatterySwap (S01)."""
        decision = chargepoints.keep(request.state, request.context, kind=Action.battery_swap, body=request.payload)
        return Reply(call_result.BatterySwap(), decision)
