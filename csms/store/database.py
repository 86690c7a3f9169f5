"""Engines: how a database URL becomes connections that keep what they were told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool

from csms.store.driver import on_the_driver
from csms.store.errors import StoreError

Durability = Literal["full", "normal"]

_BUSY_TIMEOUT_S = 5
_WAL_LIMIT_BYTES = 16 * 1024 * 1024
_CACHE_KIB = 512
"""With four times as much the pages of the largest commit had room, and 1% of the work was saved: not worth the memory."""
_READERS_CACHE_KIB = 64
_CHECKPOINT_PAGES = 2000
"""8 MiB: busy pages are written many times to the log, but once to the database."""
_READERS = 6
"""The store's readers and browsers, and the consumers of the event log."""
_STATEMENTS = 128
"""How many statements SQLite keeps prepared: one for each table and number of rows."""
_CONNECT_TIMEOUT_S = 2
_STATEMENT_TIMEOUT_MS = 15_000


def parse_url(text: str) -> URL:
    """Return a database URL: SQLite with a file, or PostgreSQL.

    :raises StoreError: it is neither.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        raise StoreError("database.url is no SQLAlchemy URL: allowed are sqlite:///FILE and postgresql://…") from None
    name = url.get_backend_name()
    if name == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if name != "sqlite":
        raise StoreError(f"database.url: {name} is not supported: allowed are sqlite:///FILE and postgresql://…")
    if not url.database or url.database == ":memory:":
        raise StoreError("database.url: SQLite needs a file here, as in sqlite:///csms.db")
    return url.set(database=str(Path(url.database).absolute()))


def writing_engine(url: URL, durability: Durability) -> Engine:
    """Return an engine for the one connection that writes."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, durability, begin="BEGIN IMMEDIATE", poolclass=NullPool)
    return _postgresql(url, durability, poolclass=NullPool)


def reading_engine(url: URL, durability: Durability) -> Engine:
    """Return an engine for the connections that read: without transactions, unless a reader begins one itself."""
    pool: dict[str, Any] = {"poolclass": QueuePool, "pool_size": _READERS, "max_overflow": 0}
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, durability, begin=None, **pool)
    return _postgresql(url, durability, isolation_level="AUTOCOMMIT", pool_pre_ping=True, **pool)


def _sqlite(url: URL, durability: Durability, *, begin: str | None, **options: Any) -> Engine:
    engine = create_engine(
        url,
        # The driver must not begin transactions by itself: it would take the write lock too late.
        connect_args={
            "timeout": _BUSY_TIMEOUT_S,
            "check_same_thread": False,
            "isolation_level": None,
            "cached_statements": _STATEMENTS,
        },
        **options,
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if durability == 'full' else 'NORMAL'}")
        connection.execute(f"PRAGMA cache_size={-(_CACHE_KIB if begin is not None else _READERS_CACHE_KIB)}")
        connection.execute(f"PRAGMA journal_size_limit={_WAL_LIMIT_BYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")

    @event.listens_for(engine, "begin")
    def _begun(connection: Any) -> None:
        if begin is not None:
            on_the_driver(connection)(begin, ())

    return engine


def _postgresql(url: URL, durability: Durability, **options: Any) -> Engine:
    settings = f"-c statement_timeout={_STATEMENT_TIMEOUT_MS} -c synchronous_commit={'on' if durability == 'full' else 'off'} -c timezone=UTC"
    return create_engine(
        url,
        connect_args={
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "options": settings,
            "keepalives_idle": 10,
            "tcp_user_timeout": 15_000,
        },
        **options,
    )
