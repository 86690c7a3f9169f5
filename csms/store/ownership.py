"""Who may use what alone: a daemon its database or its gateway id, one relay the event log.

Held by the process itself, by a file lock or a session's advisory lock, so that it ends with the process, however that ends.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from typing import Protocol

from sqlalchemy import Engine, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import SQLAlchemyError


class Lease(Protocol):
    """Something that only one holder has at a time."""

    def acquire(self) -> bool:
        """Try to get it, or confirm that it is still held; never waits."""

    def release(self) -> None:
        """Give it up."""


class FileLease:
    """A lock on a file beside the SQLite database."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class AdvisoryLease:
    """An advisory lock of a PostgreSQL session that is kept open for it."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        if self._connection is not None:
            try:
                self._connection.execute(text("SELECT 1"))
            except SQLAlchemyError:
                self.release()  # the lock was the session's, and went with it
            else:
                return True
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": self._key}).scalar_one():
            self._connection = connection
            return True
        connection.close()
        return False

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # The session may be gone already, and its lock with it.
            with suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()


def gateway_lease(url: URL, engine: Engine, gateway_id: str) -> Lease:
    """Return the lease of a daemon: a SQLite file serves one daemon, PostgreSQL one for each gateway id."""
    if url.get_backend_name() == "sqlite":
        return FileLease(f"{url.database}.lock")
    return AdvisoryLease(engine, f"csms gateway {gateway_id}")


def relay_lease(url: URL, engine: Engine) -> Lease:
    """Return the lease of the relay, of which there is one for each database."""
    if url.get_backend_name() == "sqlite":
        return FileLease(f"{url.database}.relay.lock")
    return AdvisoryLease(engine, "csms relay")
