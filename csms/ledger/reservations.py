"""Reservations: ACTIVE, USED, CANCELLED, EXPIRED or REJECTED (OCPP 1.6 §5.1, §5.13).

They expire by our clock. One is used up by the start that carries its id, whoever's tag that is, and even where the start
comes so late that the reservation has expired here meanwhile.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET
from msgspec.structs import replace

from csms.events.business import ReservationChanged
from csms.ledger.authorization import TagStatus
from csms.ledger.chargepoints import record
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState, Reservation, ReservationStatus

ANY_CONNECTOR = 0
STATION = 0
LARGEST_ID = 2**63 - 1
"""Of reservations and connectors: one that is larger is an operator's slip, and no row holds it."""
ENDS_RESERVATIONS = frozenset({"Faulted", "Unavailable"})
"""A connector's reservation ends when its status becomes one of these (OCPP 1.6 §5.13)."""


def reserve(
    state: ChargePointState,
    context: Context,
    *,
    reservation_id: int,
    connector_id: int,
    id_tag: str,
    parent_id_tag: str | None,
    expiry_date: datetime,
    answer: str,
    id_tag_status: TagStatus | None = None,
) -> Decision[None]:
    """Take a charge point's answer to a reservation; see `reserve_in`."""
    draft = Draft(state, context)
    reserve_in(
        draft,
        context,
        reservation_id=reservation_id,
        connector_id=connector_id,
        id_tag=id_tag,
        parent_id_tag=parent_id_tag,
        expiry_date=expiry_date,
        answer=answer,
        id_tag_status=id_tag_status,
    )
    return draft.decide(None)


def reserve_in(
    draft: Draft,
    context: Context,
    *,
    reservation_id: int,
    connector_id: int,
    id_tag: str,
    parent_id_tag: str | None,
    expiry_date: datetime,
    answer: str,
    id_tag_status: TagStatus | None = None,
) -> None:
    """Take a charge point's answer to a reservation; of an id that is active already the new one takes the place.

    One that is refused takes no place: the charge point keeps the earlier one. ``id_tag_status`` is how its tag was judged
    when it was sent, by the rule of `csms.ledger.authorization`: kept and told of, and no reason to refuse.
    """
    before = draft.state.reservations.get(reservation_id)
    accepted = answer == "Accepted"
    if not accepted and before is not None:
        return
    reservation = Reservation(
        client_id=draft.state.charge_point.client_id,
        reservation_id=reservation_id,
        connector_id=connector_id,
        id_tag=id_tag,
        parent_id_tag=parent_id_tag,
        expiry_date=expiry_date,
        status="ACTIVE" if accepted else "REJECTED",
        id_tag_status=id_tag_status,
        created_at=context.now,
        changed_at=context.now,
    )
    _put(draft, reservation, before, reason=None if accepted else answer)


def cancel(state: ChargePointState, context: Context, *, reservation_id: int) -> Decision[None]:
    """Take a charge point's word that it has cancelled a reservation."""
    reservation = state.reservations.get(reservation_id)
    if reservation is None:
        return Decision(None, state)
    draft = Draft(state, context)
    _end(draft, context, reservation, "CANCELLED")
    return draft.decide(None)


def update(
    state: ChargePointState, context: Context, *, reservation_id: int, word: str, body: object
) -> Decision[None]:
    """Take a station's word that a reservation has ended by itself (OCPP 2.x H04, H05)."""
    draft = Draft(state, context)
    draft.change(record(state, context, "ReservationStatusUpdate", body))
    reservation = state.reservations.get(reservation_id)
    if reservation is not None:
        if word == "Expired":
            _end(draft, context, reservation, "EXPIRED")
        else:
            _end(draft, context, reservation, "CANCELLED", reason=word)
    return draft.decide(None)


def expire(state: ChargePointState, context: Context) -> Decision[int]:
    """End the reservations whose time is over; the answer is how many."""
    over = [reservation for reservation in state.reservations.values() if reservation.expiry_date <= context.now]
    draft = Draft(state, context)
    for reservation in over:
        _end(draft, context, reservation, "EXPIRED")
    return draft.decide(len(over))


def use(draft: Draft, context: Context, reservation_id: int, transaction_id: int) -> None:
    """A transaction has started by a reservation."""
    state = draft.state
    reservation = state.reservations.get(reservation_id) or state.lapsed.get(reservation_id)
    if reservation is not None:
        _end(draft, context, reservation, "USED", transaction_id=transaction_id)


def terminate(draft: Draft, context: Context, connector_id: int, status: str) -> None:
    """A connector, or the station, is Faulted or Unavailable: its reservations have ended (OCPP 1.6 §5.13)."""
    for reservation in list(draft.state.reservations.values()):
        if connector_id in (STATION, reservation.connector_id):
            _end(draft, context, reservation, "CANCELLED", reason=status)


def _end(
    draft: Draft,
    context: Context,
    reservation: Reservation,
    status: ReservationStatus,
    *,
    transaction_id: int | None = None,
    reason: str | None = None,
) -> None:
    after = replace(reservation, status=status, transaction_id=transaction_id, changed_at=context.now)
    _put(draft, after, reservation, reason=reason)


def _put(draft: Draft, reservation: Reservation, before: Reservation | None, *, reason: str | None) -> None:
    draft.change(reservation)
    draft.emit(
        "reservation_changed",
        ReservationChanged(
            reservation_id=reservation.reservation_id,
            connector_id=reservation.connector_id,
            id_tag=reservation.id_tag,
            expiry_date=reservation.expiry_date,
            status=reservation.status,
            parent_id_tag=reservation.parent_id_tag or UNSET,
            id_tag_status=reservation.id_tag_status or UNSET,
            previous_status=before.status if before is not None else UNSET,
            transaction_id=reservation.transaction_id if reservation.transaction_id is not None else UNSET,
            reason=reason or UNSET,
        ),
    )
    state, number = draft.state, reservation.reservation_id
    active = {key: value for key, value in state.reservations.items() if key != number}
    lapsed = {key: value for key, value in state.lapsed.items() if key != number}
    if reservation.status == "ACTIVE":
        active[number] = reservation
    elif reservation.status == "EXPIRED":
        lapsed[number] = reservation
    draft.state = replace(state, reservations=active, lapsed=lapsed)
