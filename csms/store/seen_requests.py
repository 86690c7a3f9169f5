"""Requests that were taken, so that none is carried out twice: claimed before, settled after; see `tables.seen_requests`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from csms.store.tables import seen_requests as table

_PRUNE_BATCH = 500


class Seen(msgspec.Struct, frozen=True):
    """A request that was seen before."""

    fingerprint: str
    status: int | None
    body: bytes | None


def find(connection: Connection, face: str, request_id: str, since: datetime) -> Seen | None:
    """Return what is known of a request that was seen since a time."""
    columns = table.c.fingerprint, table.c.status, table.c.body
    row = connection.execute(select(*columns).where(_is(face, request_id), table.c.seen_at > since)).first()
    return Seen(*row) if row is not None else None


def claim(
    connection: Connection, face: str, request_id: str, since: datetime, *, fingerprint: str, at: datetime, body: bytes
) -> Seen | None:
    """Take a request, or return what is known of it where it was seen since a time; of several takers one gets it."""
    connection.execute(delete(table).where(_is(face, request_id), table.c.seen_at <= since))
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert
    row: dict[str, Any] = {"face": face, "request_id": request_id, "fingerprint": fingerprint, "seen_at": at}
    taken = connection.execute(insert(table).values(**row, body=body).on_conflict_do_nothing()).rowcount
    return None if taken else find(connection, face, request_id, since)


def settle(connection: Connection, face: str, request_id: str, status: int, body: bytes) -> None:
    """Say what became of a request."""
    connection.execute(update(table).where(_is(face, request_id)).values(status=status, body=body))


def forget(connection: Connection, face: str, request_id: str) -> None:
    """Let a request be taken again: nothing was done."""
    connection.execute(delete(table).where(_is(face, request_id)))


def prune(connection: Connection, face: str, before: datetime) -> int:
    """Delete a batch of requests that were seen before a time; return how many."""
    old = select(table.c.request_id).where(table.c.face == face, table.c.seen_at <= before)
    oldest = old.order_by(table.c.seen_at).limit(_PRUNE_BATCH).scalar_subquery()
    return connection.execute(delete(table).where(table.c.face == face, table.c.request_id.in_(oldest))).rowcount


def _is(face: str, request_id: str) -> ColumnElement[bool]:
    return and_(table.c.face == face, table.c.request_id == request_id)
