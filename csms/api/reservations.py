"""``/reservations``: what operators reserved, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from attrs import define
from msgspec import UNSET, Meta, UnsetType

from csms.api import paging
from csms.api.parameters import ClientId, Listing, given, known
from csms.api.ports import Ledger
from csms.api.problems import Problem, not_found
from csms.api.routes import Answer, Asked, Exchange, Route, Shown
from csms.ledger.authorization import TagStatus
from csms.ledger.state import Reservation, ReservationStatus
from csms.store import listings

_MOST_NAMED = 20


class ReservationsQuery(Listing, frozen=True):
    """Which reservations."""

    client_id: ClientId | UnsetType = UNSET
    status: ReservationStatus | UnsetType = UNSET


class ReservationQuery(Asked, frozen=True):
    """Whose reservation: the numbers of different charge points may be the same."""

    client_id: ClientId | UnsetType = UNSET


class ShownReservation(Shown, frozen=True):
    """A reservation; connector 0 is any. `transactionId` is the transaction that used it.

    `idTagStatus` is how its tag was judged when it was reserved.
    """

    reservation_id: int
    client_id: str
    connector_id: int
    id_tag: str
    status: ReservationStatus
    expiry_date: datetime
    created_at: datetime
    changed_at: datetime
    parent_id_tag: str | UnsetType = UNSET
    id_tag_status: TagStatus | UnsetType = UNSET
    transaction_id: int | UnsetType = UNSET


class ReservationPage(Shown, frozen=True):
    """A page of reservations, by charge point and number."""

    items: Sequence[ShownReservation]
    next: str | UnsetType = UNSET


@define(eq=False)
class Reservations:
    """Reservations. They are made and cancelled by the commands ReserveNow and CancelReservation."""

    _ledger: Ledger

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        return [
            Route(
                "GET", "/reservations", "listReservations", "Reservations, by charge point and number",
                self.list, {200: ReservationPage}, query=ReservationsQuery,
            ),
            Route(
                "GET", "/reservations/{reservationId}", "getReservation",
                "A reservation; 409 where several charge points have the number and `clientId` names none",
                self.get, {200: ShownReservation}, query=ReservationQuery, problems=(404, 409),
            ),
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return a page of reservations."""
        query: ReservationsQuery = exchange.query
        after = paging.decode(query.cursor, tuple[str, Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]])
        found = await self._ledger.browse(
            _reservations, after, query.limit, (given(query.client_id), given(query.status), None)
        )
        page, following = paging.split(found, query.limit, lambda row: (row.client_id, row.reservation_id))
        return Answer(ReservationPage(items=[_shown(row) for row in page], next=following))

    async def get(self, exchange: Exchange) -> Answer:
        """Return a reservation."""
        number = exchange.path["reservationId"]
        wanted = (given(exchange.query.client_id), None, number)
        found = await self._ledger.browse(_reservations, None, _MOST_NAMED, wanted)
        if not found:
            raise not_found(f"reservation {number}")
        if len(found) > 1:
            raise Problem(
                409, f"several charge points have a reservation {number}: name one by clientId",
                members={"clientIds": [row.client_id for row in found[:_MOST_NAMED]]},
            )  # fmt: skip
        return Answer(_shown(found[0]))


def _reservations(
    connection: Any, after: tuple[str, int] | None, limit: int, wanted: tuple[Any, ...]
) -> list[Reservation]:
    client_id, status, number = wanted
    return listings.reservations_after(
        connection, after, limit, client_id=client_id, status=status, reservation_id=number
    )


def _shown(row: Reservation) -> ShownReservation:
    return ShownReservation(
        reservation_id=row.reservation_id,
        client_id=row.client_id,
        connector_id=row.connector_id,
        id_tag=row.id_tag,
        parent_id_tag=known(row.parent_id_tag),
        id_tag_status=known(row.id_tag_status),
        status=row.status,
        expiry_date=row.expiry_date,
        transaction_id=known(row.transaction_id),
        created_at=row.created_at,
        changed_at=row.changed_at,
    )
