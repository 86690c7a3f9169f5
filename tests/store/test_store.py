"""What is committed is there again, exactly; what failed is not there at all."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
import pytest_twisted
from msgspec import UNSET
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import DeferredList
from twisted.internet.threads import deferToThread

from csms.events.business import RunningTransaction
from csms.ledger import chargepoints
from csms.ledger.samples import Sample
from csms.ledger.state import Reading
from csms.store import event_log, listings, queries, tables
from csms.store.errors import StoreError, StoreUnavailable
from tests.store import decisions
from tests.store.decisions import NOW


async def commit(store, decision):
    await store.commit(decision)
    return decision.state


def as_loaded(state, **changes):
    """What only memory knows is not loaded."""
    return replace(state, is_new=False, latest_reading={}, registers={}, **changes)


@pytest_twisted.ensureDeferred
async def test_a_state_is_loaded_exactly_as_it_was_committed(store):
    state = await commit(store, decisions.connected())
    state = await commit(store, decisions.status(state, info="two\nlines 'and' \"quotes\""))
    state = await commit(store, decisions.started(state, 7, tag="#tag"))
    state = await commit(store, decisions.metered(state, 7))
    loaded = await store.read(queries.charge_point_state, "CP1", "Accepted")
    assert loaded == as_loaded(state, readings_known_since=state.latest_reading[1])
    assert loaded.running[7].meter.latest_wh == Decimal("1500.25")
    assert loaded.running[7].meter_start_wh == Decimal("1000.5")


@pytest_twisted.ensureDeferred
async def test_an_ended_transaction_is_found_again_with_its_exact_amounts(store):
    state = await commit(store, decisions.connected())
    state = await commit(store, decisions.started(state, 7))
    state = await commit(store, decisions.stopped(state, 7))
    found = await store.read(queries.transaction, "CP1", 7)
    assert found.status == "completed"
    assert found.energy_wh == Decimal("1999.5")
    assert found.cost == Decimal("0.67")
    assert await store.read(queries.transaction, "CP2", 7) is None
    loaded = await store.read(queries.charge_point_state, "CP1", "Accepted")
    assert loaded.running == {}
    assert loaded.finished == state.finished


@pytest_twisted.ensureDeferred
async def test_a_start_that_comes_again_is_known_by_its_own_time_text(store):
    state = await commit(store, decisions.connected())
    await commit(store, decisions.started(state, 7))
    same, other = decisions.start_request(), decisions.start_request(tag="TAG2")
    assert (await store.read(queries.earlier_start, "CP1", same)).transaction_id == 7
    assert await store.read(queries.earlier_start, "CP1", other) is None
    assert await store.read(queries.earlier_start, "CP2", same) is None
    loaded = await store.read(queries.charge_point_state, "CP1", "Accepted")
    assert loaded.latest_start == same.instant.at


@pytest_twisted.ensureDeferred
async def test_readings_are_known_by_time_and_samples(store):
    state = await commit(store, decisions.connected())
    state = await commit(store, decisions.started(state, 7))
    decision = decisions.metered(state, 7)
    await commit(store, decision)
    (reading,) = [change for change in decision.changes if hasattr(change, "taken_at")]
    known = await store.read(queries.known_readings, "CP1", [reading.taken_at, NOW])
    assert known == {(1, reading.taken_at, reading.samples)}
    assert Sample("1500.25", unit="Wh") == Sample("1500.25", unit="Wh")


@pytest_twisted.ensureDeferred
async def test_events_get_positions_in_the_order_of_commits_without_gaps(store):
    states = {}
    for client_id in ("A", "B"):
        states[client_id] = await commit(store, decisions.connected(client_id))
    await DeferredList([store.commit(decisions.status(states[client_id])) for client_id in ("A", "B")])
    events = await store.read(event_log.events_after, 0, 100)
    assert [event.position for event in events] == [1, 2, 3, 4]
    assert [event.event_type for event in events] == ["connected", "connected", "status_changed", "status_changed"]
    assert b'"sequence":2' in events[2].body
    assert await store.read(event_log.events_after, 3, 100) == events[3:]


@pytest_twisted.ensureDeferred
async def test_a_thousand_decisions_at_once_take_a_few_commits(store):
    before = store.commits
    results = await DeferredList([store.commit(decisions.connected(f"CP{number}")) for number in range(1000)])
    assert all(success for success, _ in results)
    assert store.commits - before < 100
    events = await store.read(event_log.events_after, 0, 2000)
    assert len(events) == 1000
    assert len({event.client_id for event in events}) == 1000


@pytest_twisted.ensureDeferred
async def test_every_reading_of_a_group_is_written_though_its_decision_is_gone_by_then(store):
    state = await commit(store, decisions.connected())
    state = await commit(store, decisions.started(state, 7))
    before = store.commits
    # Each decision is let go when it is handed over, so that the next one takes its place in memory.
    done = [store.commit(decisions.metered(state, 7, minutes=minutes)) for minutes in range(1, 201)]
    assert all(success for success, _ in await DeferredList(done))
    assert store.commits - before < 100
    page = await store.read(listings.readings_after, 7, None, 500)
    assert [row.reading.taken_at.minute + 60 * (row.reading.taken_at.hour - 11) for row in page] == list(range(1, 201))


@pytest_twisted.ensureDeferred
async def test_of_a_group_only_the_guilty_decision_fails(store):
    good = [decisions.connected(f"CP{number}") for number in range(20)]
    poison = decisions.connected("CP\ud800")
    waiting = [store.commit(decision) for decision in (*good[:10], poison, *good[10:])]
    results = await DeferredList(waiting, consumeErrors=True)
    assert [success for success, _ in results] == [True] * 10 + [False] + [True] * 10
    assert not isinstance(results[10][1].value, StoreUnavailable)
    assert store.available
    events = await store.read(event_log.events_after, 0, 100)
    assert {event.client_id for event in events} == {f"CP{number}" for number in range(20)}
    assert [event.position for event in events] == list(range(1, 21))


@pytest_twisted.ensureDeferred
async def test_of_a_statement_with_a_row_that_is_refused_no_other_row_is_lost_or_written_twice(store):
    state = await commit(store, decisions.connected())
    state = await commit(store, decisions.started(state, 7))
    given = [decisions.metered(state, 7, minutes=minutes) for minutes in range(1, 21)]
    nobodys = tuple(
        replace(change, connector_id=None) if isinstance(change, Reading) else change for change in given[10].changes
    )
    given[10] = replace(given[10], changes=nobodys)
    results = await DeferredList([store.commit(decision) for decision in given], consumeErrors=True)
    assert [success for success, _ in results] == [True] * 10 + [False] + [True] * 9
    assert results[10][1].check(IntegrityError)
    page = await store.read(listings.readings_after, 7, None, 500)
    assert [row.reading.taken_at.minute for row in page] == [minutes for minutes in range(1, 21) if minutes != 11]


@pytest_twisted.ensureDeferred
async def test_a_job_of_our_own_that_fails_takes_nobody_with_it(store):
    def broken(_connection):
        raise LookupError("mine")

    first, failing, last = (
        store.commit(decisions.connected("A")),
        store.write(broken),
        store.commit(decisions.connected("B")),
    )
    with pytest.raises(LookupError, match="mine"):
        await failing
    await first
    await last
    assert len(await store.read(event_log.events_after, 0, 100)) == 2


@pytest_twisted.ensureDeferred
async def test_what_was_decided_in_the_turn_in_which_it_is_sealed_is_committed_and_nothing_after_it(make_store):
    store = make_store()
    await store.open()
    committed = store.commit(decisions.connected("CP1"))
    store.seal()
    with pytest.raises(StoreUnavailable):
        store.commit(decisions.connected("CP2"))
    await deferToThread(store.close)
    await committed
    again = make_store()
    await again.open()
    assert [event.client_id for event in await again.read(event_log.events_after, 0, 100)] == ["CP1"]


@pytest_twisted.ensureDeferred
async def test_transaction_ids_are_positive_and_never_given_twice(make_store):
    given = []
    for _ in range(2):
        store = make_store()
        await store.open()
        for _ in range(300):
            number = store.new_transaction_id()
            given.append(number if isinstance(number, int) else await number)
        store.close()
    assert len(set(given)) == 600
    assert min(given) > 0


@pytest_twisted.ensureDeferred
async def test_the_same_gateway_id_cannot_be_used_twice(make_store, database_url):
    first, second = make_store(), make_store()
    await first.open()
    with pytest.raises(StoreError, match="in use by another running daemon"):
        await second.open()
    if database_url.startswith("postgresql"):
        other = make_store(gateway_id="gw2")
        await other.open()
        assert other.available


@pytest_twisted.ensureDeferred
async def test_the_lease_of_the_relay_is_held_once_and_goes_on_to_another(make_store, database_url):
    if database_url.startswith("sqlite"):
        pytest.skip("a SQLite file serves one daemon")
    first, second = make_store(), make_store(gateway_id="gw2")
    await first.open()
    await second.open()
    one, two = first.relay_lease(), second.relay_lease()
    assert one.acquire()
    assert one.acquire()
    assert not two.acquire()
    one.release()
    assert two.acquire()
    two.release()


@pytest_twisted.ensureDeferred
async def test_what_a_daemon_holds_is_known_after_it_died(store):
    state = await commit(store, decisions.connected("CP1"))
    gone = await commit(store, decisions.connected("CP2"))
    await commit(store, chargepoints.disconnect(gone, decisions.context(), reason="test"))
    assert await store.read(queries.held_by, "gw1") == ["CP1"]
    assert await store.read(queries.held_by, "gw2") == []
    now = await store.read(event_log.states_now, ["CP1", "CP2"], NOW)
    assert {item.client_id: item.online for item in now} == {"CP1": True, "CP2": False}
    assert {item.gateway_id for item in now} == {"gw1"}
    assert {item.position for item in now} == {3}
    assert state.charge_point.is_online


@pytest_twisted.ensureDeferred
async def test_what_is_true_now_has_each_connector_in_order_and_what_runs_there(store):
    for client_id in ("CP2", "CP1", "CP3"):
        state = await commit(store, decisions.connected(client_id))
        if client_id == "CP1":
            for connector_id in (2, 1, 0):
                state = await commit(store, decisions.status(state, connector_id=connector_id))
            await commit(store, decisions.started(state, 7))
    now = {each.client_id: each for each in await store.read(event_log.states_now, ["CP3", "CP1"], NOW)}
    assert sorted(now) == ["CP1", "CP3"]
    assert (now["CP3"].connectors, now["CP3"].transactions) == ([], [])
    assert [(each.connector_id, each.status, each.transaction_id) for each in now["CP1"].connectors] == [
        (0, "Charging", UNSET),
        (1, "Charging", 7),
        (2, "Charging", UNSET),
    ]
    start = datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert now["CP1"].transactions == [RunningTransaction(7, 1, "TAG1", start)]


@pytest_twisted.ensureDeferred
async def test_a_late_word_of_a_daemon_that_a_charge_point_has_left_changes_nothing(store):
    old = await commit(store, decisions.connected("CP1"))
    moved = decisions.connected("CP1")
    point = replace(moved.state.charge_point, gateway_id="gw2")
    await store.commit(replace(moved, state=replace(moved.state, charge_point=point, sequence=9), changes=(point,)))
    await store.commit(chargepoints.disconnect(old, decisions.context(), reason="late"))
    loaded = await store.read(queries.charge_point_state, "CP1", "Accepted")
    assert loaded.charge_point == point
    assert loaded.charge_point.is_online
    assert loaded.sequence == 9


@pytest_twisted.ensureDeferred
async def test_a_cursor_is_kept_for_each_consumer(store):
    assert await store.read(event_log.cursor, "mqtt") == 0
    for position in (5, 9):
        await store.write(lambda connection, position=position: event_log.move_cursor(connection, "mqtt", position))
    await store.write(lambda connection: event_log.move_cursor(connection, "http", 2))
    assert await store.read(event_log.cursor, "mqtt") == 9
    assert await store.read(event_log.cursor, "http") == 2


@pytest_twisted.ensureDeferred
async def test_an_event_set_aside_is_kept_with_its_reason(store):
    await store.write(lambda connection: event_log.put_aside(connection, "mqtt", 3, NOW, "no topic"))
    rows = await store.read(lambda connection: connection.execute(select(tables.set_aside)).all())
    assert [tuple(row) for row in rows] == [("mqtt", 3, NOW, "no topic")]
