"""Settlements and invoices (OCPP 2.1, functional block C)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class Payment:
    """Settlements and invoices: what a station tells."""

    @on(Action.notify_settlement)
    def on_notify_settlement(self, request: Request, **_members: Any) -> Reply:
        """Answer NotifySettlement (C)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.notify_settlement, body=request.payload
        )
        return Reply(call_result.NotifySettlement(), decision)

    @on(Action.vat_number_validation)
    def on_vat_number_validation(self, request: Request, **members: Any) -> Reply:
        """Answer VatNumberValidation (C)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.vat_number_validation, body=request.payload
        )
        return Reply(
            call_result.VatNumberValidation(status="Rejected", vat_number=str(members["vat_number"])), decision
        )
