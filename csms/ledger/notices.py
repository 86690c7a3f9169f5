"""What a station of OCPP 2.x tells that changes nothing else: kept as it came, and published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from csms.events.notices import TYPE_OF, Notice
from csms.ledger import chargepoints
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


def where(draft: Draft, evse_id: int | None) -> dict[str, Any]:
    """Return the members of a notice that say where it is about: the EVSE, and its flat connector number."""
    if evse_id is None:
        return {}
    return {"evse_id": evse_id, "connector_id": evse_id}
