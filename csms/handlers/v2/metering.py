"""Meter values outside of transactions (OCPP 2.x, functional block J)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class Metering:
    """MeterValues."""

    @on(Action.meter_values)
    def on_meter_values(self, request: Request, **_members: Any) -> Reply:
        """Answer MeterValues (J01)."""
        decision = chargepoints.keep(request.state, request.context, kind=Action.meter_values, body=request.payload)
        return Reply(call_result.MeterValues(), decision)
