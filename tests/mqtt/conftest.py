"""A store on SQLite and the fakes of this room."""

from __future__ import annotations

import time

import pytest_twisted
from twisted.internet import reactor

from csms.store.database import parse_url
from csms.store.store import Store
from tests.fakes import logged

__all__ = ["logged", "store"]


@pytest_twisted.async_yield_fixture
async def store(tmp_path, sqlite_copy):
    """An open store."""
    store = Store(reactor, parse_url(sqlite_copy(tmp_path)), "full", "gw1", time.monotonic)
    await store.open()
    yield store
    store.close()
