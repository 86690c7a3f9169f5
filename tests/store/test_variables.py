"""The device model in the store, on both databases."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest_twisted
from msgspec.structs import replace

from csms.ledger import clock, device_model, monitoring, provisioning, reports
from csms.ledger.device_model import Answered, Reported
from csms.ledger.model import Characteristics
from csms.ledger.monitoring import Monitored
from csms.ledger.provisioning import Provision
from csms.ledger.reports import Part
from csms.ledger.variables import parse
from csms.store import retention
from csms.store import variables as queries
from csms.store.provisioning import delete_charge_point
from tests.store.decisions import NOW, context, new_state

TRAITS = Characteristics(data_type="decimal", unit="W", min_limit=0, max_limit=11000.5, supports_monitoring=True)
NAMES = (
    "EVSE@1.Power",
    "EVSE@2.Power",
    "Connector@1:2.AvailabilityState",
    "DeviceDataCtrlr.ItemsPerMessage[GetReport]",
)


def _part(number=0, *, last=True, kind="variables"):
    return Part(kind, 7, number, last, clock.judge("2026-03-01T11:00:00Z", NOW))


async def _known(store):
    state = new_state()
    await store.commit(provisioning.provision(state, context(), Provision(), None))
    return state


async def _report(store, state, *items, part=None):
    part = part or _part()
    keys = {item.name.key for item in items}
    found = await store.read(queries.part_context, "CP1", part.request_id, keys)
    decision = device_model.report(
        state, context(), part=part, variables=items, before=found.report, known=found.variables
    )
    await store.commit(decision)
    return decision.state


def _items(value="1", attribute="Actual", names=NAMES):
    return [Reported(parse(name), attribute, value, "ReadWrite", True, False, TRAITS) for name in names]


@pytest_twisted.ensureDeferred
async def test_a_report_is_read_as_it_was_written(store):
    state = await _known(store)
    state = await _report(store, state, *_items(), *_items("2", "MaxSet", NAMES[:1]), part=_part(0, last=False))
    before = await store.read(queries.report, "CP1", 7)
    assert (before.received, before.last_part, before.completed_at) == (((0, 0),), None, None)
    await _report(store, state, part=_part(1))
    after = await store.read(queries.report, "CP1", 7)
    assert (after.received, after.last_part, after.completed_at, after.kind) == (((0, 1),), 1, NOW, "variables")
    found = await store.browse(queries.variables_after, "CP1", None, 50)
    assert sorted(map(len, found)) == [1, 1, 1, 2]
    rows = {(row.component, row.evse_id, row.attribute): row for attributes in found for row in attributes}
    row = rows["EVSE", 1, "Actual"]
    assert (row.value, row.mutability, row.persistent, row.constant) == ("1", "ReadWrite", True, False)
    assert (row.characteristics, row.seen_at, row.variable_instance) == (TRAITS, NOW, None)
    assert rows["EVSE", 1, "MaxSet"].value == "2"
    assert rows["DeviceDataCtrlr", None, "Actual"].variable_instance == "GetReport"


@pytest_twisted.ensureDeferred
async def test_a_value_that_comes_alone_leaves_what_a_report_told(store):
    state = await _report(store, await _known(store), *_items())
    known = await store.read(queries.known_variables, "CP1")
    assert known.count == len(NAMES)
    answers = [Answered(parse("evse@1.power"), "Actual", "Accepted", "5")]
    await store.commit(device_model.got(state, context(), answers=answers, known=known))
    known = await store.read(queries.known_variables, "CP1", [parse("EVSE@1.Power").key])
    assert (known.count, len(known.values)) == (len(NAMES), 1)
    (value,) = known.values.values()
    assert (value.value, value.mutability, value.characteristics) == ("5", "ReadWrite", TRAITS)


async def _names(store, after=None, limit=50, **wanted):
    def query(connection):
        return queries.variables_after(connection, "CP1", after, limit, **wanted)

    return [attributes[0].variable_key for attributes in await store.browse(query)]


@pytest_twisted.ensureDeferred
async def test_pages_and_filters(store):
    await _report(store, await _known(store), *_items(), *_items("2", "MaxSet"))
    everything = await _names(store)
    assert len(everything) == len(NAMES)
    paged, after = [], None
    while page := await _names(store, after, 1):
        paged.append(page[0])
        after = page[0]
    assert paged == everything
    assert len(await _names(store, component="evse")) == 2
    assert await _names(store, component="EVSE", evse_id=2) == [parse("EVSE@2.Power").key]
    assert len(await _names(store, variable="itemspermessage")) == 1
    assert await store.browse(queries.variables_after, "CP2", None, 5) is None


@pytest_twisted.ensureDeferred
async def test_monitors(store):
    state = await _known(store)
    monitors = [
        Monitored(number, parse("EVSE@1.Power"), "Delta", Decimal("0.1"), 4, notification_type="CustomMonitor")
        for number in (3, 1, 2)
    ]
    await store.commit(monitoring.monitors_set(state, context(), monitors=monitors, known={}))
    known = await store.read(queries.known_monitors, "CP1")
    await store.commit(monitoring.monitors_cleared(state, context(), ids=[2], known=known))
    found = await store.browse(queries.monitors_after, "CP1", None, 50)
    assert [monitor.monitor_id for monitor in found] == [1, 3]
    assert found[0].value == Decimal("0.1")
    assert [row.monitor_id for row in await store.browse(queries.monitors_after, "CP1", 1, 50)] == [3]
    assert await store.browse(queries.monitors_after, "CP2", None, 50) is None
    context_of_events = await store.read(queries.event_context, "CP1", {"evse@1/power"}, {3, 9})
    assert list(context_of_events.monitors) == [3]
    await store.write(lambda connection: retention.prune_reports(connection, NOW + timedelta(seconds=1)))
    assert sorted(await store.read(queries.known_monitors, "CP1")) == [1, 3]


@pytest_twisted.ensureDeferred
async def test_reports_are_pruned_by_their_age_and_go_with_their_charge_point(store):
    state = await _known(store)
    for number in (1, 2):
        decision = reports.requested(
            state, context(), kind="variables", action="GetReport", request_id=number, request={}, status="Accepted"
        )
        (row,) = decision.changes
        old = replace(row, begun_at=NOW - timedelta(days=number))
        await store.commit(replace(decision, changes=(old,)))
    await store.write(lambda connection: retention.prune_reports(connection, NOW - timedelta(hours=36)))
    assert await store.read(queries.report, "CP1", 2) is None
    assert (await store.read(queries.report, "CP1", 1)).request == b"{}"
    await _report(store, state, *_items())
    await store.write(lambda connection: delete_charge_point(connection, "CP1"))
    assert await store.read(queries.report, "CP1", 1) is None
    assert (await store.read(queries.known_variables, "CP1")).count == 0
