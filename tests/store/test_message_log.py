"""The queue of the raw log: never in the way, bounded, nothing lost while the store can be written."""

from __future__ import annotations

import json

import pytest_twisted
from sqlalchemy import func, select
from twisted.logger import formatEvent

from csms.store import message_log, tables
from csms.store.deviations import list_deviations
from csms.store.errors import StoreUnavailable
from csms.store.messages import list_messages
from tests.fakes import logged
from tests.mqtt.fakes import Seconds
from tests.store import decisions
from tests.store.raw_messages import HandStore, call, dropped, keep, log_of

__all__ = ["logged"]
BOUND = 16384


def said(events):
    return [(event.client_id, json.dumps(json.loads(event.frame))) for event in events]


def offer_all(log, events):
    for event in events:
        log.offer(event)


async def bytes_of(store, client_id):
    size = select(func.coalesce(func.sum(tables.messages.c.size), 0)).where(tables.messages.c.client_id == client_id)
    return await store.read(lambda connection: connection.execute(size).scalar_one())


def test_offering_does_nothing_but_queue():
    store = HandStore()
    offer_all(log_of(store), (call(number) for number in range(1000)))
    assert store.jobs == []


def test_a_flush_writes_what_was_offered_until_then_in_small_pieces_one_at_a_time():
    store = HandStore()
    log = log_of(store)
    events = [call(number, client_id=f"CP{number % 200}") for number in range(2000)]
    offer_all(log, events)
    done = log.flush()
    late = call(9999, client_id="late")
    log.offer(late)
    pieces = 0
    while store.jobs:
        assert len(store.jobs) == 1
        before = len(store.written)
        store.commit_one()
        assert len(store.written) - before <= message_log._PIECE_MESSAGES + 10
        pieces += 1
    assert done.called
    assert pieces >= 4
    assert sorted(store.written) == sorted(said(events))
    mine = [text for client_id, text in store.written if client_id == "CP7"]
    assert mine == [text for client_id, text in said(events) if client_id == "CP7"]
    log.flush()
    store.commit_all()
    assert store.written[-1:] == said([late])
    assert log._waiting == log._waiting_bytes == 0


def test_many_messages_are_written_before_their_time():
    store = HandStore()
    offer_all(log_of(store), (call(number) for number in range(message_log._FLUSH_AT)))
    assert store.jobs


def test_nothing_offered_is_nothing_written():
    store = HandStore()
    assert log_of(store).flush().called
    assert store.jobs == []


def test_the_queue_is_bounded_by_count_and_takes_more_when_there_is_room(logged):
    store, monotonic = HandStore(), Seconds()
    log = log_of(store, monotonic=monotonic)
    offer_all(log, (call(number, client_id=f"CP{number % 100}") for number in range(message_log._MAX_QUEUED + 5)))
    assert dropped(log) == 5
    monotonic.advance(60)
    log.offer(call())
    lines = [formatEvent(event) for event in logged.events if "missing" in event["log_format"]]
    assert lines == [
        "1 messages are missing in the raw log: the ledger is away or slow",
        "5 messages are missing in the raw log: the ledger is away or slow",
    ]
    store.commit_all()
    log.flush()
    store.commit_all()
    assert len(store.written) == message_log._MAX_QUEUED
    log.offer(call())
    assert dropped(log) == 6


def test_the_queue_is_bounded_by_bytes():
    log = log_of(HandStore())
    large = call(payload={"a": "x" * 1024 * 1024})
    offer_all(log, [large] * 20)
    assert dropped(log) == 4


def test_while_the_store_is_away_messages_wait_and_are_written_in_order():
    store = HandStore()
    log = log_of(store)
    first, second = [call(1), call(2)], [call(3)]
    offer_all(log, first)
    done = log.flush()
    store.commit_one(StoreUnavailable("away"))
    assert done.called
    offer_all(log, second)
    log.flush()
    store.commit_one(StoreUnavailable("still away"))
    log.flush()
    store.commit_all()
    assert store.written == said(first + second)
    assert dropped(log) == 0
    assert log._waiting == log._waiting_bytes == 0


def test_messages_that_cannot_be_written_do_not_keep_the_next_from_the_log(logged):
    store = HandStore()
    log = log_of(store)
    log.offer(call(1))
    log.flush()
    store.commit_one(ValueError("poison"))
    assert dropped(log) == 1
    assert len(logged.failures) == 1
    log.offer(call(2))
    log.flush()
    store.commit_all()
    assert store.written == said([call(2)])


def test_messages_that_cannot_be_packed_do_not_keep_others_from_the_log(logged):
    store = HandStore()
    log = log_of(store)
    broken = call(1, client_id="broken")
    broken = type(broken)(None, *(getattr(broken, name) for name in broken.__struct_fields__[1:]))
    offer_all(log, [broken, call(2, client_id="broken"), call(3)])
    log.flush()
    store.commit_all()
    assert store.written == said([call(3)])
    assert dropped(log) == 2
    assert log._waiting == 0
    assert len(logged.failures) == 1


@pytest_twisted.ensureDeferred
async def test_switched_off_only_deviations_are_kept(store):
    await keep(store, call(1), call(2, "StatusNotification", deviations=("status: enum: x",)), bound=0)
    assert await store.read(lambda connection: list_messages(connection, "CP1", limit=9)) == []
    (found,) = await store.read(list_deviations, "CP1")
    assert found.deviation == "StatusNotification status: enum"


@pytest_twisted.ensureDeferred
async def test_of_each_charge_point_no_more_is_kept_than_the_bound_allows(store):
    log = log_of(store, BOUND)
    for number in range(300):
        log.offer(call(number, payload={"noise": f"{number * 2654435761:x}" * 20}, client_id="busy"))
        if number % 50 == 0:
            log.offer(call(number, client_id="quiet"))
        if number % 3 == 0:
            await log.flush()
    await log.flush()
    assert BOUND / 2 < await bytes_of(store, "busy") <= BOUND * 1.25
    assert await bytes_of(store, "quiet") > 0
    found = await store.read(lambda connection: list_messages(connection, "busy", limit=500))
    assert [item.message_id for item in found] == [f"m{number}" for number in range(299, 299 - len(found), -1)]
    await log.prune()
    assert BOUND / 2 < await bytes_of(store, "busy") <= BOUND
    assert len(await store.read(lambda connection: list_messages(connection, "quiet", limit=500))) == 6


@pytest_twisted.ensureDeferred
async def test_a_smaller_bound_holds_for_those_who_say_nothing_any_more(store):
    for number in range(100):
        await keep(store, call(number, payload={"a": "x" * 1000}))
    await log_of(store, BOUND).prune()
    assert await bytes_of(store, "CP1") <= BOUND
    newest = await store.read(lambda connection: list_messages(connection, "CP1", limit=1))
    assert newest[0].message_id == "m99"


@pytest_twisted.ensureDeferred
async def test_messages_go_with_decisions_in_one_commit(store):
    log = log_of(store)
    log.offer(call(1))
    before = store.commits
    waiting = [store.commit(decisions.connected(f"CP{number}")) for number in range(20)]
    await log.flush()
    for done in waiting:
        await done
    assert store.commits - before < 20
