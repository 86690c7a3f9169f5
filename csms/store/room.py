"""Whether there is room on the disk again, after there was none."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert

from csms.store.tables import records

_SOME_ROOM_BYTES = 256 * 1024
_PROBE = "probe"


def make_room(connection: Connection) -> None:
    """Bring SQLite's write-ahead log into the database: it may be what fills the disk."""
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        if driver is not None:
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def try_large_write(connection: Connection) -> None:
    """Write as much as a busy commit does, and take it back: a database that takes a byte may still be full for a commit."""
    row = {
        "client_id": "",
        "received_at": datetime(1970, 1, 1, tzinfo=UTC),
        "kind": _PROBE,
        "message_id": None,
        "body": b"0" * _SOME_ROOM_BYTES,
    }
    connection.execute(insert(records), [row])
    connection.execute(delete(records).where(records.c.kind == _PROBE))
