"""Insert or update, in the words of either database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Insert, Table, bindparam, func, or_
from sqlalchemy.dialects import postgresql, sqlite

from csms.store.tables import charge_points, event_sequences


def upsert(table: Table, dialect: str, columns: Iterable[str]) -> Insert:
    """Return an insert of these columns that updates the row where its key is there already.

    Where several daemons share a database, a charge point may have moved to another one: what the old daemon says of it
    late neither takes it offline there nor takes its sequence back.
    """
    dialect_insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    names = list(columns)
    statement = dialect_insert(table).values({name: bindparam(name) for name in names})
    excluded = statement.excluded
    keys = [column.name for column in table.primary_key]
    updated: dict[str, ColumnElement[Any]] = {name: excluded[name] for name in names if name not in keys}
    where = None
    if table is event_sequences:
        larger = func.greatest if dialect == "postgresql" else func.max
        updated["sequence"] = larger(table.c.sequence, excluded.sequence)
    if table is charge_points:
        where = or_(
            table.c.gateway_id == excluded.gateway_id,
            table.c.connected_since.is_(None),
            excluded.connected_since.is_not(None),
        )
    return statement.on_conflict_do_update(index_elements=keys, set_=updated, where=where)
