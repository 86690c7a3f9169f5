"""Old rows go, a few at a time, so that no commit waits for them. An event is never pruned before every cursor passed it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from attrs import frozen
from sqlalchemy import Connection, Table, delete, func, select
from sqlalchemy.sql import ColumnElement

from csms.store import seen_requests
from csms.store.tables import (
    cursors,
    event_log,
    messages,
    meter_readings,
    meters,
    monitors,
    records,
    reports,
    transactions,
)

BATCH = 2000
_MOST_BATCHES = 500


@frozen
class Retention:
    """How long what stays, in seconds."""

    events_s: float
    readings_s: float
    records_s: float
    messages_s: float


class Writer(Protocol):
    """The part of the store that is needed here."""

    def write(self, job: Callable[[Connection], int]) -> Awaitable[int]:
        """Have a function write in the next commit."""


async def prune_all(store: Writer, retention: Retention, now: datetime) -> None:
    """Delete what stayed for long enough; what is left after many batches goes the next time.

    :raises StoreError: the store is away.
    """
    for prune, seconds in (
        (prune_events, retention.events_s),
        (prune_readings, retention.readings_s),
        (prune_records, retention.records_s),
        (prune_reports, retention.records_s),
        (prune_messages, retention.messages_s),
        (prune_meters, 0.0),
        (seen_requests.prune, seen_requests.REMEMBERED.total_seconds()),
    ):
        job = partial(_batch, prune, now - timedelta(seconds=seconds))
        for _ in range(_MOST_BATCHES):
            if await store.write(job) < BATCH:
                break


def _batch(prune: Callable[[Connection, datetime], int], before: datetime, connection: Connection) -> int:
    return prune(connection, before)


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


def prune_reports(connection: Connection, before: datetime) -> int:
    """Delete what is known of the reports that were begun before a time, and monitors that are gone; return how many."""
    deleted = connection.execute(delete(reports).where(reports.c.begun_at < before)).rowcount
    return deleted + connection.execute(delete(monitors).where(monitors.c.cleared_at < before)).rowcount


def prune_meters(connection: Connection, _before: datetime) -> int:
    """Delete the meters of transactions that no longer run; return how many."""
    running = select(transactions.c.transaction_id).where(transactions.c.status == "active")
    return connection.execute(delete(meters).where(meters.c.transaction_id.not_in(running))).rowcount


def _prune(connection: Connection, table: Table, key: ColumnElement[int], *conditions: ColumnElement[bool]) -> int:
    # Keys grow with time, so the oldest come first and the search stops at the batch.
    oldest = select(key).order_by(key).limit(BATCH).scalar_subquery()
    return connection.execute(delete(table).where(key.in_(oldest), *conditions)).rowcount


def prune_messages(connection: Connection, before: datetime) -> int:
    """Delete a batch of the raw log that was sent before a time; return how many rows."""
    return _prune(connection, messages, messages.c.segment_id, messages.c.last_at < before)


def overfull_charge_points(connection: Connection, most_bytes: int) -> list[str]:
    """Return the charge points whose raw log is larger than it may be: a long read, and none for the writer's thread."""
    query = select(messages.c.client_id).group_by(messages.c.client_id).having(func.sum(messages.c.size) > most_bytes)
    return list(connection.execute(query).scalars())


def prune_messages_of(connection: Connection, client_id: str, most_bytes: int) -> int:
    """Delete the oldest of a charge point's raw log, so that it is no larger than it may be; return how many rows."""
    mine = messages.c.client_id == client_id
    total = func.sum(messages.c.size).over(order_by=messages.c.segment_id.desc()).label("total")
    sums = select(messages.c.segment_id, total).where(mine).subquery()
    beyond = select(func.max(sums.c.segment_id)).where(sums.c.total > most_bytes).scalar_subquery()
    return connection.execute(delete(messages).where(mine, messages.c.segment_id <= beyond)).rowcount
