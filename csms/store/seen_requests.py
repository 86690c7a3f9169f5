"""Requests that were taken, so that none is executed twice, with the first answer to each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from attrs import define, field
from msgspec import Struct
from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from csms.store.tables import seen_requests

REMEMBERED = timedelta(hours=1)
_MOST_IN_ARREARS = 1000
Made = TypeVar("Made")


class Claim(Struct, frozen=True):
    """Who took a request; kept in the place of its answer while there is none."""

    gateway_id: str
    at: datetime

    def encode(self) -> bytes:
        """Return it as it is kept."""
        return msgspec.json.encode(self)

    def is_over(self, gateway_id: str, now: datetime, longest: timedelta) -> bool:
        """Tell a daemon that does not know of the request whether nobody is at it any more.

        Its own are of an earlier run, as no other daemon has its gateway id; another's are over after the longest time.
        """
        return self.gateway_id == gateway_id or now >= self.at + longest


class Seen(Struct, frozen=True):
    """A request that was taken before; ``status`` and ``body`` are its answer, status None while there is none."""

    fingerprint: str
    status: int | None
    body: bytes | None

    @property
    def claim(self) -> Claim | None:
        """Who is at it, None where that is not known."""
        return msgspec.json.decode(self.body, type=Claim) if self.status is None and self.body else None


@define(eq=False)
class Arrears:
    """By request id, what the ledger could not take: it is made up for where the request comes again, before anything else."""

    _jobs: dict[str, Callable[[Connection], None]] = field(factory=dict)

    def add(self, request_id: str, job: Callable[[Connection], None]) -> None:
        """Keep a job that failed, in the place of an earlier one; the oldest makes room."""
        self._jobs.pop(request_id, None)
        if len(self._jobs) >= _MOST_IN_ARREARS:
            del self._jobs[next(iter(self._jobs))]
        self._jobs[request_id] = job

    def before(self, request_id: str, job: Callable[[Connection], Made]) -> Callable[[Connection], Made]:
        """Return a job that does what is left of a request first."""
        left = self._jobs.get(request_id)
        if left is None:
            return job

        def both(connection: Connection) -> Made:
            left(connection)
            return job(connection)

        return both

    def clear(self, request_id: str) -> None:
        """Nothing is left of a request."""
        self._jobs.pop(request_id, None)


def claim(
    connection: Connection,
    face: str,
    request_id: str,
    fingerprint: str,
    now: datetime,
    *,
    until: datetime | None = None,
    body: bytes | None = None,
) -> Seen | None:
    """Take a request: None where it is new and now taken, else what is known of the one that was taken before.

    It is remembered for an hour, where a later time is given until an hour after that. ``body`` says who is at it.
    """
    dialect_insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {
        "face": face,
        "request_id": request_id,
        "fingerprint": fingerprint,
        "seen_at": max(now, until) if until is not None else now,
        "body": body,
    }
    # With several daemons on one database the insert itself has to decide who was first; psycopg gives no count of rows.
    insert = dialect_insert(seen_requests).values({**row, "status": None})
    statement = insert.on_conflict_do_update(
        index_elements=["face", "request_id"],
        set_={name: insert.excluded[name] for name in ("fingerprint", "seen_at", "status", "body")},
        where=seen_requests.c.seen_at < now - REMEMBERED,
    ).returning(seen_requests.c.request_id)
    if connection.execute(statement).first() is not None:
        return None
    return find(connection, face, request_id, now)


def find(connection: Connection, face: str, request_id: str, now: datetime) -> Seen | None:
    """Return what is known of a request that was taken before."""
    found = connection.execute(
        select(seen_requests.c.fingerprint, seen_requests.c.status, seen_requests.c.body).where(
            seen_requests.c.face == face,
            seen_requests.c.request_id == request_id,
            seen_requests.c.seen_at >= now - REMEMBERED,
        )
    ).first()
    return Seen(*found) if found is not None else None


def settle(connection: Connection, face: str, request_id: str, status: int, body: bytes) -> None:
    """Keep the answer to a request."""
    connection.execute(
        update(seen_requests)
        .where(seen_requests.c.face == face, seen_requests.c.request_id == request_id)
        .values(status=status, body=body)
    )


def prune(connection: Connection, before: datetime) -> int:
    """Delete the requests that were last seen before a time; return how many."""
    return connection.execute(delete(seen_requests).where(seen_requests.c.seen_at < before)).rowcount


def release(connection: Connection, face: str, request_id: str) -> None:
    """Forget a request of which nothing was done: it may come again."""
    connection.execute(
        delete(seen_requests).where(seen_requests.c.face == face, seen_requests.c.request_id == request_id)
    )
