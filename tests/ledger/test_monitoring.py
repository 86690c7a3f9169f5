"""Monitors, and what they tell of."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from csms.ledger import clock, monitoring
from csms.ledger.monitoring import Happened, Monitored
from csms.ledger.variables import parse
from tests.ledger.model import Model


@pytest.fixture
def model():
    return Model()


def _monitor(number, name="EVSE@1.Power", **more):
    return Monitored(number, parse(name), "UpperThreshold", Decimal(50), 4, **more)


def _event(model, name="EVSE@1.Power", value="55", trigger="Alerting", **more):
    instant = clock.judge("2026-03-01T11:30:00Z", model.now)
    body = {"actualValue": value, "variable": {"name": name.rpartition(".")[2]}}
    return Happened(9, instant, trigger, parse(name), value, body, **more)


def _set(model, *monitors):
    model.apply(monitoring.monitors_set(model.state, model.context(), monitors=monitors, known=model.monitors))


def _ids(model):
    return [number for number, monitor in model.monitors.items() if monitor.cleared_at is None]


def _report(model, *monitors, request_id=1, **request):
    model.requested(request_id, kind="monitors", **request)
    for number, monitor in enumerate(monitors):
        part = model.part(number, last=number == len(monitors) - 1, request_id=request_id, kind="monitors")
        model.notify_monitors(part, monitor)


def test_a_monitor_is_set_told_and_cleared(model):
    _set(model, _monitor(1), _monitor(2, in_transaction=True))
    row = model.monitors[2]
    assert (row.component, row.evse_id, row.variable, row.value, row.severity, row.in_transaction) == (
        "EVSE",
        1,
        "Power",
        50,
        4,
        True,
    )
    model.apply(monitoring.monitors_cleared(model.state, model.context(), ids=[1, 1, 7], known=model.monitors))
    assert _ids(model) == [2]
    _set(model, _monitor(1))
    assert _ids(model) == [1, 2]


def test_a_complete_report_of_everything_says_what_is_gone(model):
    _set(model, _monitor(1), _monitor(2), _monitor(3))
    _report(model, _monitor(2), _monitor(5))
    assert _ids(model) == [2, 5]
    assert model.payloads("report_completed")[0]["report"] == "monitors"


def test_a_report_by_criteria_or_one_that_is_not_complete_does_not(model):
    _set(model, _monitor(1))
    _report(model, _monitor(2), monitoringCriteria=["DeltaMonitoring"])
    _report(model, _monitor(3), request_id=2, componentVariable=[{"component": {"name": "X"}}])
    model.requested(3, kind="monitors")
    model.notify_monitors(model.part(1, last=True, request_id=3, kind="monitors"), _monitor(4))
    model.notify_monitors(model.part(0, last=True, request_id=4, kind="monitors"), _monitor(5))
    assert _ids(model) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("base", "left"), [("All", [1, 2, 3]), ("FactoryDefault", [2, 3]), ("HardWiredOnly", [3])])
def test_a_base_ends_monitors(model, base, left):
    kinds = ["CustomMonitor", "PreconfiguredMonitor", "HardWiredMonitor"]
    _set(model, *(_monitor(number, notification_type=kind) for number, kind in enumerate(kinds, 1)))
    model.apply(monitoring.base_set(model.state, model.context(), base=base, known=model.monitors))
    assert _ids(model) == left


def test_the_kind_of_a_monitor_stays_where_it_is_not_told(model):
    _set(model, _monitor(1, notification_type="CustomMonitor"))
    _set(model, _monitor(1))
    assert model.monitors[1].notification_type == "CustomMonitor"


def test_monitors_are_bounded(model, monkeypatch):
    monkeypatch.setattr(monitoring, "MOST_MONITORS", 2)
    _set(model, _monitor(1), _monitor(2), _monitor(3))
    assert _ids(model) == [1, 2]
    model.apply(monitoring.monitors_cleared(model.state, model.context(), ids=[1], known=model.monitors))
    _set(model, _monitor(4))
    assert _ids(model) == [2, 4]


def test_an_event_is_told_and_its_value_is_the_last_known_one(model):
    _set(model, _monitor(1))
    model.happened(_event(model, monitor_id=1, cause=3, tech_code="E5", station_transaction_id="tx"))
    assert model.payload("variable_event") == {
        "key": "EVSE@1.Power",
        "component": "EVSE",
        "evseId": 1,
        "variable": "Power",
        "timestamp": "2026-03-01T11:30:00Z",
        "trigger": "Alerting",
        "stationEventId": 9,
        "cleared": False,
        "value": "55",
        "severity": 4,
        "monitorId": 1,
        "cause": 3,
        "techCode": "E5",
        "stationTransactionId": "tx",
    }
    assert model.value("EVSE@1.Power") == "55"
    assert model.told() == []


def test_only_alerts_are_kept(model):
    model.happened(_event(model, trigger="Periodic"), _event(model, trigger="Delta"), _event(model, value="60"))
    model.happened(_event(model, trigger="Periodic"))
    (record,) = model.records
    assert record.kind == "NotifyEvent"
    assert [item["actualValue"] for item in msgspec.json.decode(record.body)] == ["60"]
    assert len(model.payloads("variable_event")) == 4


def test_alerts_of_one_message_are_bounded(model):
    model.happened(*(_event(model) for _ in range(500)))
    assert len(msgspec.json.decode(model.records[0].body)) == 100


def test_events_hold_no_secrets(model):
    model.happened(_event(model, "SecurityCtrlr.BasicAuthPassword", "geheim", tech_info="password=geheim"))
    assert "geheim" not in repr((model.events, model.rows))
    assert b"geheim" not in model.records[0].body


def test_the_severity_of_the_event_goes_before_the_monitors(model):
    _set(model, _monitor(1))
    model.happened(_event(model, monitor_id=1, severity=2))
    assert model.payload("variable_event")["severity"] == 2


# The state of connectors.


def _states(model, *states):
    """Send a NotifyEvent with states of components; return what it told of connectors."""
    before = len(model.events)
    model.happened(*(_event(model, f"{name}.AvailabilityState", value, "Delta") for name, value in states))
    told = [event["payload"] for event in model.events[before:] if event["eventType"] == "status_changed"]
    return [(item["connectorId"], item["status"], item.get("stationStatus")) for item in told]


def test_a_connector_tells_its_state(model):
    assert _states(model, ("Connector@1:1", "Available")) == [(1, "Available", "Available")]
    assert _states(model, ("Connector@1:1", "Available")) == []
    assert _states(model, ("connector@1:1", "Occupied")) == [(1, "Preparing", "Occupied")]
    assert _states(model, ("Connector@1:2", "Faulted")) == [(2, "Faulted", "Faulted")]
    event = model.payloads("variable_event")[-1]
    assert (event["evseId"], event["stationConnectorId"], event["connectorId"]) == (1, 2, 2)
    assert model.payloads("status_changed")[-1]["stationConnectorId"] == 2


def test_an_evse_with_one_connector_tells_its_state(model):
    assert _states(model, ("EVSE@1", "Available")) == [(1, "Available", "Available")]
    assert _states(model, ("EVSE@1", "Unavailable")) == [(1, "Unavailable", "Unavailable")]


def test_the_state_of_an_evse_is_of_none_of_several_connectors(model):
    states = [("EVSE@1", "Occupied"), ("Connector@1:1", "Available"), ("Connector@1:2", "Occupied")]
    assert [told[:2] for told in _states(model, *states)] == [(1, "Available"), (2, "Preparing")]
    assert _states(model, ("EVSE@1", "Faulted")) == []


@pytest.mark.parametrize(
    ("state", "status"), [("Available", "Available"), ("Occupied", "Available"), ("Faulted", "Faulted")]
)
def test_the_station_tells_its_state(model, state, status):
    assert _states(model, ("ChargingStation", state)) == [(0, status, None)]


def test_other_states_are_of_no_connector(model):
    assert _states(model, ("Connector", "Occupied"), ("Fan@1", "Occupied"), ("Connector@1:1", "")) == []
    model.happened(_event(model, "Connector@1:1.Problem", "true"))
    assert model.payloads("status_changed") == []
    assert len(model.payloads("variable_event")) == 4


def test_connectors_are_bounded(model):
    _states(model, *((f"Connector@{number}:1", "Available") for number in range(1, 400)))
    assert len(model.payloads("status_changed")) == 256
    assert len(model.payloads("variable_event")) == 399
