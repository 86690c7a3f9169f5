"""Old rows go, a few at a time, so that no commit waits for them. An event is never pruned before every cursor passed it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Table, delete, func, select
from sqlalchemy.sql import ColumnElement

from csms.store.tables import cursors, event_log, meter_readings, meters, records, transactions

BATCH = 2000


def prune_events(connection: Connection, before: datetime) -> int:
    """Delete a batch of events older than a time that every consumer has taken, if there is any; return how many."""
    passed = connection.execute(select(func.min(cursors.c.position))).scalar_one()
    conditions = [event_log.c.timestamp < before]
    if passed is not None:
        conditions.append(event_log.c.position <= passed)
    return _prune(connection, event_log, event_log.c.position, *conditions)


def prune_readings(connection: Connection, before: datetime) -> int:
    """Delete a batch of meter readings that arrived before a time; return how many."""
    return _prune(connection, meter_readings, meter_readings.c.reading_id, meter_readings.c.received_at < before)


def prune_records(connection: Connection, before: datetime) -> int:
    """Delete a batch of kept messages that arrived before a time; return how many."""
    return _prune(connection, records, records.c.record_id, records.c.received_at < before)


def prune_meters(connection: Connection, _before: datetime) -> int:
    """Delete the meters of transactions that no longer run; return how many."""
    running = select(transactions.c.transaction_id).where(transactions.c.status == "active")
    return connection.execute(delete(meters).where(meters.c.transaction_id.not_in(running))).rowcount


def _prune(connection: Connection, table: Table, key: ColumnElement[int], *conditions: ColumnElement[bool]) -> int:
    # Keys grow with time, so the oldest come first and the search stops at the batch.
    oldest = select(key).order_by(key).limit(BATCH).scalar_subquery()
    return connection.execute(delete(table).where(key.in_(oldest), *conditions)).rowcount
