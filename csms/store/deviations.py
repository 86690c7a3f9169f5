"""Quirks: which deviations from the specification each charge point has shown, how often, when, with one example."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from csms.events.protocol import ProtocolEvent
from csms.events.redaction import redacted
from csms.store.rows import Bulk
from csms.store.tables import deviations

MOST_KINDS = 100
FURTHER = "further deviations"
"""What stands for those beyond the most that are told from each other."""
_MOST_REMEMBERED = 4096
_LONGEST_KIND = 255
_LONGEST_EXAMPLE = 250
_KEYWORDS = frozenset(
    {"additionalProperties", "enum", "format", "maxItems", "maxLength", "minLength", "multipleOf", "pattern", "type"}
)
_INDEX = re.compile(r"\.\d+(?=\.|$)")
_VALUE = re.compile(r"\s*(?:(['\"]).*\1|\d+)\s*")
_FURTHER_MEMBER = re.compile(r"\('([A-Za-z]\w{0,39})'")
_ANSWER = re.compile(rb"\s*\[\s*3")


class Deviation(Struct, frozen=True, rename="camel"):
    """A kind of deviation that a charge point has shown."""

    deviation: str
    count: int
    first_seen: datetime
    last_seen: datetime
    example: str


class Sighting(Struct, gc=False):
    """A row of the table to be added to what is there."""

    client_id: str
    deviation: str
    count: int
    first_seen: datetime
    last_seen: datetime
    example: str


def sightings_of(events: Iterable[ProtocolEvent]) -> list[Sighting]:
    """Return what messages show, one for each charge point and kind."""
    found: dict[tuple[str, str], Sighting] = {}
    for event in events:
        if not event.deviations:
            continue
        name = f"{event.action}Response" if _ANSWER.match(event.frame) else event.action
        # A message that shows the same thing in many places counts once.
        for kind, text in {kind_of(name, text): text for text in reversed(event.deviations)}.items():
            seen = found.get((event.client_id, kind))
            if seen is None:
                example = _harmless(redacted(text))[:_LONGEST_EXAMPLE]
                found[event.client_id, kind] = Sighting(
                    event.client_id, kind, 1, event.timestamp, event.timestamp, example
                )
            else:
                seen.count += 1
                seen.last_seen = event.timestamp
    return list(found.values())


def kind_of(message: str, text: str) -> str:
    """Return what a deviation of a message is without its values: ``StatusNotification status: enum``."""
    path, _, fault = text.partition(": ")
    keyword, _, rest = fault.partition(": ")
    if keyword == "additionalProperties":
        member = _FURTHER_MEMBER.search(rest)
        if member is not None:
            path = member[1] if path == "payload" else f"{path}.{member[1]}"
    fault = keyword if keyword in _KEYWORDS else _VALUE.sub(" ", fault).strip()
    return _harmless(f"{message} {_INDEX.sub('', path)}{': ' if fault else ''}{fault}")[:_LONGEST_KIND]


def _harmless(text: str) -> str:
    """Write what a terminal or a page could take for more than a character (control, bidi) as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )


class DeviationTable:
    """Adds sightings to the table; on the writer's thread only."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {}
        self._bulk: Bulk | None = None

    def add(self, connection: Connection, sightings: list[Sighting]) -> None:
        """Count sightings; those of a kind beyond the most that a charge point may show are counted together."""
        rows: dict[tuple[str, str], Sighting] = {}
        for seen in sightings:
            kind = self._admitted(connection, seen.client_id, seen.deviation)
            row = rows.get((seen.client_id, kind))
            if row is None:
                rows[seen.client_id, kind] = Sighting(
                    seen.client_id, kind, seen.count, seen.first_seen, seen.last_seen, seen.example
                )
            else:
                row.count += seen.count
                row.last_seen = seen.last_seen
        if rows:
            if self._bulk is None:
                self._bulk = _addition(connection)
            self._bulk.execute(connection, self._bulk.rows(rows.values()))

    def _admitted(self, connection: Connection, client_id: str, kind: str) -> str:
        known = self._known.get(client_id)
        if known is None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            query = select(deviations.c.deviation).where(deviations.c.client_id == client_id)
            known = self._known[client_id] = set(connection.execute(query).scalars())
        if kind not in known:
            if len(known) >= MOST_KINDS - 1:
                kind = FURTHER
            known.add(kind)
        return kind


def _addition(connection: Connection) -> Bulk:
    dialect_insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    names = Sighting.__struct_fields__
    statement = dialect_insert(deviations).values({name: bindparam(name) for name in names})
    added = statement.excluded
    return Bulk(
        statement.on_conflict_do_update(
            index_elements=["client_id", "deviation"],
            set_={"count": deviations.c["count"] + added["count"], "last_seen": added["last_seen"]},
        ),
        connection.dialect,
    )


def list_deviations(connection: Connection, client_id: str) -> list[Deviation]:
    """Return the deviations of a charge point, the most frequent first."""
    columns = [deviations.c[name] for name in Deviation.__struct_fields__]
    query = select(*columns).where(deviations.c.client_id == client_id)
    return [Deviation(*row) for row in connection.execute(query.order_by(columns[1].desc(), columns[0]))]
