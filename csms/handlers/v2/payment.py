"""Settlements and invoices (OCPP 2.1, functional block C)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v21 import call_result
from ocpp.v21.enums import Action

from csms.events.notices import Settlement, VatNumberAsked
from csms.handlers.request import Reply, Request
from csms.handlers.v2.telling import given, tell
from csms.handlers.wire import instant
from csms.ledger.decision import Draft
from csms.ledger.notices import transaction_of, where

_REJECTED = "Rejected"


class Payment:
    """What a payment terminal tells and asks."""

    @on(Action.notify_settlement)
    def on_notify_settlement(
        self,
        request: Request,
        psp_ref: str,
        status: str,
        settlement_amount: float,
        settlement_time: str,
        **members: Any,
    ) -> Reply:
        """Answer NotifySettlement (C24)."""
        station_id = members.get("transaction_id")

        def make(draft: Draft) -> Settlement:
            return Settlement(
                psp_ref=psp_ref,
                status=status,
                settlement_amount=settlement_amount,
                settlement_time=instant(request, settlement_time).at,
                station_transaction_id=given(station_id),
                transaction_id=transaction_of(draft, station_id),
                status_info=given(members.get("status_info")),
                receipt_id=given(members.get("receipt_id")),
                receipt_url=given(members.get("receipt_url")),
                vat_number=given(members.get("vat_number")),
                vat_company=given(request.payload.get("vatCompany")),
            )

        return Reply(call_result.NotifySettlement(), tell(request, Action.notify_settlement, make))

    @on(Action.vat_number_validation)
    def on_vat_number_validation(self, request: Request, vat_number: str, **members: Any) -> Reply:
        """Answer VatNumberValidation (C25): Rejected, as there is nobody here who knows VAT numbers."""

        def make(draft: Draft) -> VatNumberAsked:
            return VatNumberAsked(vat_number=vat_number, status=_REJECTED, **where(draft, members.get("evse_id")))

        payload = call_result.VatNumberValidation(
            status=_REJECTED,
            vat_number=vat_number,
            evse_id=members.get("evse_id"),
            status_info={"reason_code": "NotFound", "additional_info": "VAT numbers are not validated here"},
        )
        return Reply(payload, tell(request, Action.vat_number_validation, make))
