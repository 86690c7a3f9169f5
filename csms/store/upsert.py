"""Insert or update, in the words of either database."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Insert, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite


def upsert(table: Table, dialect: str, columns: Iterable[str]) -> Insert:
    """Return an insert of these columns that updates the row where its key is there already."""
    dialect_insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    names = list(columns)
    statement = dialect_insert(table).values({name: bindparam(name) for name in names})
    keys = [column.name for column in table.primary_key]
    return statement.on_conflict_do_update(
        index_elements=keys, set_={name: statement.excluded[name] for name in names if name not in keys}
    )
