"""How the changes and events of decisions become statements: one per kind and commit, each with many rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, Dialect, Insert, Table

from csms.events import business, topics
from csms.ledger.decision import Decision
from csms.ledger.model import Monitor, Report, Variable, VariableValue
from csms.ledger.state import (
    ChargePoint,
    ConfigurationKey,
    ConfigurationResult,
    Connector,
    EventProgress,
    EvseConnector,
    Fact,
    MeterProgress,
    PasswordHash,
    Provisioned,
    Reading,
    Record,
    Reservation,
    StationTariff,
    Transaction,
)
from csms.store import tables
from csms.store.driver import on_the_driver
from csms.store.event_log import LoggedEvent
from csms.store.upsert import addition, upsert

_SIZES = (64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1)
"""How many rows a statement may have: few enough to keep all statements prepared, enough for any number in few of them."""
_MAX_PARAMETERS = 200
"""A prepared statement grows with its parameters."""
_VALUES = re.compile(r"VALUES (\(.*?\))(?= ON CONFLICT|$)", re.DOTALL)


class Bulk:
    """An insert or upsert of many rows.

    The statement is compiled once, and the column types' own conversions are looked up once. Many rows go in one statement:
    a driver lets go of the interpreter for each, and other threads are eager for it.
    """

    def __init__(self, statement: Insert, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)
        self.names: list[str] = list(compiled.positiontup or compiled.bind_names.values())
        self._is_positional = compiled.positiontup is not None
        self._values = attrgetter(*self.names)
        processors = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for bind, name in compiled.bind_names.items()
        }
        self._processors = [
            (place, processor) for place, name in enumerate(self.names) if (processor := processors[name]) is not None
        ]
        text = str(compiled)
        found = _VALUES.search(text)
        if found is None:
            raise ValueError(f"no VALUES in {text}")
        self._before, self._row, self._after = text[: found.start(1)], found[1], text[found.end(1) :]
        self._sizes = [size for size in _SIZES if size == 1 or size * len(self.names) <= _MAX_PARAMETERS]
        self._texts: dict[int, str] = {}

    def row(self, structure: Any) -> list[Any]:
        """Return the parameters of one row: a structure with the columns' names as attributes, as the driver takes it."""
        values = list(self._values(structure))
        for place, processor in self._processors:
            values[place] = processor(values[place])
        return values

    def rows(self, structures: Iterable[Any]) -> list[tuple[Any, ...]]:
        """As `row`, of many structures: a column's values are converted together."""
        columns: list[Iterable[Any]] = list(zip(*map(self._values, structures), strict=True))
        for place, processor in self._processors:
            columns[place] = map(processor, columns[place])
        return list(zip(*columns, strict=True))

    def execute(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Execute for all rows."""
        execute = on_the_driver(connection)
        start, left = 0, len(rows)
        for size in self._sizes:
            while left >= size:
                execute(self._text(size), self._parameters(rows[start : start + size]))
                start, left = start + size, left - size

    def _text(self, size: int) -> str:
        text = self._texts.get(size)
        if text is None:
            if self._is_positional:
                groups = [self._row] * size
            else:
                groups = [re.sub(r"%\((\w+)\)s", rf"%(\1_{number})s", self._row) for number in range(size)]
            text = self._texts[size] = self._before + ", ".join(groups) + self._after
        return text

    def _parameters(self, rows: Sequence[Sequence[Any]]) -> Any:
        together = tuple(chain.from_iterable(rows))
        if self._is_positional:
            return together
        names = [f"{name}_{number}" for number in range(len(rows)) for name in self.names]
        return dict(zip(names, together, strict=True))


class _Sequence(Struct, frozen=True, gc=False):
    client_id: str
    sequence: int


_KEYS: dict[type[Any], Callable[[Any], object]] = {
    **dict.fromkeys((ChargePoint, Provisioned, PasswordHash), attrgetter("client_id")),
    **dict.fromkeys((Connector, EvseConnector), attrgetter("client_id", "connector_id")),
    **dict.fromkeys((Transaction, MeterProgress, EventProgress), attrgetter("transaction_id")),
    **dict.fromkeys((ConfigurationKey, ConfigurationResult), attrgetter("client_id", "key")),
    **dict.fromkeys((Variable, VariableValue), attrgetter("client_id", "variable_key", "attribute")),
    Reservation: attrgetter("client_id", "reservation_id"),
    Fact: attrgetter("client_id", "kind", "key"),
    Monitor: attrgetter("client_id", "monitor_id"),
    Report: attrgetter("client_id", "request_id"),
    StationTariff: attrgetter("client_id", "evse_id", "tariff_id"),
}
"""What tells a row from others of its kind in one commit. Kinds that are only ever added have nothing: all are written."""


class Prepared(Struct, frozen=True, gc=False):
    """A decision as the rows to write: made where the decision was, while its parts are at hand.

    What goes to the writer's thread so is a few lists of texts and numbers. A thread on another core has to fetch each object
    that it looks at from this one, and a decision holds hundreds.
    """

    rows: list[tuple[type[Any], object, list[Any]]]
    """Each with its kind and its key."""
    events: list[LoggedEvent]
    """Their positions are given at the commit."""


class Statements:
    """The statements of the ledger for one SQL dialect."""

    def __init__(self, dialect: Dialect) -> None:
        def bulk_upsert(table: Table, kind: type[Any]) -> Bulk:
            return Bulk(upsert(table, dialect.name, kind.__struct_fields__), dialect)

        def bulk_insert(table: Table, kind: type[Any]) -> Bulk:
            return Bulk(addition(table, kind.__struct_fields__), dialect)

        self._bulks: dict[type[Any], Bulk] = {
            ChargePoint: bulk_upsert(tables.charge_points, ChargePoint),
            Provisioned: bulk_upsert(tables.charge_points, Provisioned),
            PasswordHash: bulk_upsert(tables.charge_points, PasswordHash),
            Connector: bulk_upsert(tables.connectors, Connector),
            EvseConnector: bulk_upsert(tables.evse_connectors, EvseConnector),
            Transaction: bulk_upsert(tables.transactions, Transaction),
            MeterProgress: bulk_upsert(tables.meters, MeterProgress),
            EventProgress: bulk_upsert(tables.meters, EventProgress),
            Reading: bulk_insert(tables.meter_readings, Reading),
            Record: bulk_insert(tables.records, Record),
            Reservation: bulk_upsert(tables.reservations, Reservation),
            ConfigurationKey: bulk_upsert(tables.configuration, ConfigurationKey),
            Fact: bulk_upsert(tables.facts, Fact),
            Variable: bulk_upsert(tables.variables, Variable),
            VariableValue: bulk_upsert(tables.variables, VariableValue),
            Monitor: bulk_upsert(tables.monitors, Monitor),
            Report: bulk_upsert(tables.reports, Report),
            StationTariff: bulk_upsert(tables.station_tariffs, StationTariff),
            ConfigurationResult: bulk_upsert(tables.configuration_results, ConfigurationResult),
            _Sequence: bulk_upsert(tables.event_sequences, _Sequence),
        }
        self._event = bulk_insert(tables.event_log, LoggedEvent)

    def prepare(self, decision: Decision[Any]) -> Prepared:
        """Return a decision's rows."""
        rows: list[tuple[type[Any], object, list[Any]]] = []
        for change in decision.changes:
            kind = type(change)
            row, key = self._bulks[kind].row(change), _KEYS.get(kind)
            # Not by the change itself: it is gone before the commit, and the next one may be made in its place.
            rows.append((kind, key(change) if key is not None else id(row), row))
        if decision.events:
            client_id = decision.state.charge_point.client_id
            rows.append((_Sequence, client_id, [client_id, decision.state.sequence]))
        return Prepared(rows, [_logged(event) for event in decision.events])

    def execute(
        self, connection: Connection, decisions: Iterable[Prepared], first_position: Callable[[int], int]
    ) -> list[LoggedEvent]:
        """Write decisions; `first_position(n)` reserves n positions of the event log. Return the events as logged."""
        # By key: of several changes of one row in a commit the last one is the truth.
        rows: dict[type[Any], dict[object, list[Any]]] = {kind: {} for kind in self._bulks}
        events: list[LoggedEvent] = []
        for decision in decisions:
            for kind, key, row in decision.rows:
                rows[kind][key] = row
            events += decision.events
        for kind, kind_rows in rows.items():
            if kind_rows:
                self._bulks[kind].execute(connection, list(kind_rows.values()))
        if not events:
            return []
        for position, event in enumerate(events, first_position(len(events))):
            event.position = position
        self._event.execute(connection, self._event.rows(events))
        return events


def _logged(event: business.BusinessEvent) -> LoggedEvent:
    return LoggedEvent(
        0,
        event.event_id,
        event.client_id,
        event.event_type,
        event.timestamp,
        topics.business(event),
        business.encode(event),
    )
