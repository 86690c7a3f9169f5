"""The device model: variables, monitors and reports."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pytest_twisted import ensureDeferred

from csms.ledger import clock, device_model, monitoring, reports
from csms.ledger.device_model import Known, Reported
from csms.ledger.model import Characteristics
from csms.ledger.monitoring import Monitored
from csms.ledger.reports import Part
from csms.ledger.variables import parse
from tests.api.test_resources import V1, commit, pages
from tests.fakes import NOW
from tests.store.decisions import connected, context

NAMES = (
    "EVSE@1.Power",
    "EVSE@2.Power",
    "Connector@1:2.AvailabilityState",
    "DeviceDataCtrlr.ItemsPerMessage[GetReport]",
)
TRAITS = Characteristics(data_type="decimal", unit="W", max_limit=11000.0, supports_monitoring=False)


async def report_model(desk):
    """Let a charge point report its variables, and take a monitor; one part of the report is missing."""
    state = await commit(desk, connected())
    asked = {"requestId": 7, "reportBase": "FullInventory"}
    state = await commit(
        desk,
        reports.requested(
            state,
            context(),
            kind="variables",
            action="GetBaseReport",
            request_id=7,
            request=asked,
            status="Accepted",
        ),
    )
    items = [Reported(parse(name), "Actual", "5", "ReadOnly", False, True, TRAITS) for name in NAMES]
    items.append(Reported(parse(NAMES[0]), "MaxSet", "9", "ReadWrite"))
    items.append(Reported(parse("SecurityCtrlr.BasicAuthPassword"), "Actual", "geheim", "WriteOnly"))
    part = Part("variables", 7, 1, True, clock.judge("2026-03-01T11:00:00Z", NOW))
    state = await commit(
        desk,
        device_model.report(state, context(), part=part, variables=items, before=state.reports[7], known=Known()),
    )
    monitors = [
        Monitored(n, parse(NAMES[n]), "Delta", Decimal("0.5"), 4, notification_type="CustomMonitor") for n in (0, 1)
    ]
    return await commit(desk, monitoring.monitors_set(state, context(), monitors=monitors, known={}))


@ensureDeferred
async def test_variables_are_shown_as_last_known(desk):
    await report_model(desk)
    items, count = await pages(desk, "/chargepoints/CP1/variables", 2)
    assert (len(items), count) == (5, 3)
    found = {item["key"]: item for item in items}
    assert found["EVSE@1.Power"] == {
        "key": "EVSE@1.Power",
        "component": "EVSE",
        "evseId": 1,
        "variable": "Power",
        "attributes": [
            {
                "type": "Actual",
                "value": "5",
                "mutability": "ReadOnly",
                "persistent": False,
                "constant": True,
                "seenAt": "2026-03-01T12:00:00Z",
            },
            {"type": "MaxSet", "value": "9", "mutability": "ReadWrite", "seenAt": "2026-03-01T12:00:00Z"},
        ],
        "characteristics": {"dataType": "decimal", "unit": "W", "maxLimit": 11000.0, "supportsMonitoring": False},
    }
    assert found["Connector@1:2.AvailabilityState"]["stationConnectorId"] == 2
    assert found["DeviceDataCtrlr.ItemsPerMessage[GetReport]"]["variableInstance"] == "GetReport"
    (password,) = found["SecurityCtrlr.BasicAuthPassword"]["attributes"]
    assert "value" not in password


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ("component=evse", ["EVSE@1.Power", "EVSE@2.Power"]),
        ("component=EVSE&evseId=2", ["EVSE@2.Power"]),
        ("variable=AvailabilityState", ["Connector@1:2.AvailabilityState"]),
        ("evseId=1&variable=Power", ["EVSE@1.Power"]),
        ("component=Nothing", []),
    ],
)
@ensureDeferred
async def test_variables_are_filtered(desk, query, keys):
    await report_model(desk)
    items, _ = await pages(desk, f"/chargepoints/CP1/variables?{query}", 50)
    assert sorted(item["key"] for item in items) == keys


@ensureDeferred
async def test_monitors_are_shown(desk):
    await report_model(desk)
    items, count = await pages(desk, "/chargepoints/CP1/monitors", 1)
    assert ([item["monitorId"] for item in items], count) == ([0, 1], 2)
    assert items[0] == {
        "monitorId": 0,
        "key": "EVSE@1.Power",
        "component": "EVSE",
        "evseId": 1,
        "variable": "Power",
        "type": "Delta",
        "value": 0.5,
        "severity": 4,
        "transaction": False,
        "notificationType": "CustomMonitor",
        "seenAt": "2026-03-01T12:00:00Z",
    }
    items, _ = await pages(desk, "/chargepoints/CP1/monitors?evseId=2", 50)
    assert [item["monitorId"] for item in items] == [1]


@ensureDeferred
async def test_a_report_says_whether_it_is_complete(desk):
    state = await report_model(desk)
    shown = {
        "requestId": 7,
        "report": "variables",
        "complete": False,
        "parts": 1,
        "begunAt": "2026-03-01T12:00:00Z",
        "action": "GetBaseReport",
        "request": {"requestId": 7, "reportBase": "FullInventory"},
        "status": "Accepted",
        "generatedAt": "2026-03-01T11:00:00Z",
    }
    assert (await desk.http.get(f"{V1}/chargepoints/CP1/reports/7")).json == shown
    part = Part("variables", 7, 0, False, clock.judge("2026-03-01T11:00:00Z", NOW))
    await commit(
        desk,
        device_model.report(state, context(), part=part, variables=[], before=state.reports[7], known=Known()),
    )
    reply = await desk.http.get(f"{V1}/chargepoints/CP1/reports/7")
    assert reply.json == {**shown, "complete": True, "parts": 2, "completedAt": "2026-03-01T12:00:00Z"}


@pytest.mark.parametrize("what", ["variables", "monitors", "reports/7", "reports/x", "reports/99999999999999999999"])
@ensureDeferred
async def test_of_what_is_not_known_there_is_nothing(desk, what):
    assert (await desk.http.get(f"{V1}/chargepoints/CP1/{what}")).status == 404


@pytest.mark.parametrize(
    "query",
    ["variables?evseId=0", "variables?component=", "variables?cursor=!", "monitors?cursor=IngI", "monitors?x=1"],
)
@ensureDeferred
async def test_what_cannot_be_asked(desk, query):
    assert (await desk.http.get(f"{V1}/chargepoints/CP1/{query}")).status == 400
