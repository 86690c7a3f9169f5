"""Lists for operators, a page at a time.

Each goes on after the key of the last row that was read, so that no page is slower than the first. One row more than asked
for tells whether there is another page.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, Row, func, literal, literal_column, select, tuple_

from csms.ledger.cost import Tariff
from csms.ledger.state import ChargePoint, ConfigurationKey, Connector, EvseConnector, Reading, Reservation, Transaction
from csms.ocppj.versions import V16
from csms.store.progress import TRANSACTIONS
from csms.store.snapshot import snapshot
from csms.store.tables import (
    charge_points,
    configuration,
    connectors,
    evse_connectors,
    meter_readings,
    reservations,
    tag_key,
    tariffs,
    transactions,
)

Kind = TypeVar("Kind")
_ACTIVE: ColumnElement[str] = literal_column("'active'")
"""Not a parameter: only of a literal a database sees that its index of running transactions serves."""
_CLOCKS = timedelta(days=7)
"""How far before its transaction's start a reading may be timed: stations set their clocks in the middle of sessions."""


class KnownChargePoint(Struct, frozen=True):
    """A charge point, its connectors in order, which transaction runs on which of them, and what OCPP 2.x calls them."""

    charge_point: ChargePoint
    connectors: list[Connector]
    running: dict[int, int]
    evses: dict[int, EvseConnector]
    has_password: bool = False
    was_sent_password: bool = False
    """Whether a new password was sent that it has not come back with."""


class NumberedReading(Struct, frozen=True):
    """A reading with its number in the store."""

    reading_id: int
    reading: Reading


def charge_points_after(
    connection: Connection, after: str | None, limit: int, *, connected: bool | None = None
) -> list[KnownChargePoint]:
    """Return charge points by their ids."""
    query = select(charge_points).order_by(charge_points.c.client_id).limit(limit + 1)
    if after is not None:
        query = query.where(charge_points.c.client_id > after)
    if connected is not None:
        since = charge_points.c.connected_since
        query = query.where(since.is_not(None) if connected else since.is_(None))
    return _with_connectors(connection, query)


def charge_point(connection: Connection, client_id: str) -> KnownChargePoint | None:
    """Return a charge point."""
    found = _with_connectors(connection, select(charge_points).where(charge_points.c.client_id == client_id))
    return found[0] if found else None


def is_known(connection: Connection, client_id: str) -> bool:
    """Tell whether the ledger knows a charge point."""
    query = select(literal(1)).where(charge_points.c.client_id == client_id)
    return connection.execute(query).first() is not None


def _with_connectors(connection: Connection, query: Any) -> list[KnownChargePoint]:
    with snapshot(connection):
        known = {
            row.client_id: KnownChargePoint(
                _as(ChargePoint, row), [], {}, {}, row.password_hash is not None, row.new_password_hashes is not None
            )
            for row in connection.execute(query)
        }
        of_connectors = select(connectors).where(connectors.c.client_id.in_(known)).order_by(connectors.c.connector_id)
        for row in connection.execute(of_connectors):
            known[row.client_id].connectors.append(_as(Connector, row))
        speaks_2 = {client_id for client_id, row in known.items() if row.charge_point.version != V16.name}
        for row in connection.execute(select(evse_connectors).where(evse_connectors.c.client_id.in_(speaks_2))):
            known[row.client_id].evses[row.connector_id] = _as(EvseConnector, row)
        of_running = select(transactions.c.client_id, transactions.c.connector_id, transactions.c.transaction_id).where(
            transactions.c.status == _ACTIVE, transactions.c.client_id.in_(known)
        )
        for row in connection.execute(of_running):
            known[row.client_id].running[row.connector_id] = row.transaction_id
    return list(known.values())


def transactions_before(
    connection: Connection,
    before: int | None,
    limit: int,
    *,
    client_id: str | None = None,
    id_tag: str | None = None,
    active: bool | None = None,
    since: datetime | None = None,
) -> list[Transaction]:
    """Return transactions, those first that began last."""
    wanted: list[ColumnElement[bool]] = []
    if before is not None:
        wanted.append(transactions.c.transaction_id < before)
    if client_id is not None:
        wanted.append(transactions.c.client_id == client_id)
    if id_tag is not None:
        tag = literal(id_tag)
        wanted += [tag_key(transactions.c.id_tag) == tag_key(tag), func.lower(transactions.c.id_tag) == func.lower(tag)]
    if active is not None:
        wanted.append(transactions.c.status == _ACTIVE if active else transactions.c.status != _ACTIVE)
    if since is not None:
        wanted.append(transactions.c.start_time >= since)
    query = TRANSACTIONS.where(*wanted).order_by(transactions.c.transaction_id.desc()).limit(limit + 1)
    return _all(Transaction, connection.execute(query))


def transaction(connection: Connection, transaction_id: int) -> Transaction | None:
    """Return a transaction, whosever it is."""
    row = connection.execute(TRANSACTIONS.where(transactions.c.transaction_id == transaction_id)).one_or_none()
    return None if row is None else _as(Transaction, row)


def readings_after(
    connection: Connection, transaction_id: int, after: tuple[datetime, int] | None, limit: int
) -> list[NumberedReading] | None:
    """Return the readings of a transaction in the order of their times, None where there is no such transaction."""
    owner = transaction(connection, transaction_id)
    if owner is None:
        return None
    table = meter_readings.c
    # Bounded by time: a year's readings of the charge point lie before those of its last transaction.
    earliest = max(owner.start_time, datetime(1971, 1, 1, tzinfo=owner.start_time.tzinfo)) - _CLOCKS
    query = (
        select(meter_readings)
        .where(table.client_id == owner.client_id, table.transaction_id == transaction_id, table.taken_at >= earliest)
        .order_by(table.taken_at, table.reading_id)
        .limit(limit + 1)
    )
    if after is not None:
        key = tuple_(literal(after[0], table.taken_at.type), literal(after[1], table.reading_id.type))
        query = query.where(tuple_(table.taken_at, table.reading_id) > key)
    return [NumberedReading(row.reading_id, _as(Reading, row)) for row in connection.execute(query)]


def reservations_after(
    connection: Connection,
    after: tuple[str, int] | None,
    limit: int,
    *,
    client_id: str | None = None,
    status: str | None = None,
    reservation_id: int | None = None,
) -> list[Reservation]:
    """Return reservations by charge point and number."""
    table = reservations.c
    query = select(reservations).order_by(table.client_id, table.reservation_id).limit(limit + 1)
    if after is not None:
        key = tuple_(literal(after[0], table.client_id.type), literal(after[1], table.reservation_id.type))
        query = query.where(tuple_(table.client_id, table.reservation_id) > key)
    if client_id is not None:
        query = query.where(table.client_id == client_id)
    if status is not None:
        query = query.where(table.status == status)
    if reservation_id is not None:
        query = query.where(table.reservation_id == reservation_id)
    return _all(Reservation, connection.execute(query))


def tariffs_after(connection: Connection, after: str | None, limit: int) -> list[tuple[str, Tariff]]:
    """Return tariffs with their ids, by them."""
    query = select(tariffs).order_by(tariffs.c.tariff_id).limit(limit + 1)
    if after is not None:
        query = query.where(tariffs.c.tariff_id > after)
    return [(row.tariff_id, _as(Tariff, row)) for row in connection.execute(query)]


def tariff(connection: Connection, tariff_id: str) -> Tariff | None:
    """Return a tariff."""
    row = connection.execute(select(tariffs).where(tariffs.c.tariff_id == tariff_id)).one_or_none()
    return None if row is None else _as(Tariff, row)


def configuration_after(
    connection: Connection, client_id: str, after: str | None, limit: int
) -> list[ConfigurationKey] | None:
    """Return the last known configuration of a charge point by its keys, None where it is not known."""
    if not is_known(connection, client_id):
        return None
    table = configuration.c
    query = select(configuration).where(table.client_id == client_id).order_by(table.key).limit(limit + 1)
    if after is not None:
        query = query.where(table.key > after)
    return _all(ConfigurationKey, connection.execute(query))


def _all(kind: type[Kind], rows: Iterable[Row[Any]]) -> list[Kind]:
    return [_as(kind, row) for row in rows]


def _as(kind: type[Kind], row: Row[Any]) -> Kind:
    """Make a structure of a row that has its fields as columns."""
    fields: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]
    values = row._mapping  # noqa: SLF001 - its public name for a row by column names
    return kind(**{name: values[name] for name in fields})
