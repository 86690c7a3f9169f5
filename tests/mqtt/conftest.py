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
async def store(tmp_path):
    """An open store."""
    store = Store(reactor, parse_url(f"sqlite:///{tmp_path}/csms.db"), "full", "gw1", time.monotonic)
    await store.open()
    yield store
    store.close()
