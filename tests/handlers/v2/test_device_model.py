"""The messages and commands of the device model, in both versions of the 2.x family."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.ledger.model import Report
from csms.ledger.state import Record
from csms.ocppj.versions import V21, V201
from tests.handlers.v2.model_station import SCHEMAS, VERSIONS, ModelStation

AT = "2026-03-01T11:00:00Z"
POWER = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}
INTERVAL = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
PASSWORD = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
POWER_KEY, INTERVAL_KEY = "evse@1/power", "ocppcommctrlr/heartbeatinterval"
BASE_REPORT = {"requestId": 7, "reportBase": "FullInventory"}


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def station(request):
    return ModelStation(request.param)


def _report(*variables, part=0, tbc=False, request_id=7):
    data = [{**name, "variableAttribute": list(attributes)} for name, *attributes in variables]
    return {"requestId": request_id, "generatedAt": AT, "seqNo": part, "tbc": tbc, "reportData": data}


def _set(station, name, value, status="Accepted"):
    station.learn(
        "SetVariables",
        {"setVariableData": [{**name, "attributeValue": value}]},
        {"setVariableResult": [{**name, "attributeStatus": status}]},
    )


def _get(station, name, value, status="Accepted"):
    station.learn(
        "GetVariables",
        {"getVariableData": [name]},
        {"getVariableResult": [{**name, "attributeStatus": status, "attributeValue": value}]},
    )


# Reports.


def test_a_report_in_parts(station):
    station.learn("GetBaseReport", BASE_REPORT, {"status": "Accepted"})
    characteristics = {"dataType": "decimal", "supportsMonitoring": True, "unit": "W", "maxLimit": 11000}
    second = _report((INTERVAL, {"value": "300"}, {"type": "Target", "value": "60"}), part=1)
    first = _report((POWER, {"value": "0", "mutability": "ReadOnly"}), tbc=True)
    first["reportData"][0]["variableCharacteristics"] = characteristics
    assert station.ask("NotifyReport", second) == {}
    assert station.told("report_completed") == []
    station.ask("NotifyReport", first)
    assert station.values == {
        (POWER_KEY, "Actual"): "0",
        (INTERVAL_KEY, "Actual"): "300",
        (INTERVAL_KEY, "Target"): "60",
    }
    (told,) = station.told("report_completed")
    assert (told["requestId"], told["action"], told["parts"]) == (7, "GetBaseReport", 2)
    commits = len(station.ledger.committed)
    station.ask("NotifyReport", first)
    assert len(station.ledger.committed) == commits + 1
    assert station.ledger.committed[-1].changes == ()


def test_a_report_goes_on_on_another_connection(station):
    station.learn("GetBaseReport", BASE_REPORT, {"status": "Accepted"})
    station.ask("NotifyReport", _report((POWER, {"value": "0"}), tbc=True))
    fresh = ModelStation(station.version, ledger=station.ledger)
    fresh.ask("NotifyReport", _report((INTERVAL, {"value": "300"}), part=1))
    assert fresh.told("report_completed")[0]["action"] == "GetBaseReport"


def test_a_report_without_data(station):
    station.ask("NotifyReport", {"requestId": 1, "generatedAt": AT, "seqNo": 0})
    assert station.told("report_completed")[0]["parts"] == 1


def test_get_report_with_nothing_to_tell(station):
    asked = {"requestId": 3, "componentCriteria": ["Problem"]}
    station.learn("GetReport", asked, {"status": "EmptyResultSet"})
    assert station.told("report_completed")[0]["status"] == "EmptyResultSet"
    assert station.changes(Report)[-1].completed_at is not None


def test_what_a_message_is_not_sure_of_is_passed_over():
    station = ModelStation(V201)
    data = [
        {"component": {"name": 5}, "variable": {"name": "A"}, "variableAttribute": [{"value": "1"}]},
        {**POWER, "variableAttribute": [{"value": 5}, {"type": "Wanted", "value": "1"}]},
    ]
    station.ask("NotifyReport", {"requestId": 1, "generatedAt": "yesterday", "seqNo": 0, "reportData": data}, "off")
    assert station.values == {(POWER_KEY, "Actual"): "5"}
    assert any("yesterday" in deviation for deviation in station.deviations)


# Values.


def test_values_are_learnt_and_told_where_they_changed(station):
    _get(station, INTERVAL, "300")
    _set(station, INTERVAL, "60", "RebootRequired")
    _get(station, INTERVAL, "60")
    _get(station, INTERVAL, "90")
    assert [
        (e["key"], e["value"], e["previousValue"], e.get("status")) for e in station.told("configuration_changed")
    ] == [
        ("OCPPCommCtrlr.HeartbeatInterval", "60", "300", "RebootRequired"),
        ("OCPPCommCtrlr.HeartbeatInterval", "90", "60", None),
    ]


@pytest.mark.parametrize("status", ["Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"])
def test_refusals_are_no_values(station, status):
    _set(station, INTERVAL, "60", status)
    _get(station, INTERVAL, "60", status)
    assert (station.values, station.events) == ({}, [])


def test_secrets_are_never_kept(station):
    _set(station, PASSWORD, "geheim-geheim-geheim")
    _get(station, PASSWORD, "geheim-geheim-geheim")
    station.ask("NotifyReport", _report((PASSWORD, {"value": "geheim-geheim-geheim"})))
    happened = {"eventId": 1, "timestamp": AT, "trigger": "Alerting", "eventNotificationType": "CustomMonitor"}
    event = {**happened, **PASSWORD, "actualValue": "geheim-geheim-geheim"}
    if station.version is V21:
        event["severity"] = 1
    station.ask("NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": [event]}, "tolerant")
    assert "geheim" not in repr((station.ledger.committed, station.events, station.values))


def test_an_answer_about_what_was_not_asked_is_no_value(station):
    station.learn_anything(
        "SetVariables",
        {"setVariableData": [{**INTERVAL, "attributeValue": "60"}]},
        {"setVariableResult": [{**POWER, "attributeStatus": "Accepted"}]},
    )
    assert station.values == {}


# Monitors.


def _monitoring(station, *ids, name=POWER):
    data = {"value": 50, "type": "UpperThreshold", "severity": 4}
    asked = [{**name, **data, "severity": severity} for severity, _ in enumerate(ids)]
    answers = [
        {**name, "type": data["type"], "severity": severity, "status": "Accepted", "id": number}
        for severity, number in enumerate(ids)
    ]
    station.learn("SetVariableMonitoring", {"setMonitoringData": asked}, {"setMonitoringResult": answers})


def test_monitors_are_set_and_cleared(station):
    _monitoring(station, 3, 5)
    assert station.monitors == [3, 5]
    station.learn(
        "ClearVariableMonitoring",
        {"id": [3, 5, 9]},
        {
            "clearMonitoringResult": [
                {"id": 3, "status": "Accepted"},
                {"id": 5, "status": "Rejected"},
                {"id": 9, "status": "NotFound"},
            ]
        },
    )
    assert station.monitors == [5]


def test_a_refused_monitor_is_none(station):
    data = {**POWER, "type": "Delta", "severity": 4}
    for status in ("Rejected", "Duplicate", "UnknownVariable"):
        station.learn(
            "SetVariableMonitoring",
            {"setMonitoringData": [{**data, "value": 1.5}]},
            {"setMonitoringResult": [{**data, "status": status}]},
        )
    assert station.monitors == []


def test_a_monitoring_report(station):
    _monitoring(station, 3)
    station.learn("GetMonitoringReport", {"requestId": 8}, {"status": "Accepted"})
    monitor = {"id": 4, "transaction": False, "value": 0.5, "type": "Delta", "severity": 4}
    if station.version is V21:
        monitor["eventNotificationType"] = "HardWiredMonitor"
    report = {"requestId": 8, "seqNo": 0, "generatedAt": AT, "monitor": [{**POWER, "variableMonitoring": [monitor]}]}
    assert station.ask("NotifyMonitoringReport", report) == {}
    assert station.monitors == [4]
    assert station.told("report_completed")[0]["report"] == "monitors"


@pytest.mark.parametrize(("status", "left"), [("Accepted", []), ("Rejected", [3])])
def test_a_monitoring_base(station, status, left):
    _monitoring(station, 3)
    station.learn("SetMonitoringBase", {"monitoringBase": "HardWiredOnly"}, {"status": status})
    assert station.monitors == left


# Events.


def _event(station, name=POWER, **members):
    event = {
        "eventId": 9,
        "timestamp": AT,
        "trigger": "Alerting",
        "actualValue": "55",
        "eventNotificationType": "CustomMonitor",
        **name,
        **members,
    }
    station.ask("NotifyEvent", {"generatedAt": AT, "seqNo": 0, "eventData": [event]})


def test_an_event_is_told_with_the_severity_of_its_monitor(station):
    _monitoring(station, 3)
    _event(station, variableMonitoringId=3, transactionId="tx", techInfo="hot", cleared=True)
    (told,) = station.told("variable_event")
    assert (told["key"], told["value"], told["severity"], told["cleared"], told["stationTransactionId"]) == (
        "EVSE@1.Power",
        "55",
        0,
        True,
        "tx",
    )
    assert station.values == {(POWER_KEY, "Actual"): "55"}
    (record,) = station.changes(Record)
    assert record.kind == "NotifyEvent"


def test_what_comes_again_and_again_leaves_no_records(station):
    for value in range(20):
        _event(station, trigger="Periodic", actualValue=str(value))
    assert station.changes(Record) == []
    assert station.values == {(POWER_KEY, "Actual"): "19"}
    assert len(station.told("variable_event")) == 20


# Answers that are not what they should be.

ANSWERS = {
    "GetVariables": "getVariableResult",
    "SetVariables": "setVariableResult",
    "SetVariableMonitoring": "setMonitoringResult",
    "ClearVariableMonitoring": "clearMonitoringResult",
}
REQUESTS = {
    "GetVariables": {"getVariableData": [INTERVAL]},
    "SetVariables": {"setVariableData": [{**INTERVAL, "attributeValue": "1"}]},
    "SetVariableMonitoring": {"setMonitoringData": [{**POWER, "value": 1, "type": "Delta", "severity": 1}]},
    "ClearVariableMonitoring": {"id": [1]},
}
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(ANSWERS)), st.data())
@settings(max_examples=150, deadline=None)
def test_a_hostile_answer_is_borne(action, data):
    station = ModelStation(V201)
    result = {
        name: data.draw(junk | st.just(value))
        for name, value in {
            "component": {"name": "OCPPCommCtrlr"},
            "variable": {"name": "HeartbeatInterval"},
            "attributeStatus": "Accepted",
            "status": "Accepted",
            "attributeType": "Actual",
            "attributeValue": "1",
            "id": 1,
            "type": "Delta",
            "severity": 1,
        }.items()
    }
    response = {ANSWERS[action]: data.draw(junk | st.just([result]))}
    station.learn_anything(action, REQUESTS[action], response)


def test_every_message_of_the_device_model_has_an_effect():
    """None of them is only kept as it came."""
    for version in VERSIONS:
        station = ModelStation(version)
        assert {"NotifyReport", "NotifyMonitoringReport", "NotifyEvent"} <= set(SCHEMAS[version].actions)
        station.ask("NotifyReport", {"requestId": 1, "generatedAt": AT, "seqNo": 0})
        station.ask("NotifyMonitoringReport", {"requestId": 2, "generatedAt": AT, "seqNo": 0})
        assert station.changes(Record) == []
