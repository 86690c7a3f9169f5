"""``/idtags``: the tags that may charge, one by one and as CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from attrs import define, frozen
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from csms.api import paging
from csms.api.numbers import exact
from csms.api.parameters import ClientId, Listing, Time, known
from csms.api.ports import Ledger, Result
from csms.api.problems import Problem, not_found, unprocessable
from csms.api.routes import CSV, MOST_CSV_BYTES, Answer, Asked, Body, Exchange, Route, Shown
from csms.events.payload import Number
from csms.ledger.authorization import BudgetPeriod, IdTag, fold
from csms.ledger.id_tag_csv import TooLarge
from csms.ledger.id_tags import BadTag
from csms.ledger.numbers import number
from csms.store import id_tags

_Text = Annotated[str, Meta(min_length=1, max_length=255)]


class TagEntry(Asked, frozen=True):
    """An id tag; a member that is left out is not set. A budget has a period."""

    status: Literal["Accepted", "Blocked"]
    expiry_date: Time | None = None
    parent_id_tag: _Text | None = None
    type: Annotated[str, Meta(min_length=1, max_length=50)] | None = None
    charge_points: Annotated[list[ClientId], Meta(min_length=1, max_length=1000)] | None = None
    max_transactions: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    budget_kwh: Annotated[float, Meta(ge=0, le=1_000_000_000)] | None = None
    budget_period: BudgetPeriod | None = None
    evses: Annotated[list[Annotated[int, Meta(ge=1, le=2**31 - 1)]], Meta(min_length=1, max_length=256)] | None = None
    id_tag: str | UnsetType = UNSET
    """Where it is given it has to be that of the path."""


class ShownTag(Shown, frozen=True):
    """An id tag."""

    id_tag: str
    status: Literal["Accepted", "Blocked"]
    expiry_date: datetime | UnsetType = UNSET
    parent_id_tag: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    charge_points: Sequence[str] | UnsetType = UNSET
    max_transactions: int | UnsetType = UNSET
    budget_kwh: Number | UnsetType = UNSET
    budget_period: BudgetPeriod | UnsetType = UNSET
    evses: Sequence[int] | UnsetType = UNSET


class TagPage(Shown, frozen=True):
    """A page of id tags, by name."""

    items: Sequence[ShownTag]
    next: str | UnsetType = UNSET


class BadLine(Shown, frozen=True):
    """A line that was not taken; the first is 1."""

    line: int
    reason: str


class ImportReport(Shown, frozen=True):
    """What an import did."""

    imported: int
    bad: Sequence[BadLine]


@frozen
class _Threads:
    """The ledger for imports, which parse their file where operators' questions are answered."""

    ledger: Ledger

    def read(self, query: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        return self.ledger.browse(query, *arguments)

    def write(self, job: Callable[[Connection], Result]) -> Deferred[Result]:
        return self.ledger.write(job)


@define(eq=False)
class IdTags:
    """Id tags. They are known whatever their case."""

    _ledger: Ledger

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        one = "/idtags/{idTag}"
        return [
            Route("GET", "/idtags", "listIdTags", "Id tags, by name", self.list, {200: TagPage}, query=Listing),
            Route(
                "POST", "/idtags/import", "importIdTags", "Enter the tags of a CSV file; bad lines are told and left out",
                self.import_, {200: ImportReport}, body=Body(str, CSV, MOST_CSV_BYTES),
            ),
            Route("GET", "/idtags/export", "exportIdTags", "All tags as CSV", self.export, {200: str}, media=(CSV,)),
            Route("GET", one, "getIdTag", "An id tag", self.get, {200: ShownTag}, problems=(404,)),
            Route(
                "PUT", one, "putIdTag", "Enter an id tag, or put another in its place",
                self.put, {200: ShownTag, 201: ShownTag}, body=Body(TagEntry), problems=(404, 422),
            ),
            Route("DELETE", one, "deleteIdTag", "Delete an id tag", self.delete, {204: None}, problems=(404,)),
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return a page of tags."""
        query: Listing = exchange.query
        after = paging.decode(query.cursor, str)
        found = await self._ledger.browse(id_tags.list, after, query.limit + 1)
        page, following = paging.split(found, query.limit, lambda tag: tag.id_tag)
        return Answer(TagPage(items=[_shown(tag) for tag in page], next=following))

    async def get(self, exchange: Exchange) -> Answer:
        """Return a tag."""
        name = exchange.path["idTag"]
        found = await self._ledger.browse(id_tags.get, name)
        if found is None:
            raise not_found(f"id tag {name!r}")
        return Answer(_shown(found))

    async def put(self, exchange: Exchange) -> Answer:
        """Enter or replace a tag."""
        tag = _entered(exchange.path["idTag"], exchange.body)

        def job(connection: Connection) -> bool:
            existed = id_tags.get(connection, tag.id_tag) is not None
            id_tags.put(connection, tag)
            return existed

        try:
            existed = await self._ledger.write(job)
        except BadTag as error:
            path, _, detail = str(error).partition(": ")
            raise unprocessable(path, detail) from None
        return Answer(_shown(tag), 200 if existed else 201)

    async def delete(self, exchange: Exchange) -> Answer:
        """Delete a tag."""
        name = exchange.path["idTag"]
        if not await self._ledger.write(lambda connection: id_tags.delete(connection, name)):
            raise not_found(f"id tag {name!r}")
        return Answer(status=204)

    async def import_(self, exchange: Exchange) -> Answer:
        """Enter the tags of a CSV file."""
        try:
            imported, bad = await id_tags.import_csv(_Threads(self._ledger), exchange.body)
        except TooLarge as error:
            raise Problem(413, str(error)) from None
        return Answer(ImportReport(imported=imported, bad=[BadLine(line=line, reason=reason) for line, reason in bad]))

    async def export(self, exchange: Exchange) -> Answer:
        """Return all tags as CSV."""
        del exchange
        text = await self._ledger.browse(id_tags.export_csv)
        return Answer(text.encode(), media=CSV, headers=(("content-disposition", 'attachment; filename="idtags.csv"'),))


def _entered(name: str, entry: TagEntry) -> IdTag:
    if entry.id_tag is not UNSET and fold(entry.id_tag) != fold(name):
        raise unprocessable("idTag", "it is not that of the path")
    expiry_date = entry.expiry_date
    if expiry_date is not None:
        try:
            expiry_date = expiry_date.astimezone(UTC)
        except OverflowError:
            raise unprocessable("expiryDate", "it is out of range") from None
    budget_kwh: Decimal | None = None
    if entry.budget_kwh is not None:
        budget_kwh = exact("budgetKwh", entry.budget_kwh)
    return IdTag(
        id_tag=name,
        status=entry.status,
        expiry_date=expiry_date,
        parent_id_tag=entry.parent_id_tag,
        type=entry.type,
        charge_points=tuple(entry.charge_points) if entry.charge_points is not None else None,
        max_transactions=entry.max_transactions,
        budget_kwh=budget_kwh,
        budget_period=entry.budget_period,
        evses=tuple(entry.evses) if entry.evses is not None else None,
    )


def _shown(tag: IdTag) -> ShownTag:
    return ShownTag(
        id_tag=tag.id_tag,
        status=tag.status,
        expiry_date=known(tag.expiry_date),
        parent_id_tag=known(tag.parent_id_tag),
        type=known(tag.type),
        charge_points=known(tag.charge_points),
        max_transactions=known(tag.max_transactions),
        budget_kwh=number(tag.budget_kwh) if tag.budget_kwh is not None else UNSET,
        budget_period=known(tag.budget_period),
        evses=known(tag.evses),
    )
