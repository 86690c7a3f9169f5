"""Reservations (OCPP 2.x, functional block H)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.command_set import Learner, Payload, learner
from csms.handlers.request import Reply, Request
from csms.handlers.v2.values import Token
from csms.handlers.wire import own_time
from csms.ledger import evses, reservations
from csms.ledger.authorization import TagInfo
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState


class Reservation:
    """Reservations that ended by themselves."""

    @on(Action.reservation_status_update)
    def on_reservation_status_update(
        self, request: Request, reservation_id: int, reservation_update_status: str, **_members: Any
    ) -> Reply:
        """Answer ReservationStatusUpdate (H04, H05)."""
        decision = reservations.update(
            request.state,
            request.context,
            reservation_id=int(reservation_id),
            word=reservation_update_status,
            body=request.payload,
        )
        return Reply(call_result.ReservationStatusUpdate(), decision)


def reserve_now(
    state: ChargePointState, context: Context, request: Payload, response: Payload, judged: TagInfo | None
) -> Decision[None]:
    """Learn from the answer to ReserveNow (H01); ``judged`` is what its token would be told here. Without an EVSE any will do."""
    reservation_id, evse_id = request["id"], request.get("evseId")
    if abs(reservation_id) > reservations.LARGEST_ID:
        return Decision(None, state)
    draft = Draft(state, context)
    try:
        connector_id = reservations.ANY_CONNECTOR if evse_id is None else evses.place(draft, int(evse_id), None)
    except evses.NoSuchConnector:
        return Decision(None, state)
    reservations.reserve_in(
        draft,
        context,
        reservation_id=int(reservation_id),
        connector_id=connector_id,
        id_tag=request["idToken"]["idToken"],
        parent_id_tag=request.get("groupIdToken", {}).get("idToken"),
        expiry_date=own_time(request["expiryDateTime"], context.now),
        answer=str(response.get("status", "")),
        id_tag_status=judged.status if judged is not None else None,
    )
    return draft.decide(None)


def _id_tag(request: Payload) -> tuple[str, str] | None:
    shown = Token(str(request["idToken"]["idToken"]), str(request["idToken"]["type"]))
    return None if shown.is_nobody or shown.needs_no_authorization else (shown.id_tag, shown.type)


def cancel_reservation(
    state: ChargePointState, context: Context, request: Payload, response: Payload
) -> Decision[None]:
    """Learn from the answer to CancelReservation (H02); a refusal changes nothing."""
    if response.get("status") != "Accepted":
        return Decision(None, state)
    return reservations.cancel(state, context, reservation_id=request["reservationId"])


LEARNERS: dict[str, Learner] = {
    Action.reserve_now.value: Learner(reserve_now, id_tag=_id_tag),
    Action.cancel_reservation.value: learner(cancel_reservation),
}
