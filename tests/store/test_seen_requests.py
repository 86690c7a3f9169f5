"""Requests that were taken: one taker gets each, its answer is kept for an hour, or for an hour after a time that it names."""

from __future__ import annotations

from datetime import timedelta

import pytest_twisted
from twisted.internet.defer import gatherResults

from csms.store import seen_requests
from csms.store.seen_requests import Arrears, Claim, Seen
from tests.store.decisions import NOW

HOUR = timedelta(hours=1)
SOON = timedelta(seconds=1)


def claim(store, request_id="r1", now=NOW, face="mqtt", fingerprint="f", **members):
    return store.write(
        lambda connection: seen_requests.claim(connection, face, request_id, fingerprint, now, **members)
    )


def find(store, request_id="r1", now=NOW, face="mqtt"):
    return store.read(seen_requests.find, face, request_id, now)


@pytest_twisted.ensureDeferred
async def test_of_many_takers_one_gets_a_request(store):
    taken = await gatherResults([claim(store, fingerprint=str(number)) for number in range(10)])
    assert [seen for seen in taken if seen is None] == [None]
    assert {seen.fingerprint for seen in taken if seen is not None} == {str(taken.index(None))}


@pytest_twisted.ensureDeferred
async def test_what_became_of_it_is_told_to_who_comes_again(store):
    assert await claim(store, body=b"by gw1") is None
    assert await claim(store, fingerprint="g") == Seen("f", None, b"by gw1")
    body = '{"a":"ü \\u2028"}'.encode()
    await store.write(lambda connection: seen_requests.settle(connection, "mqtt", "r1", 200, body))
    assert await claim(store) == await find(store) == Seen("f", 200, body)
    assert await find(store, "r2") is None


@pytest_twisted.ensureDeferred
async def test_a_face_knows_nothing_of_another(store):
    await claim(store)
    assert await find(store, face="http") is None
    assert await claim(store, face="http") is None


@pytest_twisted.ensureDeferred
async def test_a_request_that_is_released_can_be_taken_again(store):
    await claim(store)
    await store.write(lambda connection: seen_requests.release(connection, "mqtt", "r1"))
    assert await claim(store) is None


@pytest_twisted.ensureDeferred
async def test_after_an_hour_it_is_forgotten(store):
    await claim(store)
    assert await find(store, now=NOW + HOUR - SOON) is not None
    assert await find(store, now=NOW + HOUR + SOON) is None
    assert await claim(store, now=NOW + HOUR - SOON) is not None
    assert await claim(store, now=NOW + HOUR + SOON, fingerprint="g") is None
    assert (await find(store, now=NOW + HOUR + SOON)).fingerprint == "g"


@pytest_twisted.ensureDeferred
async def test_one_that_names_a_time_is_remembered_until_an_hour_after_it(store):
    await claim(store, until=NOW + 3 * HOUR)
    await claim(store, "r2", until=NOW - 3 * HOUR)
    assert await find(store, "r2") is not None
    assert await find(store, "r2", now=NOW + 2 * HOUR) is None
    assert await claim(store, now=NOW + 4 * HOUR - SOON) is not None
    assert await claim(store, now=NOW + 4 * HOUR + SOON) is None


def test_a_claim_is_over_for_its_own_daemon_that_does_not_know_of_it_and_for_others_after_a_time():
    taken = Claim("gw1", NOW)
    assert taken.is_over("gw1", NOW, HOUR)
    assert not taken.is_over("gw2", NOW + HOUR - SOON, HOUR)
    assert taken.is_over("gw2", NOW + HOUR, HOUR)
    assert Seen("f", None, taken.encode()).claim == taken
    assert Seen("f", None, None).claim is None
    assert Seen("f", 200, b"{}").claim is None


def test_what_the_ledger_could_not_take_is_made_up_for_first_and_the_oldest_makes_room():
    done = []
    arrears = Arrears()
    arrears.add("r0", lambda _: done.append("never"))
    for number in range(1, 1001):
        arrears.add(f"r{number}", lambda _: done.append("earlier"))
    arrears.add("r1000", lambda _: done.append("left"))
    for request_id in ("r0", "r1000"):
        arrears.before(request_id, lambda _: done.append("job"))(None)
    arrears.clear("r1000")
    arrears.before("r1000", lambda _: done.append("job"))(None)
    assert done == ["job", "left", "job", "job"]
