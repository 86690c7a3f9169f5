"""The CSV that id tags come and go in.

A file has a line of column names, in any order; ``idTag`` is the only one that it must have. Each further line is a tag: an
empty cell is a field that is not set, and a tag without a status is Accepted. ``chargePoints`` are client ids as they stand in
a charge point's URL (percent-encoded), with spaces between them, and so are ``evses``. A bad line is told with its number and what is wrong with it,
and nothing of it is taken.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from msgspec import Struct

from csms.ledger.authorization import IdTag, fold
from csms.ledger.id_tags import BadTag, check, parse_time, shown

MAX_CHARACTERS = 8 * 1024 * 1024
MAX_LINES = 100_000
MAX_REPORTED = 1000
_LINE_END = re.compile(r"\r\n|\n|\r")
_COUNT = re.compile(r"[0-9]{1,9}")
_BYTE_ORDER_MARK = "\ufeff"
_NOT_ENCODED = "/:@!$&'()*+,;=~"
COLUMNS = (
    "idTag",
    "status",
    "expiryDate",
    "parentIdTag",
    "type",
    "chargePoints",
    "maxTransactions",
    "budgetKwh",
    "budgetPeriod",
    "evses",
)


class TooLarge(ValueError):
    """A file has too many lines or characters; nothing of it was read."""


class BadLine(NamedTuple):
    """A line that was not taken; the first line is 1."""

    line_number: int
    reason: str


class Parsed(Struct, frozen=True):
    """The tags of the good lines, and the bad lines, of which only the first thousand are told."""

    tags: list[IdTag]
    bad: list[BadLine]


def parse(text: str) -> Parsed:
    """Read a file; its columns are separated by commas, or by semicolons where those of the first line are.

    :raises TooLarge: the file is too large.
    """
    if len(text) > MAX_CHARACTERS:
        raise TooLarge(f"more than {MAX_CHARACTERS} characters are not allowed")
    lines = _LINE_END.split(text.removeprefix(_BYTE_ORDER_MARK))
    if len(lines) > MAX_LINES:
        raise TooLarge(f"more than {MAX_LINES} lines are not allowed")
    delimiter = ";" if ";" in lines[0] and "," not in lines[0] else ","
    parsed = Parsed([], [])
    try:
        columns = _columns(_cells(lines[0], delimiter))
    except BadTag as error:
        parsed.bad.append(BadLine(1, str(error)))
        return parsed
    known: dict[str, int] = {}
    for line_number, line in enumerate(lines[1:], 2):
        if not line.strip(" \t" + delimiter):
            continue
        try:
            tag = _tag(columns, _cells(line, delimiter))
        except BadTag as error:
            _report(parsed, line_number, str(error))
            continue
        first = known.setdefault(fold(tag.id_tag), line_number)
        if first == line_number:
            parsed.tags.append(tag)
        else:
            _report(parsed, line_number, f"idTag: {shown(tag.id_tag)} is on line {first} already")
    return parsed


def lines(tags: Iterable[IdTag]) -> Iterator[str]:
    """Return a file of tags line by line, with its line ends; `parse` makes the same tags of it."""
    yield ",".join(COLUMNS) + "\r\n"
    for tag in tags:
        row = io.StringIO()
        csv.writer(row).writerow(_row(tag))
        yield row.getvalue()


def _report(parsed: Parsed, line_number: int, reason: str) -> None:
    if len(parsed.bad) < MAX_REPORTED:
        parsed.bad.append(BadLine(line_number, reason))
    elif len(parsed.bad) == MAX_REPORTED:
        parsed.bad.append(BadLine(line_number, "this line and bad ones after it are not told"))


def _columns(names: list[str]) -> list[str]:
    columns = [name.strip() for name in names]
    if "idTag" not in columns:
        raise BadTag("the first line has to name the columns, idTag among them")
    for place, name in enumerate(columns):
        if name not in COLUMNS:
            raise BadTag(f"column {shown(name)} is not known: allowed are {', '.join(COLUMNS)}")
        if name in columns[:place]:
            raise BadTag(f"column {name} is there twice")
    return columns


def _cells(line: str, delimiter: str) -> list[str]:
    # Each line by itself: no field holds a line end, and a quote that is never closed must not swallow the rest.
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        raise BadTag(f"no CSV: {error}") from None


def _tag(columns: list[str], cells: list[str]) -> IdTag:
    if len(cells) != len(columns):
        raise BadTag(f"{len(cells)} columns are not allowed: the first line names {len(columns)}")
    given: dict[str, Any] = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
    tag = IdTag(
        id_tag=given.get("idTag", ""),
        status=given.get("status", "Accepted"),
        expiry_date=parse_time("expiryDate", given["expiryDate"]) if "expiryDate" in given else None,
        parent_id_tag=given.get("parentIdTag"),
        type=given.get("type"),
        charge_points=tuple(map(unquote, given["chargePoints"].split())) if "chargePoints" in given else None,
        max_transactions=_count(given["maxTransactions"]) if "maxTransactions" in given else None,
        budget_kwh=_kwh(given["budgetKwh"]) if "budgetKwh" in given else None,
        budget_period=given.get("budgetPeriod"),
        evses=tuple(map(_evse, given["evses"].split())) if "evses" in given else None,
    )
    check(tag)
    return tag


def _count(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise BadTag(f"maxTransactions: {shown(text)} is no number of transactions")
    return int(text)


def _evse(text: str) -> int:
    if not _COUNT.fullmatch(text):
        raise BadTag(f"evses: {shown(text)} is no number of an EVSE")
    return int(text)


def _kwh(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise BadTag(f"budgetKwh: {shown(text)} is no number") from None


def _row(tag: IdTag) -> list[str]:
    return [
        tag.id_tag,
        tag.status,
        tag.expiry_date.astimezone(UTC).isoformat().replace("+00:00", "Z") if tag.expiry_date is not None else "",
        tag.parent_id_tag or "",
        tag.type or "",
        " ".join(quote(client_id, safe=_NOT_ENCODED) for client_id in tag.charge_points or ()),
        str(tag.max_transactions) if tag.max_transactions is not None else "",
        format(tag.budget_kwh, "f") if tag.budget_kwh is not None else "",
        tag.budget_period or "",
        " ".join(map(str, tag.evses or ())),
    ]
