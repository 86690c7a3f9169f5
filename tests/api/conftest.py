"""The API on a real port over a real store, with charge points that answer as they are told."""

from __future__ import annotations

import time

import attrs
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import Clock

from csms.api.access import Access
from csms.api.api import Parts, make_http_site
from csms.api.event_feed import EventFeed
from csms.api.health import Health
from csms.chargepoint.provisioning import Provisioning
from csms.chargepoint.registry import Registry
from csms.chargepoint.transactions import Transactions
from csms.ledger.cost import Tariff
from csms.metrics import Counters
from csms.passwords.attempts import Attempts
from csms.passwords.passwords import Passwords
from csms.store.database import parse_url
from csms.store.store import Store
from tests.api.client import Http
from tests.api.fakes import FakeCommands
from tests.fakes import WallClock, logged, shared_of
from tests.passwords.workers import FakeWorkers

__all__ = ["logged"]


class FeedClock(Clock):
    """Timers that the test moves; words from threads that come by themselves."""

    def callFromThread(self, function, *arguments):
        reactor.callFromThread(function, *arguments)


@attrs.define(eq=False)
class Desk:
    """The API, and what stands behind it."""

    http: Http
    store: Store
    commands: FakeCommands
    feed: EventFeed
    clock: FeedClock
    now: WallClock
    parts: Parts

    @property
    def port(self):
        return self.http.port


async def listen(parts):
    """Have an API listen."""
    health = Health(Counters(), lambda: {"store": True}, dict)
    site = make_http_site(parts, health)
    return await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(site)


async def open_desk(folder, sqlite_copy, *, token=None, streams=8):
    """Return a desk, and what closes it."""
    store = Store(reactor, parse_url(sqlite_copy(folder)), "normal", "gw1", time.monotonic)
    await store.open()
    now, clock, commands = WallClock(), FeedClock(), FakeCommands()
    shared = shared_of(store, now=now)
    registry = Registry(shared)
    feed = EventFeed(clock, store, streams)
    store.event_listeners.append(feed.committed)
    parts = Parts(
        ledger=store,
        commands=commands,
        provisioning=Provisioning(shared, registry, Passwords(FakeWorkers(), b"key", Attempts(clock.seconds))),
        transactions=Transactions(shared, registry, Tariff()),
        feed=feed,
        access=Access(store, clock.seconds, token),
        now=now,
        gateway_id="gw1",
    )
    port = await listen(parts)

    async def close():
        feed.close()
        await port.stopListening()
        store.close()

    return Desk(Http(port.getHost().port), store, commands, feed, clock, now, parts), close


@pytest_twisted.async_yield_fixture
async def desk(tmp_path, sqlite_copy):
    """A desk."""
    made, close = await open_desk(tmp_path, sqlite_copy)
    yield made
    await close()


@pytest_twisted.async_yield_fixture
async def guarded(tmp_path, sqlite_copy):
    """A desk behind a token."""
    made, close = await open_desk(tmp_path, sqlite_copy, token="s3cret")
    yield made
    await close()
