"""While the database is away nothing is taken for committed; when it is back, work goes on."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from csms.store import event_log
from csms.store.errors import StoreUnavailable
from tests.postgresql import Postgresql
from tests.store import decisions


async def until(condition):
    """Wait for the store's own probe, which looks once a second."""
    for _ in range(1000):
        if condition():
            return
        await deferLater(reactor, 0.01, lambda: None)
    raise AssertionError("the store did not recover")


@pytest.mark.parametrize("backend", ["postgresql"])
@pytest_twisted.ensureDeferred
async def test_a_database_that_goes_away_and_comes_back(make_store):
    with Postgresql() as cluster:
        store = make_store(cluster.url())
        await store.open()
        await store.commit(decisions.connected("CP1"))
        cluster.kill()
        with pytest.raises(StoreUnavailable):
            await store.commit(decisions.connected("CP2"))
        assert not store.available
        with pytest.raises(StoreUnavailable):
            await store.read(event_log.latest_position)
        await deferToThread(cluster.start)
        await until(lambda: store.available)
        await store.commit(decisions.connected("CP3"))
        events = await store.read(event_log.events_after, 0, 10)
        assert [event.client_id for event in events] == ["CP1", "CP3"]
        store.close()
