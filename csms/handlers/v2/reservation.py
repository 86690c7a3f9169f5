"""Reservations (OCPP 2.x, functional block H)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class Reservation:
    """Reservations: what a station tells."""

    @on(Action.reservation_status_update)
    def on_reservation_status_update(self, request: Request, **_members: Any) -> Reply:
        """Answer ReservationStatusUpdate (H05)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.reservation_status_update, body=request.payload
        )
        return Reply(call_result.ReservationStatusUpdate(), decision)
