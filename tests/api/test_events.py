"""The event log over HTTP: pages, and streams that go on live."""

from __future__ import annotations

import random
import time

import pytest
from pytest_twisted import ensureDeferred
from sqlalchemy import delete
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from csms.api import event_feed, event_stream
from csms.store import retention
from csms.store.tables import event_log
from tests.api.client import follow
from tests.fakes import NOW
from tests.store.decisions import connected, metered, new_state, started, status

EVENTS = "/api/v1/events"


class Happenings:
    """Things that happen to charge points, one after the other."""

    def __init__(self, store, *client_ids):
        self._store = store
        self._states = {client_id: new_state(client_id) for client_id in client_ids or ("CP1",)}
        self.count = 0

    async def happen(self, client_id="CP1"):
        """One more event."""
        self.count += 1
        state = self._states[client_id]
        known = state.connectors.get(1)
        decision = status(state, "Available" if known is not None and known.status == "Charging" else "Charging")
        self._states[client_id] = decision.state
        await self._store.commit(decision)


async def until(condition):
    """Let the reactor go on until a condition holds."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        done = Deferred()
        reactor.callLater(0.002, done.callback, None)
        await done


@ensureDeferred
async def test_the_log_is_given_from_any_position(desk):
    happenings = Happenings(desk.store)
    for _ in range(5):
        await happenings.happen()
    page = (await desk.http.get(EVENTS + "?limit=2")).json
    assert [item["position"] for item in page["items"]] == [1, 2]
    assert page["items"][0]["topic"] == "csms/connectors/CP1/status_changed"
    assert page["items"][0]["event"]["payload"]["status"] == "Charging"
    assert (page["next"], page["position"]) == ("2", 2)
    page = (await desk.http.get(EVENTS + f"?limit=2&cursor={page['next']}")).json
    assert [item["position"] for item in page["items"]] == [3, 4]
    page = (await desk.http.get(EVENTS + "?after=4")).json
    assert [item["position"] for item in page["items"]] == [5]
    assert "next" not in page
    assert (await desk.http.get(EVENTS + "?after=5")).json == {"items": [], "position": 5}


@ensureDeferred
async def test_events_are_chosen_by_type_and_charge_point(desk):
    happenings = Happenings(desk.store, "CP1", "CP2")
    await desk.store.commit(connected("CP3"))
    await happenings.happen("CP1")
    await happenings.happen("CP2")

    async def positions(query):
        return [item["position"] for item in (await desk.http.get(f"{EVENTS}?{query}")).json["items"]]

    assert await positions("clientId=CP2") == [3]
    assert await positions("type=connected") == [1]
    assert await positions("type=connected&type=status_changed") == [1, 2, 3]
    assert await positions("type=connected&clientId=CP2") == []


@ensureDeferred
async def test_a_position_that_the_log_does_not_reach_is_gone(desk):
    happenings = Happenings(desk.store)
    for _ in range(5):
        await happenings.happen()
    await desk.store.write(lambda connection: connection.execute(delete(event_log).where(event_log.c.position <= 3)))
    reply = await desk.http.get(EVENTS + "?after=2")
    assert (reply.status, reply.is_problem) == (410, True)
    assert (reply.json["oldest"], reply.json["latest"]) == (3, 5)
    assert [item["position"] for item in (await desk.http.get(EVENTS + "?after=3")).json["items"]] == [4, 5]
    assert [item["position"] for item in (await desk.http.get(EVENTS)).json["items"]] == [4, 5]
    # A log that was restored from a backup has not come so far yet.
    assert (await desk.http.get(EVENTS + "?after=6")).status == 410
    await desk.store.write(lambda connection: retention.prune_events(connection, NOW.replace(year=2100)))
    assert (await desk.http.get(EVENTS + "?after=4")).status == 410
    assert (await desk.http.get(EVENTS)).json == {"items": [], "position": 5}


@ensureDeferred
async def test_a_stream_goes_on_live(desk):
    happenings = Happenings(desk.store)
    await happenings.happen()
    live = await follow(desk.port)
    replay = await follow(desk.port, EVENTS + "?after=0")
    await until(lambda: replay.positions == [1] and live.head is not None)
    await until(lambda: live.last_id is not None)
    assert (live.status, live.positions, live.last_id) == (200, [], 1), "it knows its place before the first event"
    assert "text/event-stream" in live.head
    for _ in range(3):
        await happenings.happen()
    await until(lambda: replay.positions == [1, 2, 3, 4] and live.positions == [2, 3, 4])
    assert live.items == (await desk.http.get(EVENTS + "?after=1")).json["items"]
    live.transport.loseConnection()
    replay.transport.loseConnection()
    await until(lambda: not len(desk.feed))


@ensureDeferred
async def test_a_stream_of_few_events_keeps_its_place(desk):
    happenings = Happenings(desk.store)
    stream = await follow(desk.port, EVENTS + "?type=connected&after=0")
    for _ in range(3):
        await happenings.happen()
    await desk.store.commit(connected("CP2"))
    await until(lambda: stream.positions == [4])
    for _ in range(3):
        await happenings.happen()
    await until(lambda: desk.store.tail.latest == 7)
    # The first look finds that there was something to say since the last one, the second that there was not.
    desk.clock.advance(event_feed.KEEPALIVE_S)
    desk.clock.advance(event_feed.KEEPALIVE_S)
    await until(lambda: stream.comments)
    assert (stream.last_id, stream.positions) == (7, [4])


@ensureDeferred
async def test_last_event_id_goes_before_after(desk):
    happenings = Happenings(desk.store)
    for _ in range(3):
        await happenings.happen()
    stream = await follow(desk.port, EVENTS + "?after=0", last_id=2)
    await until(lambda: stream.positions == [3])
    for last_id in ("x", "-1", "1" * 19, "²"):
        reply = await desk.http.get(EVENTS, Accept="text/event-stream", Last_Event_ID=last_id)
        assert (reply.status, reply.is_problem) == (400, True)
    reply = await desk.http.get(EVENTS, Accept="text/event-stream", Last_Event_ID="9")
    assert (reply.status, reply.json["latest"]) == (410, 3)
    assert len(desk.feed) == 1


@ensureDeferred
async def test_the_number_of_streams_is_bounded(desk):
    streams = [await follow(desk.port) for _ in range(8)]
    await until(lambda: all(stream.head for stream in streams))
    reply = await desk.http.get(EVENTS, Accept="text/event-stream")
    assert (reply.status, reply.is_problem, reply.headers["retry-after"]) == (503, True, "5")
    streams[0].transport.abortConnection()
    await until(lambda: len(desk.feed) == 7)
    assert (await follow(desk.port)) is not None


@ensureDeferred
async def test_streams_end_with_the_daemon(desk):
    stream = await follow(desk.port)
    await until(lambda: stream.head is not None)
    desk.feed.close()
    await stream.lost
    assert len(desk.feed) == 0


@ensureDeferred
async def test_a_client_that_does_not_read_is_paused_and_then_cut(desk):
    state = connected("CP1").state
    first = started(state, 1)
    await desk.store.commit(first)
    state = first.state
    stalled = await follow(desk.port, EVENTS + "?after=0")
    reading = await follow(desk.port, EVENTS + "?after=0")
    await until(lambda: stalled.head is not None)
    stalled.transport.pauseProducing()
    # More than the kernel's buffers hold.
    count, before = 1, None
    while True:
        for _ in range(400):
            decision = metered(state, 1, wh=str(1000 + count), minutes=count)
            state = decision.state
            count += 1
            done = desk.store.commit(decision)
        await done
        await until(lambda: reading.positions[-1:] == [count])  # noqa: B023
        (slow,) = [stream for stream in desk.feed._streams if stream._paused] or [None]
        if slow is not None and slow._position == before:
            break
        before = slow._position if slow is not None else None
        assert count < 50_000
    held = len(slow._waiting)
    for _ in range(3):
        await Happenings(desk.store).happen("CP1")
    assert len(slow._waiting) == held <= event_feed._BATCH
    assert len(desk.feed) == 2
    desk.clock.advance(event_stream.STALLED_S)
    await until(lambda: len(desk.feed) == 1)
    stalled.transport.resumeProducing()
    await stalled.lost
    # It comes back where it was.
    again = await follow(desk.port, last_id=stalled.last_id)
    await until(lambda: again.positions[-1:] == [count + 3])
    assert stalled.positions + again.positions == list(range(1, count + 4))


@pytest.mark.parametrize("_again", range(2))
@ensureDeferred
async def test_nothing_is_missed_and_nothing_comes_twice_over_reconnects(desk, seed, _again):
    chance = random.Random(seed)
    happenings = Happenings(desk.store, "CP1", "CP2", "CP3")
    wanted = 600

    async def load():
        while happenings.count < wanted:
            for _ in range(chance.randrange(1, 30)):
                done = happenings.happen(chance.choice(["CP1", "CP2", "CP3"]))
                pending = Deferred.fromCoroutine(done)
            await pending
            if chance.random() < 0.3:
                await until(lambda: True)

    async def client(number, query, fits):
        taken, last_id, connections = [], 0, 0
        while last_id < total[0]:
            connections += 1
            left = chance.randrange(1, 40)
            blocks = [0]

            def took():
                blocks[0] += 1  # noqa: B023
                if blocks[0] >= left:  # noqa: B023
                    source.transport.abortConnection()  # noqa: B023

            source = await follow(desk.port, f"{EVENTS}?after=0{query}", last_id=last_id or None, on_block=took)
            if chance.random() < 0.2:
                reactor.callLater(chance.random() * 0.01, source.transport.abortConnection)
            await until(lambda: source.lost.called or (source.last_id or 0) >= total[0])  # noqa: B023
            source.transport.abortConnection()
            await source.lost
            assert source.head is None or source.status == 200
            taken += source.items
            last_id = source.last_id or last_id
        return number, connections, [item["position"] for item in taken], fits

    total = [wanted]
    loading = Deferred.fromCoroutine(load())
    clients = [Deferred.fromCoroutine(client(n, "", lambda item: True)) for n in range(4)]
    for running in clients:
        number, connections, positions, _ = await running
        assert connections > 3, number
        assert positions == list(range(1, positions[-1] + 1)), f"client {number} after {connections} connections"
        assert positions[-1] >= wanted
    await loading
