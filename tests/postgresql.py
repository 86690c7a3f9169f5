"""A private PostgreSQL for tests: a cluster in a temporary folder, on a free loopback port, without fsync."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg
import pytest

from tests.programs import find, free_port, run_in_background, wait_until

_USER = "csms"
_PASSWORD = "p%40ss%2Fword"
"""As it stands in a URL: it holds characters that have to be escaped there."""
_PLAIN_PASSWORD = "p@ss/word"
_BINARIES = "/usr/lib/postgresql/*/bin"
_UNPRIVILEGED = "postgres"
_SETTINGS = ("fsync=off", "full_page_writes=off", "synchronous_commit=on", "max_connections=60", "shared_buffers=32MB")
_numbers = itertools.count(1)


class Postgresql:
    """A cluster of our own. Root cannot run PostgreSQL: then it runs as the user ``postgres``."""

    def __init__(self) -> None:
        self._initdb = find("initdb", "postgresql", beside=_BINARIES)
        self._postgres = find("postgres", "postgresql", beside=_BINARIES)
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="csms-postgresql-"))
        self.log = self.folder / "log"
        self.port = free_port()
        self._process: subprocess.Popen | None = None
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._initialise()

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database, with the password in it."""
        return f"postgresql://{_USER}:{_PASSWORD}@127.0.0.1:{self.port}/{database}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def _initialise(self) -> None:
        passwords = self.folder / "password"
        passwords.write_text(_PLAIN_PASSWORD)
        command = [self._initdb, "-D", str(self.folder / "data"), "-U", _USER, "-E", "UTF8", "--no-locale", "--no-sync"]
        command += ["-A", "scram-sha-256", f"--pwfile={passwords}"]
        done = subprocess.run(command, check=False, capture_output=True, text=True, user=self._user, cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stderr.strip()}")

    def start(self) -> None:
        """Start, and return when queries are answered."""
        command = [self._postgres, "-D", str(self.folder / "data"), "-h", "127.0.0.1", "-p", str(self.port), "-k", ""]
        for setting in _SETTINGS:
            command += ["-c", setting]
        self._process = run_in_background(command, self.log, user=self._user, death="INT")
        wait_until(self._answers, self._process, self.log)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """End all sessions and stop (a fast shutdown)."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End without a shutdown: the next start recovers (SIGQUIT, as kill -9 would leave shared memory behind)."""
        self._end(signal.SIGQUIT)

    def forget(self) -> None:
        """Note that all its processes were killed from outside: `start` may come next."""
        assert self._process is not None
        self._process.wait(20)
        self._process = None

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def execute(self, statement: str) -> None:
        """Run a statement outside of a transaction."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Make a database, a copy of another that nobody is connected to; its URL. In the end it is dropped."""
        name = f"csms_{next(_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def __enter__(self) -> Self:
        try:
            self.start()
        except RuntimeError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgresql]:
    """A cluster for the whole test run."""
    with Postgresql() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def postgresql_url(postgresql: Postgresql) -> str:
    """The URL of a database that lasts for the whole test run."""
    postgresql.execute("CREATE DATABASE csms")
    return postgresql.url("csms")


@pytest.fixture
def postgresql_database(postgresql: Postgresql) -> Iterator[str]:
    """The URL of an empty database for one test."""
    with postgresql.database() as url:
        yield url
