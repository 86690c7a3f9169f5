"""Starts that come while the registration is Pending: refused, so that they wait at the charge point (OCPP 1.6 §4.2).

It sends them again: a queue is kept until it is accepted. But one whose start is refused too often forgets that message,
and speaks of the transaction by an id that is none (errata 3.18): what the start said is kept here, and told of.
"""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from csms.events.business import StartRefused
from csms.ledger import chargepoints
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.numbers import number
from csms.ledger.state import ChargePointState
from csms.ledger.transactions import StartRequest

_REMEMBERED = 16


def refuse(state: ChargePointState, context: Context, request: StartRequest, *, body: object) -> Decision[None]:
    """Keep a start that is refused, and tell of it; once, however often it comes on this connection."""
    key = (request.connector_id, request.id_tag, request.instant.station, request.meter_start_wh)
    if key in state.refused_starts:
        return Decision(None, state)
    draft = Draft(replace(state, refused_starts=(*state.refused_starts[1 - _REMEMBERED :], key)), context)
    draft.change(chargepoints.record(state, context, "RefusedStart", body))
    draft.emit(
        "start_refused",
        StartRefused(
            connector_id=request.connector_id,
            id_tag=request.id_tag,
            start_time=request.instant.at,
            registration=state.registered or state.charge_point.registration,
            meter_start=number(request.meter_start_wh) if request.meter_start_wh >= 0 else UNSET,
        ),
    )
    return draft.decide(None)
