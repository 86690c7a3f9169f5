"""Lists for operators, on both databases: every row once over all pages, whatever is asked for."""

from __future__ import annotations

import random
from datetime import timedelta
from functools import partial

import pytest
import pytest_twisted
from sqlalchemy import delete

from csms.ledger.decision import Decision
from csms.ledger.state import ConfigurationKey, Reservation
from csms.store import listings
from csms.store.log_slices import OutOfReach, Wanted, log_slice
from csms.store.tables import event_log
from tests.store.decisions import NOW, connected, metered, new_state, started, status, stopped


async def all_pages(store, query, key, limit):
    """Return the rows of all pages."""
    rows, after = [], None
    while True:
        found = await store.browse(query, after, limit)
        assert len(found) <= limit + 1
        rows += found[:limit]
        if len(found) <= limit:
            return rows
        after = key(rows[-1])


async def commit(store, decision):
    await store.commit(decision)
    return decision.state


async def session(store, client_id, first_id, tag="TAG1"):
    """A finished transaction with four readings and a running one with one."""
    state = await commit(store, status(await commit(store, connected(client_id))))
    state = await commit(store, started(state, first_id, tag=tag))
    for minute in range(1, 5):
        state = await commit(store, metered(state, first_id, minutes=minute))
    state = await commit(store, stopped(state, first_id))
    state = await commit(store, started(state, first_id + 1, at="2026-03-01T11:45:00Z", tag="täg2"))
    return await commit(store, metered(state, first_id + 1, wh="1700", minutes=50))


@pytest.mark.parametrize("limit", [1, 2, 50])
@pytest_twisted.ensureDeferred
async def test_charge_points_come_with_connectors_and_what_runs_on_them(store, limit):
    for number in range(3):
        await session(store, f"CP{number}", 10 * number + 1)
    known = connected("Zoë").state
    await store.commit(connected("Zoë"))
    await store.commit(status(known))
    rows = await all_pages(store, listings.charge_points_after, lambda row: row.charge_point.client_id, limit)
    assert sorted(row.charge_point.client_id for row in rows) == ["CP0", "CP1", "CP2", "Zoë"]
    assert [row.running for row in rows if row.charge_point.client_id == "CP1"] == [{1: 12}]
    assert all([connector.connector_id for connector in row.connectors] == [1] for row in rows)
    online = partial(listings.charge_points_after, connected=True)
    assert len(await all_pages(store, online, lambda row: row.charge_point.client_id, limit)) == 4
    assert await store.browse(partial(listings.charge_points_after, connected=False), None, 50) == []
    assert (await store.browse(listings.charge_point, "CP2")).running == {1: 22}
    assert await store.browse(listings.charge_point, "CP9") is None
    assert [await store.browse(listings.is_known, client_id) for client_id in ("CP1", "CP9")] == [True, False]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [12, 11, 2, 1]),
        ({"client_id": "CP1"}, [2, 1]),
        ({"active": True}, [12, 2]),
        ({"active": False}, [11, 1]),
        ({"id_tag": "tag1"}, [11, 1]),
        ({"id_tag": "Täg2", "client_id": "CP2", "active": True}, [12]),
        ({"id_tag": "other"}, []),
        ({"since": NOW - timedelta(minutes=30)}, [12, 2]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_transactions_are_found(store, wanted, found):
    await session(store, "CP1", 1)
    await session(store, "CP2", 11)
    query = partial(listings.transactions_before, **wanted)
    for limit in (1, 50):
        rows = await all_pages(store, query, lambda row: row.transaction_id, limit)
        assert [row.transaction_id for row in rows] == found
    for row in rows:
        # A running one as it stands, not as it began.
        assert row.meter.latest_wh == (1700 if row.status == "active" else 3000)
        assert await store.browse(listings.transaction, row.transaction_id) == row
    assert await store.browse(listings.transaction, 99) is None


@pytest.mark.parametrize("limit", [1, 3, 50])
@pytest_twisted.ensureDeferred
async def test_readings_of_a_transaction_are_its_own(store, limit):
    await session(store, "CP1", 1)
    await session(store, "CP2", 11)

    def query(connection, after, most):
        return listings.readings_after(connection, 11, after, most)

    rows = await all_pages(store, query, lambda row: (row.reading.taken_at, row.reading_id), limit)
    assert [row.reading.taken_at.minute for row in rows] == [1, 2, 3, 4]
    assert {row.reading.client_id for row in rows} == {"CP2"}
    assert await store.browse(listings.readings_after, 99, None, 50) is None


@pytest.mark.parametrize("limit", [1, 50])
@pytest_twisted.ensureDeferred
async def test_reservations_and_configuration_are_listed(store, limit):
    state = await commit(store, connected("CP1"))
    numbers = [("CP1", -5), ("CP1", 7), ("CP2", 7)]
    for client_id, number in numbers:
        made = Reservation(
            client_id=client_id, reservation_id=number, connector_id=1, id_tag="TAG1", expiry_date=NOW,
            status="ACTIVE" if number > 0 else "EXPIRED", created_at=NOW, changed_at=NOW,
        )  # fmt: skip
        await store.commit(Decision(None, state, (made,)))
    rows = await all_pages(store, listings.reservations_after, lambda row: (row.client_id, row.reservation_id), limit)
    assert [(row.client_id, row.reservation_id) for row in rows] == numbers
    for wanted, found in [({"client_id": "CP1"}, 2), ({"status": "ACTIVE"}, 2), ({"reservation_id": -5}, 1)]:
        assert len(await store.browse(partial(listings.reservations_after, **wanted), None, 50)) == found
    for key in ("a", "B"):
        await store.commit(
            Decision(None, state, (ConfigurationKey(client_id="CP1", key=key, readonly=False, seen_at=NOW),))
        )

    def query(connection, after, most):
        return listings.configuration_after(connection, "CP1", after, most)

    assert {row.key for row in await all_pages(store, query, lambda row: row.key, limit)} == {"a", "B"}
    assert await store.browse(listings.configuration_after, "CP9", None, 50) is None
    assert await store.browse(listings.tariff, "night") is None
    assert await store.browse(listings.tariffs_after, None, 50) == []


@pytest_twisted.ensureDeferred
async def test_slices_of_the_log_hold_every_wanted_event_once(store, seed):
    chance = random.Random(seed)
    states = {client_id: new_state(client_id) for client_id in ("CP1", "CP2")}
    events = []
    for _ in range(80):
        client_id = chance.choice(["CP1", "CP2"])
        known = states[client_id].connectors.get(1)
        word = "Available" if known is not None and known.status == "Charging" else "Charging"
        decision = status(states[client_id], word)
        states[client_id] = await commit(store, decision)
        events += decision.events
    await store.commit(connected("CP3"))
    for wanted, count in [
        (Wanted(), 81),
        (Wanted(client_id="CP1"), sum(event.client_id == "CP1" for event in events)),
        (Wanted(frozenset({"connected"})), 1),
        (Wanted(frozenset({"connected", "status_changed"}), "CP2"), sum(event.client_id == "CP2" for event in events)),
    ]:
        found, position = [], 0
        while position < 81:
            slice_ = await store.browse(log_slice, position, chance.randrange(1, 30), wanted)
            assert slice_.position > position
            assert slice_.latest == 81
            position = slice_.position
            found += slice_.events
        positions = [event.position for event in found]
        assert (len(positions), positions) == (count, sorted(set(positions)))
        assert all(map(wanted.fits, found))


@pytest_twisted.ensureDeferred
async def test_a_position_out_of_reach_is_told(store):
    for client_id in ("CP1", "CP2", "CP3"):
        await store.commit(connected(client_id))
    await store.write(lambda connection: connection.execute(delete(event_log).where(event_log.c.position == 1)))
    assert [event.position for event in (await store.browse(log_slice, None, 9, Wanted())).events] == [2, 3]
    for position in (0, 4):
        with pytest.raises(OutOfReach) as told:
            await store.browse(log_slice, position, 9, Wanted())
        assert (told.value.oldest, told.value.latest) == (1, 3)
    await store.write(lambda connection: connection.execute(delete(event_log)))
    assert (await store.browse(log_slice, 3, 9, Wanted())).events == []
    with pytest.raises(OutOfReach):
        await store.browse(log_slice, 2, 9, Wanted())
