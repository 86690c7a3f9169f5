"""A store on SQLite and one on PostgreSQL: each test runs on both."""

from __future__ import annotations

import time

import pytest
import pytest_twisted
from twisted.internet import reactor

from csms.store.database import parse_url
from csms.store.store import Store


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request):
    return request.param


@pytest.fixture
def database_url(backend, request, tmp_path):
    """The URL of a database with the tables and nothing in them."""
    if backend == "sqlite":
        return request.getfixturevalue("sqlite_copy")(tmp_path)
    return request.getfixturevalue("postgresql_copy")


@pytest.fixture
def empty_url(backend, request, tmp_path):
    """The URL of a database without tables."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path}/empty.db"
    return request.getfixturevalue("postgresql_database")


@pytest.fixture
def make_store(database_url):
    """Makes stores on the database; the caller opens them, the fixture closes them."""
    stores = []

    def make(url=database_url, gateway_id="gw1", **options):
        store = Store(reactor, parse_url(url), "full", gateway_id, time.monotonic, **options)
        stores.append(store)
        return store

    yield make
    for store in stores:
        store.close()


@pytest_twisted.async_yield_fixture
async def store(make_store):
    """An open store."""
    store = make_store()
    await store.open()
    yield store
