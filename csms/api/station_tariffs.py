"""``/chargepoints/{clientId}/tariffs``: tariffs of the ledger sent to stations of OCPP 2.1, and which a station has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from attrs import define
from msgspec import UNSET, Meta, UnsetType

from csms.api.commands import problem_of
from csms.api.idempotency import uninterrupted
from csms.api.parameters import given, known
from csms.api.ports import Commands, Ledger
from csms.api.problems import not_found, unprocessable
from csms.api.routes import Answer, Asked, Body, Exchange, Route, Shown
from csms.chargepoint import outcomes
from csms.handlers.v2.tariffs import DEFAULT_ID, on_wire, tariff_type
from csms.ledger.cost import Tariff
from csms.ledger.state import StationTariff, TariffKind
from csms.store import listings
from csms.store.station_tariffs import installed_tariffs


class TariffForStation(Asked, frozen=True):
    """Which tariff is sent: the one that is named, else the charge point's own, else that of the settings.

    It becomes the default tariff of an EVSE, 0 is all, or that of a running transaction.
    """

    tariff_id: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    evse_id: Annotated[int, Meta(ge=0, le=2**31 - 1)] | UnsetType = UNSET
    transaction_id: Annotated[int, Meta(ge=1, le=2**31 - 1)] | UnsetType = UNSET


class TariffSent(Shown, frozen=True):
    """The tariff in OCPP's form (TariffType), and the charge point's answer."""

    message_id: str
    tariff: dict[str, Any]
    response: dict[str, Any]


class ShownStationTariff(Shown, frozen=True):
    """A tariff that a charge point has, under the id that OCPP knows it by; EVSE 0 is all of them."""

    evse_id: int
    tariff_id: str
    kind: TariffKind
    seen_at: datetime
    valid_from: datetime | UnsetType = UNSET


class StationTariffList(Shown, frozen=True):
    """The tariffs of a charge point, by EVSE."""

    items: Sequence[ShownStationTariff]


@define(eq=False)
class StationTariffs:
    """Tariffs of charge points."""

    _ledger: Ledger
    _commands: Commands
    _default: Tariff

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        path = "/chargepoints/{clientId}/tariffs"
        return [
            Route(
                "GET", path, "listStationTariffs", "Which tariffs a charge point has, as far as its answers told (OCPP 2.1)",
                self.list, {200: StationTariffList}, problems=(404,),
            ),
            Route(
                "POST", path, "sendTariff", "Send a tariff to a charge point (OCPP 2.1)",
                self.send, {200: TariffSent}, body=Body(TariffForStation), problems=(404, 422, 502, 503, 504),
                role="operate",
            ),
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return the tariffs of a charge point."""
        client_id = exchange.path["clientId"]
        if not await self._ledger.browse(listings.is_known, client_id):
            raise not_found(f"charge point {client_id!r}")
        found = await self._ledger.browse(installed_tariffs, client_id)
        return Answer(StationTariffList(items=[_shown(row) for row in found]))

    async def send(self, exchange: Exchange) -> Answer:
        """Send a tariff."""
        return await uninterrupted(self._send(exchange.path["clientId"], exchange.body))

    async def _send(self, client_id: str, wanted: TariffForStation) -> Answer:
        name, tariff = await self._tariff(client_id, given(wanted.tariff_id))
        described = on_wire(tariff_type(name, tariff))
        number = given(wanted.transaction_id)
        if number is None:
            action, payload = "SetDefaultTariff", {"evseId": given(wanted.evse_id) or 0, "tariff": described}
        else:
            if wanted.evse_id is not UNSET:
                raise unprocessable("evseId", "a transaction has an EVSE already")
            station_id = await self._station_transaction_id(client_id, number)
            action, payload = "ChangeTransactionTariff", {"transactionId": station_id, "tariff": described}
        message_id = self._commands.new_message_id()
        try:
            response = await self._commands.send(client_id, action, payload, message_id=message_id)
        except outcomes.CommandFailed as error:
            raise problem_of(error, message_id) from None
        return Answer(TariffSent(message_id=message_id, tariff=described, response=response))

    async def _tariff(self, client_id: str, name: str | None) -> tuple[str, Tariff]:
        if name is None:
            row = await self._ledger.browse(listings.charge_point, client_id)
            if row is None:
                raise not_found(f"charge point {client_id!r}")
            name = row.charge_point.tariff_id
        if name is None:
            return DEFAULT_ID, self._default
        tariff = await self._ledger.browse(listings.tariff, name)
        if tariff is None:
            raise unprocessable("tariffId", "there is no such tariff")
        return name, tariff

    async def _station_transaction_id(self, client_id: str, number: int) -> str:
        found = await self._ledger.browse(listings.transaction, number)
        if found is None or found.client_id != client_id or found.station_transaction_id is None:
            raise unprocessable("transactionId", "the charge point has no such transaction with an id of its own")
        return found.station_transaction_id


def _shown(row: StationTariff) -> ShownStationTariff:
    return ShownStationTariff(
        evse_id=row.evse_id,
        tariff_id=row.tariff_id,
        kind=row.kind,
        seen_at=row.seen_at,
        valid_from=known(row.valid_from),
    )
