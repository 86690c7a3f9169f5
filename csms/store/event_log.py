"""The event log as its consumers see it: positions, a cursor for each of them, and what a charge point's state is now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from msgspec import UNSET, Struct
from sqlalchemy import Connection, Engine, Insert, bindparam, select

from csms.events.business import ChargePointNow, ConnectorState, RunningTransaction
from csms.ocppj.versions import V16
from csms.store.progress import IS_RUNNING, TRAIL, WITH_METERS
from csms.store.snapshot import snapshot
from csms.store.tables import (
    EVENT_POSITION,
    charge_points,
    connectors,
    counters,
    cursors,
    event_log,
    evse_connectors,
    set_aside,
    transactions,
)
from csms.store.upsert import upsert


class LoggedEvent(Struct, gc=False):
    """One event of the log, with the bytes that are published. Its position is given when it is committed."""

    position: int
    event_id: str
    client_id: str
    event_type: str
    timestamp: datetime
    topic: str
    body: bytes


_EVENTS_AFTER = (
    select(event_log)
    .where(event_log.c.position > bindparam("after"))
    .order_by(event_log.c.position)
    .limit(bindparam("most"))
)
_LATEST_POSITION = select(counters.c.value).where(counters.c.name == EVENT_POSITION)
_RUNNING = (
    select(
        transactions.c.client_id,
        transactions.c.transaction_id,
        transactions.c.connector_id,
        transactions.c.id_tag,
        transactions.c.start_time,
        transactions.c.evse_id,
        transactions.c.station_connector_id,
        transactions.c.station_transaction_id,
        TRAIL,
    )
    .select_from(WITH_METERS)
    .where(IS_RUNNING, transactions.c.client_id.in_(bindparam("client_ids", expanding=True)))
)
_CHARGE_POINTS = (
    select(
        charge_points.c.client_id,
        connectors.c.connector_id,
        connectors.c.status,
        connectors.c.error_code,
        evse_connectors.c.evse_id,
        evse_connectors.c.station_connector_id,
        evse_connectors.c.station_status,
        charge_points.c.connected_since.is_not(None),
        charge_points.c.gateway_id,
        charge_points.c.version,
        charge_points.c.vendor,
        charge_points.c.model,
        charge_points.c.firmware_version,
    )
    .select_from(charge_points)
    .outerjoin(connectors, connectors.c.client_id == charge_points.c.client_id)
    .outerjoin(
        evse_connectors,
        (evse_connectors.c.client_id == connectors.c.client_id)
        & (evse_connectors.c.connector_id == connectors.c.connector_id)
        # Where a charge point speaks 1.6 now, what it said in 2.x is no news of its connectors.
        & (charge_points.c.version != V16.name),
    )
    .where(charge_points.c.client_id.in_(bindparam("client_ids", expanding=True)))
    .order_by(charge_points.c.client_id, connectors.c.connector_id)
)
"""A row for each connector, and one for a charge point that has told of none."""


def events_after(connection: Connection, position: int, limit: int) -> list[LoggedEvent]:
    """Return the events after a position, in order."""
    return [LoggedEvent(*row) for row in connection.execute(_EVENTS_AFTER, {"after": position, "most": limit})]


def cursor(connection: Connection, consumer: str) -> int:
    """Return the position up to which a consumer has taken everything."""
    query = select(cursors.c.position).where(cursors.c.consumer == consumer)
    return connection.execute(query).scalar_one_or_none() or 0


def move_cursor(connection: Connection, consumer: str, position: int) -> None:
    """Move a consumer's cursor."""
    connection.execute(_cursor_move(connection.dialect.name), [{"consumer": consumer, "position": position}])


@lru_cache
def _cursor_move(dialect: str) -> Insert:
    return upsert(cursors, dialect, ("consumer", "position"))


def put_aside(connection: Connection, consumer: str, position: int, at: datetime, reason: str) -> None:
    """Keep the fact that an event could not be delivered and is not tried again by itself."""
    row = {"consumer": consumer, "position": position, "set_aside_at": at, "reason": reason}
    connection.execute(upsert(set_aside, connection.dialect.name, row), [row])


def latest_position(connection: Connection) -> int:
    """Return the position that was given last: the log itself may be empty after a quiet time."""
    return connection.execute(_LATEST_POSITION).scalar_one() or 0


def charge_point_ids(connection: Connection) -> list[str]:
    """Return all charge points."""
    return list(connection.execute(select(charge_points.c.client_id)).scalars())


def states_now(connection: Connection, client_ids: Sequence[str], now: datetime) -> list[ChargePointNow]:
    """Return what is true of charge points now, read in one snapshot with the position that it belongs to."""
    position = latest_position(connection)
    wanted = {"client_ids": list(client_ids)}
    running: dict[str, list[RunningTransaction]] = {}
    on_connector: dict[tuple[str, int], int] = {}
    rows: Sequence[Any] = connection.execute(_RUNNING, wanted).all()
    for client_id, transaction_id, connector_id, id_tag, start_time, *names, trail in rows:
        if trail is not None and trail.started_event_id is None:
            continue  # see `csms.ledger.state.Transaction.is_told`
        running.setdefault(client_id, []).append(
            RunningTransaction(transaction_id, connector_id, id_tag, start_time, *map(_known, names))
        )
        on_connector[client_id, connector_id] = transaction_id
    states: dict[str, ChargePointNow] = {}
    rows = connection.execute(_CHARGE_POINTS, wanted).all()
    for client_id, connector_id, status, error_code, evse_id, number, word, is_online, gateway_id, *about in rows:
        state = states.get(client_id)
        if state is None:
            known = [each or UNSET for each in about]
            here = running.get(client_id, [])
            state = ChargePointNow(client_id, now, bool(is_online), gateway_id or "", position, [], here, *known)
            states[client_id] = state
        if connector_id is not None:
            transaction_id = on_connector.get((client_id, connector_id), UNSET)
            told = map(_known, (evse_id, number, word))
            state.connectors.append(ConnectorState(connector_id, status, error_code or UNSET, transaction_id, *told))
    return list(states.values())


def _known(value: Any) -> Any:
    return UNSET if value is None else value


class EventLogReader:
    """The event log on a connection of its own, for a consumer that runs on its own thread."""

    def __init__(self, engine: Engine, tail: Callable[[int, int], list[LoggedEvent]]) -> None:
        self._engine = engine
        self._tail = tail

    def events_after(self, position: int, limit: int) -> list[LoggedEvent]:
        """Return the events after a position, in order; from memory where they were written just now."""
        recent = self._tail(position, limit)
        if recent:
            return recent
        with self._engine.connect() as connection:
            return events_after(connection, position, limit)

    def cursor(self, consumer: str) -> int:
        """Return the position up to which a consumer has taken everything."""
        with self._engine.connect() as connection:
            return cursor(connection, consumer)

    def charge_point_ids(self) -> list[str]:
        """Return all charge points."""
        with self._engine.connect() as connection:
            return charge_point_ids(connection)

    def states_now(self, client_ids: Sequence[str], now: datetime) -> list[ChargePointNow]:
        """Return what is true of charge points now."""
        with self._engine.connect() as connection, snapshot(connection):
            return states_now(connection, client_ids, now)
