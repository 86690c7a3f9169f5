"""How the changes and events of decisions become statements: one per kind and commit, each with many rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Connection, Insert, Table, Update, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from csms.events import business, topics
from csms.ledger.decision import Change, Decision
from csms.ledger.state import ChargePoint, Connector, MeterProgress, Reading, Record, Transaction
from csms.store import tables

Statement = Insert | Update
Row = dict[str, Any]


def upsert(table: Table, dialect: str, columns: Iterable[str]) -> Insert:
    """Return an insert that updates the row where its key is there already."""
    dialect_insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    names = list(columns)
    statement = dialect_insert(table).values({name: bindparam(name) for name in names})
    keys = [column.name for column in table.primary_key]
    return statement.on_conflict_do_update(
        index_elements=keys, set_={name: statement.excluded[name] for name in names if name not in keys}
    )


class Statements:
    """The statements of the ledger for one SQL dialect."""

    def __init__(self, dialect: str) -> None:
        self._sequence = (
            update(tables.charge_points)
            .where(tables.charge_points.c.client_id == bindparam("key"))
            .values(sequence=bindparam("latest"))
        )
        self._event = insert(tables.event_log)
        # In this order: what a later kind changes, an earlier one has made.
        self._of_change: dict[type[Change], tuple[Statement, Callable[[Any], Row]]] = {
            ChargePoint: (upsert(tables.charge_points, dialect, ChargePoint.__struct_fields__), asdict),
            Connector: (upsert(tables.connectors, dialect, Connector.__struct_fields__), asdict),
            MeterProgress: (
                update(tables.transactions)
                .where(tables.transactions.c.transaction_id == bindparam("key"))
                .values(meter=bindparam("meter"), quality=bindparam("quality"), signed=bindparam("signed")),
                _progress_row,
            ),
            Transaction: (upsert(tables.transactions, dialect, Transaction.__struct_fields__), asdict),
            Reading: (insert(tables.meter_readings), asdict),
            Record: (insert(tables.records), asdict),
        }

    def execute(
        self, connection: Connection, decisions: Iterable[Decision[Any]], first_position: Callable[[int], int]
    ) -> int:
        """Write decisions; `first_position(n)` reserves n positions of the event log. Return how many events there were."""
        rows: dict[type[Change], list[Row]] = {kind: [] for kind in self._of_change}
        sequences: list[Row] = []
        events: list[business.BusinessEvent] = []
        for decision in decisions:
            for change in decision.changes:
                kind = type(change)
                rows[kind].append(self._of_change[kind][1](change))
            if decision.events:
                events.extend(decision.events)
                state = decision.state
                sequences.append({"key": state.charge_point.client_id, "latest": state.sequence})
        for kind, kind_rows in rows.items():
            if kind_rows:
                connection.execute(self._of_change[kind][0], kind_rows)
        if sequences:
            connection.execute(self._sequence, sequences)
        if events:
            position = first_position(len(events))
            connection.execute(self._event, [_event_row(event, position + n) for n, event in enumerate(events)])
        return len(events)


def _progress_row(progress: MeterProgress) -> Row:
    return {
        "key": progress.transaction_id,
        "meter": progress.meter,
        "quality": progress.quality,
        "signed": progress.signed,
    }


def _event_row(event: business.BusinessEvent, position: int) -> Row:
    return {
        "position": position,
        "event_id": event.event_id,
        "client_id": event.client_id,
        "event_type": event.event_type,
        "timestamp": event.timestamp,
        "topic": topics.business(event),
        "body": business.encode(event),
    }
