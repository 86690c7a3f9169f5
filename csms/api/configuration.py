"""``…/configuration``: the configuration keys of charge points as last known, and as operators want them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from attrs import define
from msgspec import UNSET, Meta, UnsetType

from csms.api import paging
from csms.api.parameters import Listing, known
from csms.api.ports import Ledger, Provisioning
from csms.api.problems import not_found, unprocessable
from csms.api.routes import Answer, Asked, Body, Exchange, Route, Shown
from csms.store import listings
from csms.store.configuration import Scope, WantedKey, wanted_by, wanted_with_results

Wanted = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=100, pattern="^[^\x00-\x1f\x7f]*$")],
        Annotated[str, Meta(max_length=500)],
    ],
    Meta(max_length=200, description="Values by configuration key"),
]


class ShownKey(Shown, frozen=True):
    """A configuration key as the charge point last told it."""

    key: str
    readonly: bool
    seen_at: datetime
    value: str | UnsetType = UNSET


class WantedQuery(Asked, frozen=True):
    """What is to be told of the wanted keys."""

    results: Annotated[
        bool, Meta(description="All keys that apply, its group's as well, each with what came of it at the last boot")
    ] = False


class ShownWanted(Shown, frozen=True):
    """A key that is wanted, and what came of it; without a status it waits for the next boot.

    `source` is whose wish it is, `readValue` the value that the charge point had before.
    """

    value: str
    source: Scope
    group: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    read_value: str | UnsetType = UNSET
    at: datetime | UnsetType = UNSET


class ConfigurationPage(Shown, frozen=True):
    """A page of configuration keys, by name."""

    items: Sequence[ShownKey]
    next: str | UnsetType = UNSET


@define(eq=False)
class Configuration:
    """Configuration keys."""

    _ledger: Ledger
    _provisioning: Provisioning

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        of_point = "/chargepoints/{clientId}/configuration"
        of_group = "/groups/{name}/configuration/wanted"
        kept: dict[int, Any] = {200: dict[str, str]}
        return [
            Route(
                "GET", of_point, "listConfiguration", "The last known configuration of a charge point",
                self.list, {200: ConfigurationPage}, query=Listing, problems=(404,),
            ),
            Route(
                "GET", f"{of_point}/wanted", "getWantedConfiguration",
                "The keys that are set when the charge point boots; with `results` what came of them",
                self.get_of_point, {200: dict[str, str | ShownWanted]}, query=WantedQuery, problems=(404,),
            ),
            Route(
                "PUT", f"{of_point}/wanted", "putWantedConfiguration", "Put other keys in their place",
                self.put_of_point, kept, body=Body(Wanted), problems=(404, 422),
            ),
            Route(
                "DELETE", f"{of_point}/wanted", "deleteWantedConfiguration", "Set nothing when it boots",
                self.delete_of_point, {204: None}, problems=(404,),
            ),
            Route(
                "GET", of_group, "getGroupConfiguration", "The keys that are set when a charge point of the group boots",
                self.get_of_group, kept, problems=(404,),
            ),
            Route(
                "PUT", of_group, "putGroupConfiguration", "Put other keys in their place",
                self.put_of_group, kept, body=Body(Wanted), problems=(404, 422),
            ),
            Route(
                "DELETE", of_group, "deleteGroupConfiguration", "Set nothing when one of the group boots",
                self.delete_of_group, {204: None}, problems=(404,),
            ),
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return a page of a charge point's configuration."""
        query: Listing = exchange.query
        client_id = exchange.path["clientId"]
        after = paging.decode(query.cursor, str)
        found = await self._ledger.browse(listings.configuration_after, client_id, after, query.limit)
        if found is None:
            raise not_found(f"charge point {client_id!r}")
        page, following = paging.split(found, query.limit, lambda row: row.key)
        items = [
            ShownKey(key=row.key, value=known(row.value), readonly=row.readonly, seen_at=row.seen_at) for row in page
        ]
        return Answer(ConfigurationPage(items=items, next=following))

    async def get_of_point(self, exchange: Exchange) -> Answer:
        """Return what is wanted of a charge point, or what came of all that is."""
        client_id = await self._point(exchange)
        if exchange.query.results:
            found = await self._ledger.browse(wanted_with_results, client_id)
            return Answer({item.key: _shown(item) for item in found})
        return Answer(await self._ledger.browse(wanted_by, "chargepoint", client_id))

    async def put_of_point(self, exchange: Exchange) -> Answer:
        """Change what is wanted of a charge point."""
        return await self._put("chargepoint", await self._point(exchange), exchange.body)

    async def delete_of_point(self, exchange: Exchange) -> Answer:
        """Want nothing of a charge point."""
        return await self._delete("chargepoint", await self._point(exchange))

    async def _point(self, exchange: Exchange) -> str:
        client_id: str = exchange.path["clientId"]
        if not await self._ledger.browse(listings.is_known, client_id):
            raise not_found(f"charge point {client_id!r}")
        return client_id

    async def get_of_group(self, exchange: Exchange) -> Answer:
        """Return what is wanted of a group."""
        return Answer(await self._ledger.browse(wanted_by, "group", exchange.path["name"]))

    async def put_of_group(self, exchange: Exchange) -> Answer:
        """Change what is wanted of a group."""
        return await self._put("group", exchange.path["name"], exchange.body)

    async def delete_of_group(self, exchange: Exchange) -> Answer:
        """Want nothing of a group."""
        return await self._delete("group", exchange.path["name"])

    async def _delete(self, scope: Scope, name: str) -> Answer:
        await self._provisioning.delete_wanted(scope, name)
        return Answer(status=204)

    async def _put(self, scope: Scope, name: str, values: dict[str, str]) -> Answer:
        try:
            await self._provisioning.put_wanted(scope, name, values)
        except ValueError as error:
            key, _, fault = str(error).partition(": ")
            raise unprocessable(key, fault or "is not allowed") from None
        return Answer(values)


def _shown(item: WantedKey) -> ShownWanted:
    result = item.result
    return ShownWanted(
        value=item.value,
        source="chargepoint" if item.group is None else "group",
        group=known(item.group),
        status=result.status if result is not None else UNSET,
        read_value=known(result.read_value) if result is not None else UNSET,
        at=result.at if result is not None else UNSET,
    )
