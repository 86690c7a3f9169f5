"""``/tariffs``: what sessions cost at charge points that have a tariff of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from attrs import define
from msgspec import UNSET, Meta, UnsetType

from csms.api import paging
from csms.api.numbers import Amount, exact
from csms.api.parameters import Listing
from csms.api.ports import Ledger, Provisioning
from csms.api.problems import not_found, unprocessable
from csms.api.routes import Answer, Asked, Body, Exchange, Route, Shown
from csms.events.payload import Number
from csms.ledger.cost import Tariff
from csms.ledger.numbers import number
from csms.store import listings


class TariffRates(Asked, frozen=True):
    """Rates per kWh, per minute and per session, in the currency (ISO 4217)."""

    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "EUR"
    energy_rate: Amount = 0.0
    time_rate: Amount = 0.0
    session_fee: Amount = 0.0
    tariff_id: str | UnsetType = UNSET
    """Where it is given it has to be that of the path."""


class ShownTariff(Shown, frozen=True):
    """A tariff: rates per kWh, per minute and per session."""

    tariff_id: str
    currency: str
    energy_rate: Number
    time_rate: Number
    session_fee: Number


class TariffPage(Shown, frozen=True):
    """A page of tariffs, by their ids."""

    items: Sequence[ShownTariff]
    next: str | UnsetType = UNSET


@define(eq=False)
class Tariffs:
    """Tariffs."""

    _ledger: Ledger
    _provisioning: Provisioning

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        one = "/tariffs/{tariffId}"
        return [
            Route("GET", "/tariffs", "listTariffs", "Tariffs", self.list, {200: TariffPage}, query=Listing),
            Route("GET", one, "getTariff", "A tariff", self.get, {200: ShownTariff}, problems=(404,)),
            Route(
                "PUT", one, "putTariff", "Enter a tariff, or change it for sessions that end from now on",
                self.put, {200: ShownTariff, 201: ShownTariff}, body=Body(TariffRates), problems=(404, 422),
            ),
            Route("DELETE", one, "deleteTariff", "Delete a tariff", self.delete, {204: None}, problems=(404,)),
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return a page of tariffs."""
        query: Listing = exchange.query
        after = paging.decode(query.cursor, str)
        found = await self._ledger.browse(listings.tariffs_after, after, query.limit)
        page, following = paging.split(found, query.limit, lambda row: row[0])
        return Answer(TariffPage(items=[_shown(*row) for row in page], next=following))

    async def get(self, exchange: Exchange) -> Answer:
        """Return a tariff."""
        tariff_id = exchange.path["tariffId"]
        found = await self._ledger.browse(listings.tariff, tariff_id)
        if found is None:
            raise not_found(f"tariff {tariff_id!r}")
        return Answer(_shown(tariff_id, found))

    async def put(self, exchange: Exchange) -> Answer:
        """Enter or change a tariff."""
        tariff_id, rates = exchange.path["tariffId"], exchange.body
        if rates.tariff_id is not UNSET and rates.tariff_id != tariff_id:
            raise unprocessable("tariffId", "it is not that of the path")
        tariff = Tariff(
            rates.currency,
            exact("energyRate", rates.energy_rate),
            exact("timeRate", rates.time_rate),
            exact("sessionFee", rates.session_fee),
        )
        existed = await self._ledger.browse(listings.tariff, tariff_id) is not None
        await self._provisioning.put_tariff(tariff_id, tariff)
        return Answer(_shown(tariff_id, tariff), 200 if existed else 201)

    async def delete(self, exchange: Exchange) -> Answer:
        """Delete a tariff."""
        tariff_id = exchange.path["tariffId"]
        if not await self._provisioning.delete_tariff(tariff_id):
            raise not_found(f"tariff {tariff_id!r}")
        return Answer(status=204)


def _shown(tariff_id: str, tariff: Tariff) -> ShownTariff:
    return ShownTariff(
        tariff_id=tariff_id,
        currency=tariff.currency,
        energy_rate=number(tariff.energy_rate),
        time_rate=number(tariff.time_rate),
        session_fee=number(tariff.session_fee),
    )
