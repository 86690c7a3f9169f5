"""Insert, or update what is there already, in the words of either database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Insert, Table, bindparam, func, insert, literal_column, or_
from sqlalchemy.dialects import postgresql, sqlite

from csms.ledger.state import PasswordHash, Provisioned
from csms.store.tables import charge_points, event_sequences, reservations

_REJECTED: ColumnElement[str] = literal_column("'REJECTED'")
_OF_THE_OPERATOR = [name for name in Provisioned.__struct_fields__ if name != "client_id"]
_NOT_OF_THE_PASSWORD = [name for name in PasswordHash.__struct_fields__ if name in Provisioned.__struct_fields__]


def addition(table: Table, columns: Iterable[str]) -> Insert:
    """Return an insert of these columns, of rows that are only ever added.

    Where a row is refused, those before it in the statement stay until the commit is rolled back: to take back the statement
    alone, SQLite would first copy each page that it changes to a temporary file.
    """
    statement = insert(table).prefix_with("OR FAIL", dialect="sqlite")
    return statement.values({name: bindparam(name) for name in columns}).inline()


def upsert(table: Table, dialect: str, columns: Iterable[str]) -> Insert:
    """Return an insert of these columns that updates the row where its key is there already.

    Where several daemons share a database, a charge point may have moved to another one: what the old daemon says of it
    late neither takes it offline there nor takes its sequence back. What the operator set for it only he changes.
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
    if table is reservations:
        # A reservation that is refused must not take the place of what its id meant before.
        where = or_(excluded.status != _REJECTED, table.c.status == _REJECTED)
    if table is charge_points and "password_hash" in updated:
        # They make the row where there is none, and change nothing where there is.
        updated = {name: value for name, value in updated.items() if name not in _NOT_OF_THE_PASSWORD}
    if table is charge_points and "connected_since" in updated:
        for name in _OF_THE_OPERATOR:
            del updated[name]
        where = or_(
            table.c.gateway_id == excluded.gateway_id,
            table.c.connected_since.is_(None),
            excluded.connected_since.is_not(None),
        )
    return statement.on_conflict_do_update(index_elements=keys, set_=updated, where=where)
