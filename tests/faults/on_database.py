"""What happens to the ledger: what cannot be committed is not answered, and chargers keep their queues."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from benchmarks.procfs import tree
from tests.end_to_end.charger import Charger
from tests.end_to_end.daemon import Daemon
from tests.faults.stage import CannotRun, Outcome, Stage, pause, wait
from tests.postgresql import Postgresql

_DISK_MIB = 24


@contextmanager
def _postgresql() -> Iterator[tuple[Postgresql, str]]:
    with Postgresql() as server:
        server.execute("CREATE DATABASE csms")
        yield server, server.url("csms")


def database_killed(folder: Path) -> Outcome:
    """kill -9 of PostgreSQL and all its processes; back after 3 s"""
    with _postgresql() as (server, url), Stage(folder, database=url) as stage:
        stage.load()
        for member in tree(server.pid):
            os.kill(member, signal.SIGKILL)
        server.forget()
        pause(3)
        _not_ready(stage)
        server.start()
        return stage.outcome(stage.until_well())


def database_restarted(folder: Path) -> Outcome:
    """PostgreSQL is restarted (a fast shutdown), three times"""
    with _postgresql() as (server, url), Stage(folder, database=url) as stage:
        stage.load()
        for _ in range(3):
            server.stop()
            server.start()
            well_s = stage.until_well()
        return stage.outcome(well_s)


def database_paused(folder: Path) -> Outcome:
    """PostgreSQL stands still for 4 s (SIGSTOP, SIGCONT)"""
    with _postgresql() as (server, url), Stage(folder, database=url) as stage:
        stage.load()
        members = tree(server.pid)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for member in members:
                os.kill(member, number)
            if number == signal.SIGSTOP:
                pause(4)
        return stage.outcome(stage.until_well())


def database_read_only(folder: Path) -> Outcome:
    """PostgreSQL takes no writes for 5 s (default_transaction_read_only)"""
    with _postgresql() as (server, url), Stage(folder, database=url) as stage:
        stage.load()
        _read_only(server, "on")
        wait(lambda: stage.daemon.metric("csms_ledger_available") == 0, "that it is noticed")
        pause(5)
        _not_ready(stage)
        _read_only(server, "off")
        return stage.outcome(stage.until_well())


def _read_only(server: Postgresql, value: str) -> None:
    server.execute(f"ALTER DATABASE csms SET default_transaction_read_only = {value}")
    server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'csms'")


def database_locked(folder: Path) -> Outcome:
    """another process holds the write lock of the SQLite file for 8 s"""
    with Stage(folder) as stage:
        stage.load()
        other = sqlite3.connect(stage.daemon.database, isolation_level=None, timeout=30)
        other.execute("BEGIN IMMEDIATE")
        pause(8)
        _not_ready(stage)
        other.execute("ROLLBACK")
        other.close()
        return stage.outcome(stage.until_well())


def _not_ready(stage: Stage) -> None:
    """The daemon lives, says that it is not ready and why, and lets nobody in."""
    wait(lambda: stage.daemon.get("/ready")[0] == 503, "503 of /ready")
    assert stage.daemon.get("/health")[0] == 200
    assert stage.daemon.metric("csms_ledger_available") == 0
    assert _handshake_status(stage.daemon) == 503


def _handshake_status(daemon: Daemon) -> int:
    try:
        connect(f"{daemon.url}STRANGER", subprotocols=["ocpp1.6"]).close()
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path]:
    disk = folder / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MIB}m", "tmpfs", str(disk)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise CannotRun(f"no tmpfs may be mounted here: {done.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def disk_full(folder: Path) -> Outcome:
    """the disk of the ledger is full for 6 s, and has room again"""
    with _small_disk(folder) as disk, Stage(folder, database=f"sqlite:///{disk}/csms.db") as stage:
        stage.load()
        filler = disk / "filler"
        with Charger(stage.daemon.url, "WITNESS") as witness:
            _fill(filler)
            wait(lambda: stage.daemon.metric("csms_ledger_available") == 0, "that it is noticed")
            _fill(filler)
            with pytest.raises(ConnectionClosed) as closed:
                witness.status("Available")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1013
        pause(6)
        _not_ready(stage)
        assert stage.daemon.process.poll() is None, "the daemon ended"
        filler.unlink()
        return stage.outcome(stage.until_well())


def _fill(path: Path) -> None:
    try:
        with path.open("ab", buffering=0) as filler:
            while filler.write(b"0" * 4096):
                pass
    except OSError:
        return


def _traced(stage: Stage, *injections: str) -> subprocess.Popen[bytes]:
    strace = shutil.which("strace")
    if strace is None:
        raise CannotRun("strace is not installed")
    command = [
        strace,
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-p",
        str(stage.daemon.process.pid),
        "-e",
        "trace=fsync,fdatasync",
    ]
    for injection in injections:
        command += ["-e", f"inject=fdatasync,fsync:{injection}"]
    tracer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = Path(f"/proc/{stage.daemon.process.pid}/status")
    try:
        wait(lambda: f"TracerPid:\t{tracer.pid}\n" in status.read_text() or tracer.poll() is not None, "strace", 30)
    except AssertionError:
        tracer.kill()
    if tracer.poll() is not None:
        raise CannotRun("strace may not attach to a process here")
    return tracer


def disk_slow(folder: Path) -> Outcome:
    """each fsync takes 200 ms for 6 s (strace)"""
    with Stage(folder) as stage:
        stage.load()
        tracer = _traced(stage, "delay_enter=200000")
        try:
            pause(6)
        finally:
            tracer.terminate()
            tracer.wait(10)
        return stage.outcome(stage.until_well())


def disk_fails(folder: Path) -> Outcome:
    """an fsync says EIO (strace): the daemon stops, and is started again"""
    with Stage(folder) as stage:
        stage.load()
        tracer = _traced(stage, "error=EIO:when=10+5")
        try:
            wait(lambda: stage.daemon.process.poll() is not None, "the daemon has stopped")
        finally:
            tracer.kill()
            tracer.wait(10)
        status = stage.daemon.process.returncode
        assert status != 0, "a supervisor would not start it again"
        stage.daemon.start()
        return stage.outcome(stage.until_well(), f"exit status {status}")
