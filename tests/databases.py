"""Databases that have their tables already: to make these by migrations takes longer than most tests.

Made once in a test run; each test gets a copy. ``postgresql_database`` is the one that is empty.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import Engine, StaticPool, create_engine

from csms.store import tables
from csms.store.database import parse_url, writing_engine
from csms.store.rows import Statements
from csms.store.schema import bring_up_to_date
from tests.postgresql import Postgresql

_TEMPLATE = "migrated"


def migrate(url: str) -> None:
    """Make the tables, as the daemon does when it first starts."""
    engine = writing_engine(parse_url(url), "normal")
    bring_up_to_date(engine)
    engine.dispose()


@cache
def _tables() -> bytes:
    engine = create_engine("sqlite://", poolclass=StaticPool)
    tables.metadata.create_all(engine)
    return engine.raw_connection().driver_connection.serialize()


def _connect() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.deserialize(_tables())
    return connection


def in_memory(**options: object) -> Engine:
    """Return an engine with one connection, to a database with the tables that goes with it."""
    return create_engine("sqlite://", poolclass=StaticPool, creator=_connect, **options)


@cache
def statements() -> Statements:
    """The statements of the ledger for databases in memory."""
    return Statements(in_memory().dialect)


@pytest.fixture(scope="session")
def sqlite_copy(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], str]:
    """Writes a SQLite file with the tables into a folder, as csms.db; returns its URL."""
    template = tmp_path_factory.mktemp("migrated") / "csms.db"
    migrate(f"sqlite:///{template}")

    def copy(folder: Path) -> str:
        shutil.copy(template, folder)
        return f"sqlite:///{folder / template.name}"

    return copy


@pytest.fixture(scope="session")
def postgresql_template(postgresql: Postgresql) -> str:
    """The name of a database with the tables."""
    postgresql.execute(f"CREATE DATABASE {_TEMPLATE}")
    migrate(postgresql.url(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def postgresql_copy(postgresql: Postgresql, postgresql_template: str) -> Iterator[str]:
    """The URL of a database with the tables for one test."""
    with postgresql.database(template=postgresql_template) as url:
        yield url
