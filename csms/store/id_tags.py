"""The operator's id tags, which are known whatever their case. What takes a connection runs on the store's threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from sqlalchemy import Connection, bindparam, select
from sqlalchemy import delete as delete_from
from twisted.internet.defer import Deferred

from csms.ledger import id_tag_csv
from csms.ledger.authorization import IdTag, fold
from csms.ledger.id_tag_csv import BadLine, Parsed
from csms.ledger.id_tags import check
from csms.store.tables import id_tags
from csms.store.upsert import upsert

Result = TypeVar("Result")
FIELDS = IdTag.__struct_fields__
_PAGE = 500
_COLUMNS = tuple(id_tags.c[name] for name in FIELDS)
_ONE = select(*_COLUMNS).where(id_tags.c.folded == bindparam("folded"))
_PAGE_AFTER = (
    select(*_COLUMNS).where(id_tags.c.folded > bindparam("after")).order_by(id_tags.c.folded).limit(bindparam("limit"))
)
CHANGED = "id_tags_changed"
"""A mark on a connection: what it commits changes tags."""
_DELETE = delete_from(id_tags).where(id_tags.c.folded == bindparam("key"))


class Threads(Protocol):
    """The part of the store that imports need."""

    def read(self, query: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Run a query on a reader's thread."""

    def write(self, job: Callable[[Connection], Result]) -> Deferred[Result]:
        """Have a function write in the next commit."""


def get(connection: Connection, tag: str) -> IdTag | None:
    """Return an id tag."""
    row = connection.execute(_ONE, {"folded": fold(tag)}).one_or_none()
    return None if row is None else of_row(row)


def put(connection: Connection, *tags: IdTag) -> None:
    """Enter tags, or change those that are there.

    :raises BadTag: a field is out of its bounds; nothing was entered.
    """
    for tag in tags:
        check(tag)
    connection.info[CHANGED] = True
    statement = upsert(id_tags, connection.dialect.name, ("folded", *FIELDS))
    connection.execute(statement, [{"folded": fold(tag.id_tag), **msgspec.structs.asdict(tag)} for tag in tags])


def delete(connection: Connection, tag: str) -> bool:
    """Delete a tag; tell whether it was there."""
    connection.info[CHANGED] = True
    return connection.execute(_DELETE, {"key": fold(tag)}).rowcount > 0


def export_csv(connection: Connection) -> str:
    """Return all tags as CSV (see `csms.ledger.id_tag_csv`)."""
    return "".join(id_tag_csv.lines(_all(connection)))


async def import_csv(store: Threads, text: str) -> tuple[int, Sequence[BadLine]]:
    """Enter the tags of a CSV file, or change those that are there; return how many, and the lines that were not taken.

    They are entered some at a time, so that no commit of a charge point waits for all. Where the store becomes unavailable in
    the middle, the import can be done again.

    :raises TooLarge: the file is too large; nothing was entered.
    :raises StoreUnavailable: not all were entered.
    """
    parsed = await store.read(_parse, text)
    for start in range(0, len(parsed.tags), _PAGE):
        await store.write(_put_job(parsed.tags[start : start + _PAGE]))
    return len(parsed.tags), parsed.bad


def of_row(values: Iterable[Any]) -> IdTag:
    """Make a tag of the columns `FIELDS`."""
    return IdTag(**dict(zip(FIELDS, values, strict=True)))


def _all(connection: Connection) -> Iterable[IdTag]:
    page = list(connection, None, _PAGE)
    while page:
        yield from page
        page = list(connection, page[-1].id_tag, _PAGE)


def _parse(_connection: Connection, text: str) -> Parsed:
    """Parse on a reader's thread: a large file takes a second."""
    return id_tag_csv.parse(text)


def _put_job(tags: Sequence[IdTag]) -> Callable[[Connection], None]:
    return lambda connection: put(connection, *tags)


def list(connection: Connection, after: str | None, limit: int) -> Sequence[IdTag]:  # noqa: A001 - as id_tags.list
    """Return a page of tags in the order of their folded names: those after a tag, or the first ones."""
    rows = connection.execute(_PAGE_AFTER, {"after": fold(after) if after is not None else "", "limit": limit})
    return tuple(map(of_row, rows))
