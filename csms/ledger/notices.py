"""What a station of OCPP 2.x tells that changes nothing else: kept as it came, and published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, UnsetType

from csms.events.notices import TYPE_OF, Notice
from csms.ledger import chargepoints, evses
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState

MakeNotice = Callable[[Draft], Notice | None]
"""Makes what is published; it may change the draft. None: there is nothing to publish (yet)."""


def tell(state: ChargePointState, context: Context, *, kind: str, body: object, make: MakeNotice) -> Decision[None]:
    """Keep a message, and publish what it says."""
    draft = Draft(state, context)
    draft.change(chargepoints.record(state, context, kind, body))
    notice = make(draft)
    if notice is not None:
        draft.emit(TYPE_OF[type(notice)], notice)
    return draft.decide(None)


def where(draft: Draft, evse_id: float | None) -> dict[str, Any]:
    """Return the members of a notice that say where it is about: the EVSE, and its flat connector number."""
    if evse_id is None:
        return {}
    number = int(evse_id)
    try:
        return {"evse_id": number, "connector_id": evses.place(draft, number, None)}
    except evses.NoSuchConnector:
        return {"evse_id": number}


def running_at(draft: Draft, evse_id: float) -> int | UnsetType:
    """Return the id of the transaction that runs at an EVSE."""
    running = evses.running_at(draft.state, int(evse_id))
    return running.transaction_id if running is not None and running.is_told else UNSET


def transaction_of(draft: Draft, station_transaction_id: str | None) -> int | UnsetType:
    """Return the daemon's id of a running transaction, by the station's."""
    return next(
        (
            running.transaction_id
            for running in draft.state.running.values()
            if running.station_transaction_id == station_transaction_id is not None and running.is_told
        ),
        UNSET,
    )
