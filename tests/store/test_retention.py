"""Old rows go; an event never before every cursor has passed it."""

from __future__ import annotations

from datetime import timedelta

import pytest_twisted
from sqlalchemy import func, select

from csms.ledger import chargepoints
from csms.store import event_log, retention, seen_requests, tables
from tests.store import decisions
from tests.store.decisions import NOW
from tests.store.raw_messages import call, keep

LATER = NOW + timedelta(days=1)


async def count(store, table):
    return await store.read(lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one())


@pytest_twisted.ensureDeferred
async def test_events_stay_until_every_consumer_has_taken_them_and_they_are_old(store):
    for number in range(5):
        await store.commit(decisions.connected(f"CP{number}"))
    await store.write(lambda connection: event_log.move_cursor(connection, "mqtt", 4))
    await store.write(lambda connection: event_log.move_cursor(connection, "http", 3))
    assert await store.write(lambda connection: retention.prune_events(connection, NOW)) == 0
    assert await store.write(lambda connection: retention.prune_events(connection, LATER)) == 3
    assert [event.position for event in await store.read(event_log.events_after, 0, 10)] == [4, 5]


@pytest_twisted.ensureDeferred
async def test_where_nobody_consumes_events_go_by_their_age(store):
    await store.commit(decisions.connected())
    assert await store.write(lambda connection: retention.prune_events(connection, NOW)) == 0
    assert await store.write(lambda connection: retention.prune_events(connection, LATER)) == 1
    # The position of a state does not fall back with an empty log.
    assert await store.read(event_log.latest_position) == 1


@pytest_twisted.ensureDeferred
async def test_readings_and_records_go_by_their_arrival(store):
    state = decisions.connected().state
    for decision in (decisions.connected(), decisions.started(state, 7)):
        await store.commit(decision)
        state = decision.state
    await store.commit(decisions.metered(state, 7))
    await store.commit(chargepoints.keep(state, decisions.context(), kind="DataTransfer", body={"a": 1}))
    for prune in (retention.prune_readings, retention.prune_records):
        assert await store.write(lambda connection, prune=prune: prune(connection, NOW)) == 0
        assert await store.write(lambda connection, prune=prune: prune(connection, LATER)) == 1
    assert await count(store, tables.meter_readings) == await count(store, tables.records) == 0
    assert await count(store, tables.transactions) == 1


@pytest_twisted.ensureDeferred
async def test_the_raw_log_goes_by_its_age(store):
    for days in (0, 1, 2):
        await keep(store, call(1, at=NOW + timedelta(days=days)), call(2, at=NOW + timedelta(days=days)))
    assert await store.write(lambda connection: retention.prune_messages(connection, NOW)) == 0
    assert await store.write(lambda connection: retention.prune_messages(connection, LATER)) == 1
    assert await count(store, tables.messages) == 2


@pytest_twisted.ensureDeferred
async def test_meters_go_with_the_end_of_their_transactions(store):
    state = decisions.connected().state
    for decision in (
        decisions.connected(),
        started := decisions.started(state, 7),
        decisions.metered(started.state, 7),
    ):
        await store.commit(decision)
        state = decision.state
    assert await store.write(lambda connection: retention.prune_meters(connection, NOW)) == 0
    await store.commit(decisions.stopped(state, 7))
    assert await store.write(lambda connection: retention.prune_meters(connection, NOW)) == 1
    assert await count(store, tables.meters) == 0


@pytest_twisted.ensureDeferred
async def test_each_kind_goes_after_its_own_time(store):
    state = decisions.connected().state
    for decision in (decisions.connected(), decisions.started(state, 7)):
        await store.commit(decision)
        state = decision.state
    await store.commit(decisions.metered(state, 7))
    await store.commit(chargepoints.keep(state, decisions.context(), kind="DataTransfer", body={"a": 1}))
    await keep(store, call(1, at=NOW))
    await store.write(lambda connection: seen_requests.claim(connection, "http", "k1", "f", NOW))
    kinds = (tables.event_log, tables.meter_readings, tables.records, tables.messages, tables.seen_requests)
    there = [await count(store, table) for table in kinds]
    assert all(there)
    times = retention.Retention(events_s=4 * 3600, readings_s=3 * 3600, records_s=2 * 3600, messages_s=5 * 3600)
    for hours, gone in ((0.5, ()), (1.5, (4,)), (2.5, (2, 4)), (3.5, (1, 2, 4)), (4.5, (0, 1, 2, 4)), (5.5, range(5))):
        await retention.prune_all(store, times, NOW + timedelta(hours=hours))
        left = [await count(store, table) for table in kinds]
        assert left == [0 if number in gone else all_ for number, all_ in enumerate(there)], hours
