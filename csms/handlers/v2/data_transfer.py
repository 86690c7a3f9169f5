"""Data transfer (OCPP 2.x, functional block P)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Reply, Request
from csms.ledger import chargepoints


class DataTransfer:
    """Data transfer: what a station tells."""

    @on(Action.data_transfer)
    def on_data_transfer(self, request: Request, **_members: Any) -> Reply:
        """Answer DataTransfer (P02)."""
        decision = chargepoints.keep(request.state, request.context, kind=Action.data_transfer, body=request.payload)
        return Reply(call_result.DataTransfer(status="UnknownVendorId"), decision)
