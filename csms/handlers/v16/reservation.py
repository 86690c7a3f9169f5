"""The Reservation profile of OCPP 1.6: what the answers of charge points mean (§5.1, §5.13)."""

from __future__ import annotations

from ocpp.v16.enums import Action

from csms.handlers.command_set import Learner, Payload, learner
from csms.handlers.wire import own_time
from csms.ledger import reservations
from csms.ledger.authorization import TagInfo
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState


def reserve_now(
    state: ChargePointState, context: Context, request: Payload, response: Payload, judged: TagInfo | None
) -> Decision[None]:
    """Learn from the answer to ReserveNow (§5.13); ``judged`` is what its idTag would be told here."""
    numbers = request["reservationId"], request["connectorId"]
    if any(abs(number) > reservations.LARGEST_ID for number in numbers):
        return Decision(None, state)
    return reservations.reserve(
        state,
        context,
        reservation_id=int(numbers[0]),
        connector_id=int(numbers[1]),
        id_tag=request["idTag"],
        parent_id_tag=request.get("parentIdTag"),
        expiry_date=own_time(request["expiryDate"], context.now),
        answer=str(response.get("status", "")),
        id_tag_status=judged.status if judged is not None else None,
    )


def cancel_reservation(
    state: ChargePointState, context: Context, request: Payload, response: Payload
) -> Decision[None]:
    """Learn from the answer to CancelReservation (§5.1); a refusal changes nothing."""
    if response.get("status") != "Accepted":
        return Decision(None, state)
    return reservations.cancel(state, context, reservation_id=request["reservationId"])


LEARNERS: dict[str, Learner] = {
    Action.reserve_now.value: Learner(reserve_now, id_tag=lambda request: (str(request["idTag"]), None)),
    Action.cancel_reservation.value: learner(cancel_reservation),
}
