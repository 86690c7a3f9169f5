"""The relay over a real store and a fake link: in order, until acknowledged, none lost, none in the way of the others."""

from __future__ import annotations

import json
import time
from itertools import cycle

import pytest
import pytest_twisted
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError
from twisted.internet import reactor
from twisted.internet.task import deferLater

from csms.metrics import Counters
from csms.mqtt import packets
from csms.mqtt.feed import HoldDelivery
from csms.mqtt.relay import CONSUMER, Relay
from csms.store import event_log, tables
from tests.fakes import NOW, WallClock
from tests.mqtt.fakes import FakeLink, Seconds
from tests.store import decisions


async def until(condition):
    """Let the reactor run until something is so."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        await deferLater(reactor, 0.002)


async def happen(store, count, client_id="CP1"):
    """Commit as many events of one charge point."""
    decision = decisions.connected(client_id)
    await store.commit(decision)
    for number in range(count - 1):
        decision = decisions.status(decision.state, "Charging" if number % 2 else "Available")
        await store.commit(decision)


async def logged_events(store, after=0):
    return await store.read(event_log.events_after, after, 1000)


def log(store, *positions, event_type="started"):
    """Write events past the store, as another daemon would."""
    row = {"client_id": "CP1", "event_type": event_type, "timestamp": NOW}
    row |= {"topic": "csms/transactions/CP1/started", "body": b"{}"}
    with store.write_engine.connect() as connection, connection.begin():
        rows = [row | {"position": position, "event_id": f"started_{position}"} for position in positions]
        connection.execute(insert(tables.event_log), rows)


class Bench:
    """A relay with its clock, its counters and a link that stands."""

    def __init__(self, store, window=40):
        self.store = store
        self.monotonic = Seconds()
        self.counters = Counters()
        self.relay = Relay(store, self.monotonic, WallClock(), self.counters)
        self.link = FakeLink(window)
        self.relay.begin(self.link)

    def pump(self, seconds=0.0):
        self.monotonic.advance(seconds)
        while self.relay.pump(self.link) == 0:
            pass

    def reconnect(self):
        self.relay.end()
        self.link = FakeLink(self.link.window)
        self.relay.begin(self.link)

    def acknowledge(self, *messages, reason=0):
        for message in messages:
            assert self.relay.acknowledged([(message.packet_id, reason)]) == []

    async def cursor(self):
        """Return the cursor that is stored once the relay has nothing to store."""

        def is_stored():
            self.pump(0.2)
            return self.relay._moving is None and self.relay._cursor == self.relay._stored_cursor

        await until(is_stored)
        return await self.store.read(event_log.cursor, CONSUMER)


def bodies(messages):
    return [message.payload for message in messages]


@pytest_twisted.ensureDeferred
async def test_events_go_out_in_order_with_qos_1_and_the_bytes_of_the_log(store):
    await happen(store, 5)
    bench = Bench(store)
    bench.pump()
    logged = await logged_events(store)
    assert [(message.topic, message.payload) for message in bench.link.events] == [
        (each.topic, each.body) for each in logged
    ]
    assert len(logged) == 5
    assert {message.qos for message in bench.link.events} == {1}


@pytest_twisted.ensureDeferred
async def test_events_carry_the_attributes_of_cloud_events(store):
    await happen(store, 1)
    bench = Bench(store)
    bench.pump()
    (event,) = await logged_events(store)
    (message,) = bench.link.events
    attributes = Properties(PacketTypes.PUBLISH)
    attributes.unpack(packets.variable_length(len(message.properties)) + message.properties)
    assert dict(attributes.UserProperty) == {
        "specversion": "1.0",
        "id": event.event_id,
        "source": "/csms/chargepoints/CP1",
        "type": "csms.connected",
        "time": "2026-03-01T12:00:00Z",
    }


@pytest_twisted.ensureDeferred
async def test_no_more_than_the_window_is_in_flight(store):
    await happen(store, 7)
    bench = Bench(store, window=3)
    bench.pump()
    assert len(bench.link.events) == 3
    bench.acknowledge(bench.link.events[1])
    bench.pump()
    assert len(bench.link.events) == 4
    bench.acknowledge(*(message for message in bench.link.events if message is not bench.link.events[1]))
    bench.pump()
    assert len(bench.link.events) == 7


@pytest_twisted.ensureDeferred
async def test_the_cursor_is_the_low_water_mark_of_what_was_acknowledged(store):
    await happen(store, 4)
    bench = Bench(store)
    bench.pump()
    first, second, third, fourth = bench.link.events
    bench.acknowledge(third, second)
    assert await bench.cursor() == 0
    bench.acknowledge(first)
    assert await bench.cursor() == 3
    bench.acknowledge(fourth)
    assert await bench.cursor() == 4
    assert bench.counters.total("business_events_published") == 4


@pytest_twisted.ensureDeferred
async def test_a_new_connection_repeats_what_was_not_acknowledged_and_nothing_else(store):
    await happen(store, 5)
    bench = Bench(store)
    bench.pump()
    before = bench.link.events
    bench.acknowledge(before[0], before[2])
    bench.reconnect()
    bench.pump()
    assert bodies(bench.link.events) == bodies([before[1], before[3], before[4]])
    bench.acknowledge(*bench.link.events)
    assert await bench.cursor() == 5


@pytest_twisted.ensureDeferred
async def test_a_relay_of_another_daemon_goes_on_from_the_stored_cursor(store):
    await happen(store, 3)
    first = Bench(store)
    first.pump()
    first.acknowledge(*first.link.events[:2])
    assert await first.cursor() == 2
    first.relay._lease.release()
    second = Bench(store)
    second.pump()
    assert bodies(second.link.events) == bodies(first.link.events[2:])


@pytest.mark.parametrize("reason", [0x87, 0x91, 0x97])
@pytest_twisted.ensureDeferred
async def test_a_refusal_that_passes_holds_delivery_and_loses_nothing(store, reason):
    await happen(store, 2)
    bench = Bench(store)
    bench.pump()
    before = bench.link.events
    bench.acknowledge(before[0], reason=reason)
    with pytest.raises(HoldDelivery):
        bench.pump()
    bench.reconnect()
    assert await bench.cursor() == 0
    bench.pump()
    assert bodies(bench.link.events) == bodies(before)


@pytest_twisted.ensureDeferred
async def test_acknowledgements_come_many_at_once_and_in_any_order(store):
    await happen(store, 6)
    bench = Bench(store)
    bench.pump()
    ids = [message.packet_id for message in bench.link.events]
    (state,) = bench.link.states
    given = [(ids[4], 0), (ids[0], 0), (9999, 0), (state.packet_id, 0x10), (ids[1], 0x10), (9998, 0x80)]
    assert bench.relay.acknowledged(given) == [(9999, 0), (9998, 0x80)]
    assert await bench.cursor() == 2
    assert bench.relay.acknowledged([(ids[5], 0), (ids[3], 0), (ids[4], 0)]) == [(ids[4], 0)]
    assert await bench.cursor() == 2
    assert bench.relay.backlog == 1
    assert bench.relay.acknowledged([(ids[2], 0)]) == []
    assert await bench.cursor() == 6
    assert bench.counters.total("business_events_published") == 6
    assert bench.relay.drained


@pytest_twisted.ensureDeferred
async def test_a_refusal_that_passes_does_not_hide_what_was_acknowledged_with_it(store):
    await happen(store, 5)
    bench = Bench(store)
    bench.pump()
    before = bench.link.events
    first, second, _, fourth, _ = (message.packet_id for message in before)
    bench.relay.acknowledged([(first, 0), (second, 0x97), (fourth, 0)])
    bench.reconnect()
    bench.pump()
    assert bodies(bench.link.events) == bodies([before[1], before[2], before[4]])
    assert await bench.cursor() == 1


@pytest_twisted.ensureDeferred
async def test_what_was_acknowledged_far_ahead_does_not_carry_the_cursor_over_what_was_not_read_yet(store):
    """On a connection with a small window, after one with a large one."""
    log(store, *range(1, 301))
    bench = Bench(store, window=300)
    bench.pump()
    bench.acknowledge(bench.link.events[249])
    bench.reconnect()
    bench.link.window = 1
    bench.pump()
    for published in range(1, 201):
        assert len(bench.link.events) == published
        bench.acknowledge(bench.link.events[-1])
        if published < 200:
            bench.pump()
    assert bench.relay._cursor == 200
    bench.pump()
    bench.acknowledge(bench.link.events[-1])
    assert await bench.cursor() == 201


@pytest_twisted.ensureDeferred
async def test_a_packet_identifier_that_comes_round_before_its_acknowledgement_ends_the_connection(store):
    await happen(store, 3)
    bench = Bench(store)
    bench.link.packet_ids = cycle((1, 2))
    with pytest.raises(HoldDelivery):
        bench.pump()
    bench.reconnect()
    bench.pump()
    assert bodies(bench.link.events) == [each.body for each in await logged_events(store)]


async def rows_set_aside(store):
    return await store.read(lambda connection: connection.execute(select(tables.set_aside)).all())


@pytest.mark.parametrize("reason", [0x80, 0x83, 0x90, 0x99])
@pytest_twisted.ensureDeferred
async def test_an_event_that_the_broker_can_never_take_is_set_aside(store, reason):
    await happen(store, 3)
    bench = Bench(store)
    bench.pump()
    first, second, third = bench.link.events
    bench.acknowledge(first)
    bench.acknowledge(second, reason=reason)
    bench.acknowledge(third)
    assert await bench.cursor() == 3
    ((consumer, position, at, why),) = await rows_set_aside(store)
    assert (consumer, position, at) == (CONSUMER, 2, NOW)
    assert f"0x{reason:02x}" in why
    assert bench.counters.total("business_events_set_aside") == 1
    assert bench.counters.total("business_events_published") == 2


@pytest_twisted.ensureDeferred
async def test_an_event_without_subscribers_is_delivered(store):
    await happen(store, 1)
    bench = Bench(store)
    bench.pump()
    bench.acknowledge(*bench.link.events, reason=0x10)
    assert await bench.cursor() == 1
    assert bench.counters.total("business_events_published") == 1
    assert await rows_set_aside(store) == []


@pytest_twisted.ensureDeferred
async def test_an_event_that_no_link_publishes_is_set_aside_and_the_others_go_on(store):
    await happen(store, 1, "CP1")
    await happen(store, 1, "CP2")
    bench = Bench(store)
    bench.link.poison = {"csms/chargepoints/CP1/connected"}
    bench.pump()
    assert [message.topic for message in bench.link.events] == ["csms/chargepoints/CP2/connected"]
    bench.acknowledge(*bench.link.events)
    assert await bench.cursor() == 2
    assert [(row.position, row.consumer) for row in await rows_set_aside(store)] == [(1, CONSUMER)]
    assert bench.counters.total("business_events_set_aside") == 1


@pytest_twisted.ensureDeferred
async def test_an_event_whose_attributes_no_broker_takes_is_set_aside_and_the_others_go_on(store):
    log(store, 1)
    log(store, 2, event_type="bad\x7f")
    log(store, 3)
    bench = Bench(store)
    bench.pump()
    assert len(bench.link.events) == 2
    bench.acknowledge(*bench.link.events)
    assert await bench.cursor() == 3
    assert [row.position for row in await rows_set_aside(store)] == [2]


@pytest_twisted.ensureDeferred
async def test_one_in_the_middle_that_no_link_publishes_keeps_none_of_the_others_from_going_once_in_order(store):
    for number in range(1, 6):
        await happen(store, 1, f"CP{number}")
    bench = Bench(store)
    bench.link.poison = {"csms/chargepoints/CP3/connected", "csms/state/CP4"}
    bench.pump()
    others = ["CP1", "CP2", "CP4", "CP5"]
    assert [message.topic for message in bench.link.events] == [
        f"csms/chargepoints/{each}/connected" for each in others
    ]
    assert sorted(message.topic for message in bench.link.states) == [
        f"csms/state/{each}" for each in ("CP1", "CP2", "CP3", "CP5")
    ]
    bench.acknowledge(*bench.link.events[:2])
    assert await bench.cursor() == 3
    bench.acknowledge(*bench.link.events[2:])
    assert await bench.cursor() == 5
    assert [row.position for row in await rows_set_aside(store)] == [3]


@pytest_twisted.ensureDeferred
async def test_states_come_after_the_events_one_for_each_charge_point(store):
    await happen(store, 4, "CP1")
    await happen(store, 2, "CP2")
    bench = Bench(store)
    bench.pump()
    assert [message.retain for message in bench.link.published] == [False] * 6 + [True] * 2
    assert sorted(message.topic for message in bench.link.states) == ["csms/state/CP1", "csms/state/CP2"]
    assert {message.qos for message in bench.link.states} == {1}
    state = next(json.loads(message.payload) for message in bench.link.states if message.topic.endswith("CP1"))
    assert state["online"] is True
    assert state["position"] == 6


@pytest_twisted.ensureDeferred
async def test_states_of_many_changes_are_coalesced_and_wait_a_moment(store):
    await happen(store, 1)
    bench = Bench(store)
    bench.pump()
    assert len(bench.link.states) == 1
    await happen(store, 5)
    bench.relay.committed()
    bench.pump(0.3)
    assert len(bench.link.events) == 6
    assert len(bench.link.states) == 1
    bench.pump(0.3)
    assert len(bench.link.states) == 2
    bench.pump(5)
    assert len(bench.link.states) == 2


@pytest_twisted.ensureDeferred
async def test_each_connection_hears_the_states_of_all_charge_points_anew(store):
    await happen(store, 1, "CP1")
    await happen(store, 1, "CP2")
    bench = Bench(store)
    bench.pump()
    bench.acknowledge(*bench.link.published)
    bench.reconnect()
    bench.pump(1)
    assert bench.link.events == []
    assert sorted(message.topic for message in bench.link.states) == ["csms/state/CP1", "csms/state/CP2"]


@pytest_twisted.ensureDeferred
async def test_it_is_drained_when_all_is_acknowledged_and_stored(store):
    await happen(store, 2)
    bench = Bench(store)
    bench.pump()
    assert not bench.relay.drained
    bench.acknowledge(*bench.link.published)
    assert not bench.relay.drained
    await bench.cursor()
    assert bench.relay.drained
    assert bench.relay.backlog == 0


@pytest_twisted.ensureDeferred
async def test_one_relay_at_a_time(store):
    await happen(store, 2)
    first, second = Bench(store), Bench(store)
    first.pump()
    second.pump()
    assert first.relay.is_active
    assert not second.relay.is_active
    assert second.link.published == []
    first.relay._lease.release()
    second.pump(1)
    assert bodies(second.link.events) == bodies(first.link.events)


@pytest_twisted.ensureDeferred
async def test_what_another_writer_commits_is_noticed(store):
    await happen(store, 1)
    bench = Bench(store)
    bench.pump()
    log(store, 2)
    bench.pump(0.1)
    assert len(bench.link.events) == 1
    bench.pump(1)
    assert [message.topic for message in bench.link.events[1:]] == ["csms/transactions/CP1/started"]


@pytest_twisted.ensureDeferred
async def test_new_events_are_published_as_soon_as_they_are_told_of(store):
    bench = Bench(store)
    bench.pump()
    woken = []
    bench.relay.wake = lambda: woken.append(True)
    store.event_listeners.append(bench.relay.committed)
    await happen(store, 1)
    assert woken
    bench.pump()
    assert len(bench.link.events) == 1


@pytest_twisted.ensureDeferred
async def test_a_database_that_is_away_at_the_start_of_a_connection_is_waited_for(store):
    await happen(store, 1)
    bench = Bench(store)
    bench.pump()
    bench.relay.end()
    with store.write_engine.connect() as connection, connection.begin():
        connection.execute(text("ALTER TABLE cursors RENAME TO away"))
    bench.relay.begin(bench.link)
    bench.pump()
    assert len(bench.link.events) == 1
    assert not bench.relay.is_active
    with store.write_engine.connect() as connection, connection.begin():
        connection.execute(text("ALTER TABLE away RENAME TO cursors"))
    bench.pump(1)
    assert len(bench.link.events) == 2


@pytest_twisted.ensureDeferred
async def test_what_is_acknowledged_before_the_log_is_read_again_moves_no_cursor(store):
    """As birth is, on a connection that stands while the database is away."""
    await happen(store, 3)
    bench = Bench(store)
    bench.pump()
    bench.acknowledge(*bench.link.events[1:])
    bench.reconnect()
    assert bench.relay.acknowledged([(1, 0)]) == [(1, 0)]
    bench.pump()
    assert bodies(bench.link.events) == [each.body for each in (await logged_events(store))[:1]]
    assert await bench.cursor() == 0


class LostLease:
    """A lease on a session: once lost it fails until it is given up."""

    def __init__(self):
        self.lost = False

    def acquire(self):
        if self.lost:
            raise OperationalError("SELECT 1", {}, Exception("the session is gone"))
        return True

    def release(self):
        self.lost = False


@pytest_twisted.ensureDeferred
async def test_a_lease_that_was_lost_with_its_session_is_had_anew(store):
    await happen(store, 1)
    bench = Bench(store)
    lease = bench.relay._lease = LostLease()
    bench.pump()
    lease.lost = True
    bench.pump(1)
    assert not bench.relay.is_active
    bench.pump(1)
    assert bench.relay.is_active
