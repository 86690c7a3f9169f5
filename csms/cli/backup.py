"""Copies of the ledger, made while the daemon runs: whole or not there, never over something else."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.engine import URL

_PAGES = 1024
_BUSY_TIMEOUT_S = 30
_DEBIAN = "usr/lib/postgresql/*/bin"

Progress = Callable[[int, int | None], None]
"""Called with what is done and how much it is in all, None where that is not known."""


class BackupFailed(Exception):
    """There is no copy; the message is one line."""


def back_up_sqlite(source: Path, destination: Path, progress: Progress) -> None:
    """Copy a SQLite ledger by the online backup API: one moment of it, whatever is written meanwhile.

    :raises BackupFailed: there is no ledger, the destination exists or cannot be written, or the copy is damaged.
    """
    if not source.is_file():
        raise BackupFailed(f"there is no ledger at {source}")
    with _finished_file(destination) as unfinished:
        try:
            _copy(source, unfinished, progress)
        except sqlite3.Error as error:
            raise BackupFailed(f"{source} cannot be copied: {error}") from None


def _copy(source: Path, unfinished: Path, progress: Progress) -> None:
    # Not read-only: a ledger in WAL mode without a daemon needs its -shm file made. Nothing is written.
    address = f"{source.absolute().as_uri()}?mode=rw"
    with (
        closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S)) as reader,
        closing(sqlite3.connect(unfinished, isolation_level=None)) as writer,
    ):
        # Written but for the fsync at the end, which is ours.
        writer.execute("PRAGMA synchronous=OFF")
        # This read transaction is the moment that is copied: without it each commit of the daemon would start the copy anew.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(writer, pages=_PAGES, progress=lambda _status, left, total: progress(total - left, total))
        reader.execute("ROLLBACK")
        # The copy is one file, without a -wal beside it.
        writer.execute("PRAGMA journal_mode=DELETE").fetchone()
        found = writer.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise BackupFailed(f"the copy is damaged: {found}")


def back_up_postgresql(url: URL, destination: Path, progress: Progress) -> None:
    """Copy a PostgreSQL ledger by pg_dump, in its custom format (for ``pg_restore``).

    :raises BackupFailed: pg_dump is missing or failed, or the destination exists or cannot be written.
    """
    program = _pg_dump()
    query = dict(url.query)
    password = url.password or query.pop("password", None)
    # A command line is for everybody to see: the password goes by the environment.
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    environment = {**os.environ, **({"PGPASSWORD": str(password)} if password else {})}
    with _finished_file(destination) as unfinished:
        command = [program, "--format=custom", "--no-password", f"--file={unfinished}"]
        command.append(f"--dbname={plain.render_as_string()}")
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as running:
            try:
                said = _follow(running, unfinished, progress)
            except BaseException:
                running.kill()
                raise
        if running.returncode:
            raise BackupFailed(f"pg_dump: {said or f'status {running.returncode}'}")


def _follow(running: subprocess.Popen[str], unfinished: Path, progress: Progress) -> str:
    """Tell how large the copy grows; return the last line that pg_dump said."""
    while True:
        try:
            _, said = running.communicate(timeout=0.5)
        except subprocess.TimeoutExpired:
            progress(unfinished.stat().st_size, None)
        else:
            lines = [line.removeprefix("pg_dump: ").removeprefix("error: ") for line in said.splitlines()]
            return lines[0] if lines else ""


def _pg_dump() -> str:
    folders = [os.environ.get("PATH", ""), *map(str, sorted(Path("/").glob(_DEBIAN), reverse=True))]
    program = shutil.which("pg_dump", path=os.pathsep.join(folders))
    if program is None:
        raise BackupFailed("pg_dump is not installed: it comes with PostgreSQL's client programs")
    return program


@contextmanager
def _finished_file(destination: Path) -> Iterator[Path]:
    """Give a file to write; it gets its name, durably, only when it is complete."""
    if destination.exists():
        raise BackupFailed(f"{destination} exists: it is not overwritten")
    unfinished = destination.with_name(f".{destination.name}.{os.getpid()}.unfinished")
    try:
        # Readable by its owner only from the start: it holds what the ledger holds.
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise BackupFailed(f"{destination} cannot be written: {error.strerror}") from None
    try:
        yield unfinished
        _sync(unfinished)
        _name(unfinished, destination)
        _sync(destination.parent)
    except OSError as error:
        raise BackupFailed(f"{destination} cannot be written: {error.strerror}") from None
    finally:
        for leftover in (
            unfinished,
            *(unfinished.with_name(unfinished.name + end) for end in ("-wal", "-shm", "-journal")),
        ):
            leftover.unlink(missing_ok=True)


def _name(unfinished: Path, destination: Path) -> None:
    try:
        # Unlike a rename, a link fails where somebody made the destination meanwhile.
        os.link(unfinished, destination)
    except FileExistsError:
        raise BackupFailed(f"{destination} exists: it is not overwritten") from None
    except OSError:
        # A file system without links.
        unfinished.rename(destination)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        with contextlib.suppress(OSError):
            os.close(descriptor)
