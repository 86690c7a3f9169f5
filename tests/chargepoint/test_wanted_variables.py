"""Configuration on arrival of stations that speak OCPP 2.0.1: only where it was asked for."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import UNSET
from twisted.internet.task import Clock

from csms.ledger.state import Record
from csms.ledger.variables import of_wire, parse
from csms.ocppj.versions import V16, V201
from tests.chargepoint.control import BOOT_2, Control
from tests.handlers.v2.model_station import ModelLedger

GET_LIMIT, SET_LIMIT = "DeviceDataCtrlr.ItemsPerMessage[GetVariables]", "DeviceDataCtrlr.ItemsPerMessage[SetVariables]"


class Variables:
    """The device model of a station: values by name, and what it says where a value is to be set."""

    def __init__(self, values, refusals=None, unreadable=()):
        self.values = {parse(name).key: value for name, value in values.items()}
        self.refusals = {parse(name).key: status for name, status in (refusals or {}).items()}
        self.unreadable = {parse(name).key for name in unreadable}

    def get(self, request):
        return {"getVariableResult": [self._got(item) for item in request["getVariableData"]]}

    def _got(self, item):
        name = of_wire(item["component"], item["variable"])
        if name.key not in self.values:
            return {**item, "attributeStatus": "UnknownVariable"}
        if name.key in self.unreadable:
            return {**item, "attributeStatus": "Rejected"}
        return {**item, "attributeStatus": "Accepted", "attributeValue": self.values[name.key]}

    def set(self, request):
        return {"setVariableResult": [self._set(item) for item in request["setVariableData"]]}

    def _set(self, item):
        name = of_wire(item["component"], item["variable"])
        status = self.refusals.get(name.key, "Accepted")
        if status in {"Accepted", "RebootRequired"}:
            self.values[name.key] = item["attributeValue"]
        return {"component": item["component"], "variable": item["variable"], "attributeStatus": status}


@pytest.fixture
def control():
    clock = Clock()
    return Control(clock=clock, ledger=ModelLedger(clock.callLater))


def _connect(control, model, client_id="CP1"):
    charger = control.connect(client_id, boot=False, version=V201)
    charger.answers["GetVariables"] = model.get
    charger.answers["SetVariables"] = model.set
    charger.say("BootNotification", BOOT_2)
    control.settle()
    return charger


def _want(control, wanted):
    control.get(control.operations.provisioning.put_wanted("chargepoint", "CP1", wanted))


def _recorded(control):
    rows = [row for row in control.changes(Record) if row.kind == "WantedConfiguration"]
    return [{key: item["status"] for key, item in msgspec.json.decode(row.body).items()} for row in rows]


def _told(control):
    return {event.key: (event.status, event.value, event.wanted) for event in control.events("configuration_changed")}


def _items(charger, action):
    """How many variables each CALL of an action was about."""
    return [
        len(payload.get("getVariableData") or payload.get("setVariableData"))
        for name, payload in charger.calls
        if name == action
    ]


def test_nothing_is_sent_unasked(control):
    assert _connect(control, Variables({})).calls == []


def test_what_differs_is_set(control):
    model = Variables(
        {
            GET_LIMIT: "10",
            SET_LIMIT: "10",
            "OCPPCommCtrlr.HeartbeatInterval": "300",
            "AuthCtrlr.LocalPreAuthorize": "true",
            "TxCtrlr.StopTxOnInvalidId": "true",
            "EVSE@1.Limit[x]": "5",
            "SampledDataCtrlr.TxUpdatedInterval": "60",
        },
        refusals={"TxCtrlr.StopTxOnInvalidId": "Rejected", "SampledDataCtrlr.TxUpdatedInterval": "RebootRequired"},
        unreadable=["EVSE@1.Limit[x]"],
    )
    _want(
        control,
        {
            "OCPPCommCtrlr.HeartbeatInterval": "60",
            "authctrlr.localpreauthorize": "TRUE",
            "TxCtrlr.StopTxOnInvalidId": "false",
            "EVSE@1.Limit[x]": "6",
            "SampledDataCtrlr.TxUpdatedInterval": "30",
            "Nothing.AtAll": "1",
            "HeartbeatInterval": "60",
        },
    )
    charger = _connect(control, model)
    assert charger.actions == ["GetVariables", "GetVariables", "SetVariables"]
    assert _recorded(control) == [
        {
            "OCPPCommCtrlr.HeartbeatInterval": "Accepted",
            "authctrlr.localpreauthorize": "Unchanged",
            "TxCtrlr.StopTxOnInvalidId": "Rejected",
            "EVSE@1.Limit[x]": "Accepted",
            "SampledDataCtrlr.TxUpdatedInterval": "RebootRequired",
            "Nothing.AtAll": "UnknownVariable",
            "HeartbeatInterval": "NotSupported",
        }
    ]
    assert _told(control) == {
        "OCPPCommCtrlr.HeartbeatInterval": ("Accepted", "60", UNSET),
        "TxCtrlr.StopTxOnInvalidId": ("Rejected", UNSET, "false"),
        "EVSE@1.Limit[x]": ("Accepted", "6", UNSET),
        "SampledDataCtrlr.TxUpdatedInterval": ("RebootRequired", "30", UNSET),
        "Nothing.AtAll": ("UnknownVariable", UNSET, "1"),
        "HeartbeatInterval": ("NotSupported", UNSET, "60"),
    }
    assert model.values[parse("EVSE@1.Limit[x]").key] == "6"


def test_no_more_than_the_station_takes_and_its_limits_are_asked_for_once(control):
    names = [f"X.V{number}" for number in range(7)]
    model = Variables({GET_LIMIT: "3", SET_LIMIT: "2", **dict.fromkeys(names, "0")})
    _want(control, dict.fromkeys(names, "1"))
    charger = _connect(control, model)
    assert _items(charger, "GetVariables") == [2, 3, 3, 1]
    assert _items(charger, "SetVariables") == [2, 2, 2, 1]
    del charger.calls[:]
    charger.say("BootNotification", BOOT_2)
    control.settle()
    assert _items(charger, "GetVariables") == [3, 3, 1]
    assert charger.actions == ["GetVariables"] * 3
    assert set(_recorded(control)[-1].values()) == {"Unchanged"}


def test_one_at_a_time_where_the_station_does_not_tell(control):
    model = Variables({"X.A": "0", "X.B": "0"})
    _want(control, {"X.A": "1", "X.B": "1"})
    charger = _connect(control, model)
    assert _items(charger, "GetVariables") == [2, 1, 1]
    assert _items(charger, "SetVariables") == [1, 1]


def test_what_is_known_to_be_read_only_is_not_set(control):
    model = Variables({GET_LIMIT: "9", SET_LIMIT: "9", "X.A": "0"})
    _want(control, {"X.A": "1"})
    charger = control.connect(boot=False, version=V201)
    data = {"component": {"name": "X"}, "variable": {"name": "A"}}
    attribute = {"value": "0", "mutability": "ReadOnly"}
    charger.say("BootNotification", BOOT_2)
    charger.say(
        "NotifyReport",
        {
            "requestId": 1,
            "generatedAt": "2026-03-01T11:00:00Z",
            "seqNo": 0,
            "reportData": [{**data, "variableAttribute": [attribute]}],
        },
    )
    control.settle()
    control.lose(charger)
    charger = _connect(control, model)
    assert "SetVariables" not in charger.actions
    assert _recorded(control)[-1] == {"X.A": "ReadOnly"}


def test_a_station_that_does_not_answer(control):
    _want(control, {"X.A": "1"})
    charger = control.connect(boot=False, version=V201)
    charger.answers["GetVariables"] = None
    charger.say("BootNotification", BOOT_2)
    control.settle()
    control.advance(30)
    control.advance(30)
    assert _recorded(control) == [{"X.A": "Timeout"}]


def test_a_station_that_refuses(control):
    _want(control, {"X.A": "1"})
    charger = control.connect(boot=False, version=V201)
    charger.answers["GetVariables"] = "NotSupported"
    charger.say("BootNotification", BOOT_2)
    control.settle()
    assert _recorded(control) == [{"X.A": "CallError"}]


def test_the_same_wishes_for_a_station_of_another_version(control):
    _want(control, {"OCPPCommCtrlr.HeartbeatInterval": "60"})
    charger = control.connect(version=V16)
    assert charger.actions == ["GetConfiguration"]
    assert _recorded(control) == [{"OCPPCommCtrlr.HeartbeatInterval": "NotSupported"}]
