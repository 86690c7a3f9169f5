"""What only OCPP 2.x tells, in the store: flat numbers stay over restarts, and transactions are found by the station's ids."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest_twisted
from msgspec.structs import replace

from csms.ledger import chargepoints, clock, connectors, energy, evses
from csms.ledger.decision import Decision, Draft
from csms.ledger.state import EventProgress, EventTrail
from csms.store import event_log, listings, queries
from tests.store import decisions
from tests.store.decisions import NOW


def _placed(state, *pairs):
    draft = Draft(state, decisions.context())
    numbers = [evses.place(draft, *pair) for pair in pairs]
    return draft.decide(numbers)


def _of_station(transaction, station_id):
    return replace(
        transaction, station_transaction_id=station_id, evse_id=2, station_connector_id=1, trail=EventTrail(highest=0)
    )


@pytest_twisted.ensureDeferred
async def test_flat_numbers_stay(make_store):
    store = make_store()
    await store.open()
    placed = _placed(decisions.new_state(), (1, 1), (1, 2), (2, 1))
    await store.commit(placed)
    store.close()
    store = make_store()
    await store.open()
    state = await store.read(queries.charge_point_state, "CP1", "Accepted")
    assert placed.answer == [1, 2, 3]
    assert state.evses == placed.state.evses
    other = await store.read(queries.charge_point_state, "CP2", "Accepted")
    assert other.evses == {}
    draft = Draft(state, decisions.context())
    assert [evses.place(draft, *pair) for pair in ((2, 1), (3, 1))] == [3, 4]


@pytest_twisted.ensureDeferred
async def test_a_transaction_is_found_by_the_stations_id(store):
    began = decisions.started(decisions.new_state(), 1)
    mine = _of_station(began.state.running[1], "4f0c-9")
    await store.commit(replace(began, changes=(mine,)))
    assert await store.read(queries.station_transaction, "CP1", "4f0c-9", ()) == (mine, frozenset())
    assert (await store.read(queries.station_transaction, "CP2", "4f0c-9", ()))[0] is None
    assert (await store.read(queries.station_transaction, "CP1", "4F0C-9", ()))[0] is None


@pytest_twisted.ensureDeferred
async def test_the_latest_of_several_with_the_same_id_is_found(store):
    for number in (1, 2):
        began = decisions.started(decisions.new_state(), number)
        await store.commit(replace(began, changes=(_of_station(began.state.running[number], "1"),)))
    found, _ = await store.read(queries.station_transaction, "CP1", "1", ())
    assert found.transaction_id == 2


@pytest_twisted.ensureDeferred
async def test_an_event_moves_meter_and_trail_on_while_the_transaction_runs(store):
    began = decisions.started(decisions.new_state(), 1)
    mine = _of_station(began.state.running[1], "A")
    await store.commit(replace(began, changes=(mine,)))
    trail = EventTrail(highest=7, latest_at=NOW, missing=((1, 2), (5, 5)), has_begun=True, charging_state="Charging")
    meter = energy.read(mine.meter, Decimal("1500.25"), NOW + timedelta(minutes=5))
    await store.commit(Decision(None, began.state, (EventProgress(1, meter, (), trail),)))
    found, _ = await store.read(queries.station_transaction, "CP1", "A", ())
    assert (found.trail, found.meter) == (trail, meter)
    state = await store.read(queries.charge_point_state, "CP1", "Accepted")
    assert state.running == {1: found}
    ended = replace(found, status="completed", stop_time=NOW, trail=replace(trail, ended=8))
    await store.commit(Decision(None, began.state, (ended,)))
    assert (await store.read(queries.station_transaction, "CP1", "A", ()))[0] == ended


@pytest_twisted.ensureDeferred
async def test_what_is_true_now_has_the_stations_names_but_not_where_it_speaks_1_6(store):
    for version, names in (("2.0.1", {"evseId": 2, "stationConnectorId": 1}), ("1.6", {})):
        state = replace(decisions.new_state(version), evses={})
        connected = chargepoints.connect(state, decisions.context(), version=version, remote_address=None)
        await store.commit(connected)
        placed = _placed(connected.state, (2, 1))
        await store.commit(placed)
        told = connectors.station_status(
            placed.state,
            decisions.context(),
            evse_id=2,
            station_connector_id=1,
            status="Occupied",
            instant=clock.judge(None, NOW),
        )
        await store.commit(told)
        (now,) = await store.read(event_log.states_now, [version], NOW)
        (connector,) = msgspec.to_builtins(now)["connectors"]
        word = {"stationStatus": "Occupied"} if names else {}
        assert connector == {"connectorId": 2, "status": "Preparing", "errorCode": "NoError", **names, **word}
        known = await store.read(listings.charge_point, version)
        assert list(known.evses) == ([2] if names else [])
