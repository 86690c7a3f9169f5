"""Decisions on charge points that are offline, and what the operator writes, on both databases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
import pytest_twisted
from msgspec.structs import replace

from csms.ledger import chargepoints, configuration, provisioning, reservations
from csms.ledger.configuration import Observed
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context
from csms.ledger.provisioning import Provision
from csms.store import provisioning as operator
from csms.store import queries
from csms.store import queued_commands as queued
from csms.store.configuration import (
    WantedKey,
    delete_wanted,
    known_configuration,
    put_wanted,
    wanted_by,
    wanted_of,
    wanted_with_results,
)
from csms.store.queued_commands import QueuedCommand
from tests.fakes import GATEWAY, NOW, EventIds, state_of

IDS = EventIds()
UNTIL = NOW + timedelta(hours=1)


def _context(now=NOW):
    return Context(now, None, GATEWAY, IDS)


def _reserve(state, number=7, answer="Accepted", expiry_date=UNTIL):
    return reservations.reserve(
        state,
        _context(),
        reservation_id=number,
        connector_id=1,
        id_tag="T",
        parent_id_tag=None,
        expiry_date=expiry_date,
        answer=answer,
    )


def _read(store, client_id="CP1"):
    return store.read(queries.charge_point_state, client_id, "Pending")


async def _connected(store, client_id="CP1", gateway_id=GATEWAY):
    state = await _read(store, client_id)
    context = replace(_context(), gateway_id=gateway_id)
    decision = chargepoints.connect(state, context, version="1.6", remote_address=None)
    await store.commit(decision)
    return decision.state


async def _left(store, state):
    decision = chargepoints.disconnect(state, _context(), reason="gone")
    await store.commit(decision)
    return decision.state


@pytest_twisted.ensureDeferred
async def test_a_decision_from_what_stands_in_the_database(store):
    state = await _left(store, await _connected(store))
    assert await store.decide("CP1", "Accepted", _reserve) is None
    after = await _read(store)
    assert set(after.reservations) == {7}
    assert after.sequence == state.sequence + 1
    assert await store.decide("CP1", "Accepted", lambda found: reservations.expire(found, _context(UNTIL))) == 1
    assert await store.decide("CP1", "Accepted", lambda found: reservations.expire(found, _context(UNTIL))) == 0
    after = await _read(store)
    assert (set(after.reservations), set(after.lapsed)) == (set(), {7})
    assert after.sequence == state.sequence + 2


@pytest_twisted.ensureDeferred
async def test_it_sees_what_was_committed_with_it(store):
    connected = await _connected(store)
    leaving = chargepoints.disconnect(connected, _context(), reason="gone")
    seen = []

    def rule(found):
        seen.append(found)
        return _reserve(found)

    store.commit(leaving)
    await store.decide("CP1", "Accepted", rule)
    assert not seen[0].charge_point.is_online
    assert seen[0].sequence == leaving.state.sequence


@pytest_twisted.ensureDeferred
async def test_a_rule_that_raises_fails_alone(store):
    def rule(_state):
        raise ValueError("no")

    failed = store.decide("CP1", "Accepted", rule)
    kept = store.decide("CP1", "Accepted", _reserve)
    with pytest.raises(ValueError, match="no"):
        await failed
    await kept
    assert set((await _read(store)).reservations) == {7}


@pytest_twisted.ensureDeferred
async def test_a_refused_reservation_takes_no_place(store):
    await store.decide("CP1", "Accepted", _reserve)
    await store.decide("CP1", "Accepted", lambda state: reservations.cancel(state, _context(), reservation_id=7))
    await store.decide("CP1", "Accepted", lambda state: _reserve(state, answer="Occupied"))
    await store.decide("CP1", "Accepted", lambda state: _reserve(state, number=8, answer="Occupied"))

    def statuses(connection):
        rows = connection.exec_driver_sql("SELECT reservation_id, status FROM reservations ORDER BY reservation_id")
        return [tuple(row) for row in rows]

    assert await store.read(statuses) == [(7, "CANCELLED"), (8, "REJECTED")]


@pytest_twisted.ensureDeferred
async def test_reservations_that_are_over(store):
    for client_id, gateway_id in (("HERE", GATEWAY), ("THERE", "gw2"), ("OFFLINE", "gw2")):
        state = await _connected(store, client_id, gateway_id)
        decision = _reserve(state)
        await store.commit(decision)
        if client_id == "OFFLINE":
            await _left(store, decision.state)
    await store.decide("DELETED", "Accepted", _reserve)
    assert await store.read(queries.reservations_over, GATEWAY, NOW) == []
    assert set(await store.read(queries.reservations_over, GATEWAY, UNTIL)) == {"HERE", "OFFLINE", "DELETED"}


@pytest_twisted.ensureDeferred
async def test_what_the_operator_sets_survives_a_late_word_of_a_session(store):
    connected = await _connected(store)
    await store.write(partial(operator.put_tariff, tariff_id="day", tariff=Tariff(energy_rate=Decimal("0.4"))))
    changes = Provision(
        registration="Accepted", tariff_id="day", meter_factor=Decimal("0.1"), group_name="north", validation="off"
    )
    await store.decide("CP1", "Accepted", lambda state: provisioning.provision(state, _context(), changes, None))
    await _left(store, connected)
    state = await _read(store)
    point = state.charge_point
    assert (point.registration, point.tariff_id, point.meter_factor) == ("Accepted", "day", Decimal("0.1"))
    assert (point.group_name, point.validation, point.is_online) == ("north", "off", False)
    assert state.tariff == Tariff(energy_rate=Decimal("0.4"))
    assert await store.write(partial(operator.delete_tariff, tariff_id="day"))
    assert (await _read(store)).tariff is None


@pytest_twisted.ensureDeferred
async def test_an_unknown_one_is_made(store):
    changes = Provision(allow_no_subprotocol=True)
    made = await store.decide("NEW", "Pending", lambda state: provisioning.provision(state, _context(), changes, None))
    state = await _read(store, "NEW")
    assert state.charge_point == made
    assert (made.registration, made.allow_no_subprotocol, state.is_new) == ("Pending", True, False)


@pytest_twisted.ensureDeferred
async def test_a_deleted_one_goes_on_with_its_sequence(store):
    state = await _left(store, await _connected(store))
    await store.write(partial(put_wanted, scope="chargepoint", name="CP1", wanted={"A": "1"}))
    assert await store.write(partial(operator.delete_charge_point, client_id="CP1"))
    assert not await store.write(partial(operator.delete_charge_point, client_id="CP1"))
    after = await _read(store)
    assert (after.is_new, after.sequence, after.charge_point.registration) == (True, state.sequence, "Pending")
    assert await store.read(wanted_of, "CP1") == {}


@pytest_twisted.ensureDeferred
async def test_booted_and_accepted(store):
    state = await _connected(store)
    boot = {"vendor": "a", "model": "b", "serial_number": None, "firmware_version": None}
    await store.commit(chargepoints.boot(state, _context(), **boot))
    assert (await _read(store)).registered is None  # Pending
    changes = Provision(registration="Accepted")
    await store.decide("CP1", "Accepted", lambda state: provisioning.provision(state, _context(), changes, None))
    assert (await _read(store)).registered is None  # it was told Pending
    await store.commit(chargepoints.boot(await _read(store), _context(), **boot))
    assert (await _read(store)).registered == "Accepted"


@pytest_twisted.ensureDeferred
async def test_configuration(store):
    state = state_of()
    keys = [Observed("B", "2", True), Observed("A", None, False)]
    await store.commit(configuration.observe(state, _context(), observed=keys, known={}))
    known = await store.read(known_configuration, "CP1")
    assert [(name, key.key, key.value, key.readonly) for name, key in sorted(known.items())] == [
        ("a", "A", None, False),
        ("b", "B", "2", True),
    ]
    change = {"key": "a", "value": "5", "answer": "Accepted", "known": known["a"]}
    await store.commit(configuration.change(state, _context(), **change))
    assert (await store.read(known_configuration, "CP1"))["a"].value == "5"


@pytest_twisted.ensureDeferred
async def test_wanted(store):
    await store.decide(
        "CP1", "Accepted", lambda state: provisioning.provision(state, _context(), Provision(group_name="g"), None)
    )
    await store.write(partial(put_wanted, scope="group", name="g", wanted={"A": "1", "B": "1"}))
    await store.write(partial(put_wanted, scope="chargepoint", name="CP1", wanted={"b": "2"}))
    assert await store.read(wanted_of, "CP1") == {"A": "1", "b": "2"}
    assert await store.read(wanted_with_results, "CP1") == [WantedKey("A", "1", "g"), WantedKey("b", "2")]
    assert await store.read(wanted_by, "group", "g") == {"A": "1", "B": "1"}
    assert await store.write(partial(delete_wanted, scope="group", name="g"))
    assert await store.read(wanted_of, "CP1") == {"b": "2"}


def _arrived(**statuses):
    outcomes = {key: configuration.Outcome(status, "0") for key, status in statuses.items()}
    return configuration.arrive(state_of(), _context(), wanted=dict.fromkeys(statuses, "1"), outcomes=outcomes)


@pytest_twisted.ensureDeferred
async def test_what_came_of_the_wanted(store):
    async def results():
        found = await store.read(wanted_with_results, "CP1")
        return {item.key: item.result.status if item.result is not None else None for item in found}

    await store.write(partial(put_wanted, scope="chargepoint", name="CP1", wanted={"A": "1", "B": "1", "C": "1"}))
    await store.commit(_arrived(a="Timeout", B="Rejected"))
    await store.commit(_arrived(A="Accepted"))
    assert await results() == {"A": "Accepted", "B": "Rejected", "C": None}
    result = (await store.read(wanted_with_results, "CP1"))[0].result
    assert (result.wanted, result.read_value, result.at) == ("1", "0", _context().now)
    # What is said of another value says nothing of the new one; and the old one's is still true.
    await store.write(partial(put_wanted, scope="chargepoint", name="CP1", wanted={"a": "2"}))
    assert await results() == {"a": None}
    await store.write(partial(put_wanted, scope="chargepoint", name="CP1", wanted={"A": "1"}))
    assert await results() == {"A": "Accepted"}
    await store.write(partial(operator.delete_charge_point, client_id="CP1"))
    await store.write(partial(put_wanted, scope="chargepoint", name="CP1", wanted={"A": "1"}))
    assert await results() == {"A": None}


@pytest_twisted.ensureDeferred
async def test_queued_commands(store):
    commands = [
        QueuedCommand(
            message_id=f"m{number}",
            client_id="CP1",
            action="ClearCache",
            payload=b"{}",
            created_at=NOW - timedelta(seconds=number),
            expires_at=NOW + timedelta(seconds=number),
        )
        for number in range(3)
    ]
    for command in commands:
        await store.write(partial(queued.put_queued, command=command))
    assert await store.read(queued.queued_for, "CP1") == commands[::-1]
    assert await store.read(queued.count_queued, "CP1") == 3
    assert (await _read(store)).has_queued
    assert await store.read(queued.charge_points_with_queued) == ["CP1"]
    assert await store.read(queued.queued_until, NOW) == commands[:1]
    for command in commands:
        assert await store.write(partial(queued.take_queued, message_id=command.message_id))
        assert not await store.write(partial(queued.take_queued, message_id=command.message_id))
    assert not (await _read(store)).has_queued
