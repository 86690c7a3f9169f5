"""``/chargepoints/{clientId}/quirks``: which deviations from OCPP a charge point has shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from attrs import define
from sqlalchemy import Connection

from csms.api.ports import Ledger
from csms.api.problems import not_found
from csms.api.routes import Answer, Exchange, Route, Shown
from csms.store import listings
from csms.store.deviations import Deviation, list_deviations


class Quirk(Shown, frozen=True):
    """A deviation, how often and when it was seen, and an example of it."""

    deviation: str
    count: int
    first_seen: datetime
    last_seen: datetime
    example: str


class QuirkList(Shown, frozen=True):
    """All deviations of a charge point."""

    items: Sequence[Quirk]


@define(eq=False)
class Quirks:
    """Deviations."""

    _ledger: Ledger

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        return [
            Route(
                "GET", "/chargepoints/{clientId}/quirks", "listQuirks", "Which deviations a charge point has shown",
                self.list, {200: QuirkList}, problems=(404,),
            )
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return the deviations of a charge point."""
        client_id = exchange.path["clientId"]
        found = await self._ledger.browse(_deviations, client_id)
        if found is None:
            raise not_found(f"charge point {client_id!r}")
        items = [
            Quirk(
                deviation=row.deviation,
                count=row.count,
                first_seen=row.first_seen,
                last_seen=row.last_seen,
                example=row.example,
            )
            for row in found
        ]
        return Answer(QuirkList(items=items))


def _deviations(connection: Connection, client_id: str) -> Sequence[Deviation] | None:
    found = list_deviations(connection, client_id)
    return found if found or listings.is_known(connection, client_id) else None
