"""A 2.0.1 station is asked for its device model, tells it in parts, is monitored, and is configured when it boots."""

from __future__ import annotations

import itertools
import json
import queue
import threading
from contextlib import suppress
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.end_to_end.daemon import Daemon, ask
from tests.end_to_end.subscriber import Subscriber

AT = "2026-03-01T11:00:00Z"
INTERVAL = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
STATE = {
    "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
    "variable": {"name": "AvailabilityState"},
}
PASSWORD = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
CHARACTERISTICS = {"dataType": "integer", "unit": "s", "supportsMonitoring": False}


class Station:
    """Speaks OCPP 2.0.1; answers a CALL as ``answers`` says, by its action: a payload, or a function of the request."""

    def __init__(self, url: str, client_id: str, answers: dict) -> None:
        self._socket = connect(url + client_id, subprotocols=["ocpp2.0.1"])
        self._answers = answers
        self._numbers = itertools.count(1)
        self._results: queue.Queue = queue.Queue()
        self.calls: list[tuple[str, dict]] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        station = {"vendorName": "ACME", "model": "Two"}
        assert self.call("BootNotification", reason="PowerUp", chargingStation=station)["status"] == "Accepted"

    def _listen(self) -> None:
        with suppress(ConnectionClosed):
            for text in self._socket:
                frame = json.loads(text)
                if frame[0] != 2:
                    self._results.put(frame)
                    continue
                _, message_id, action, payload = frame
                self.calls.append((action, payload))
                answer = self._answers[action]
                result = answer(payload) if callable(answer) else answer
                self._socket.send(json.dumps([3, message_id, result]))

    def call(self, action: str, **payload: object) -> dict:
        message_id = f"s{next(self._numbers)}"
        self._socket.send(json.dumps([2, message_id, action, payload]))
        frame = self._results.get(timeout=15)
        assert frame[:2] == [3, message_id], frame
        return frame[2]

    def report(self, number: int, *data: dict, tbc: bool) -> None:
        answer = self.call("NotifyReport", requestId=7, generatedAt=AT, seqNo=number, tbc=tbc, reportData=list(data))
        assert answer == {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


def _attribute(name: dict, value: str, **more: object) -> dict:
    return {**name, "variableAttribute": [{"value": value, **more}], "variableCharacteristics": CHARACTERISTICS}


def _taken(request: dict) -> dict:
    members = [{**item, "attributeStatus": "Accepted"} for item in request["setVariableData"]]
    return {"setVariableResult": [{key: item[key] for key in item if key != "attributeValue"} for item in members]}


def _got(request: dict) -> dict:
    return {
        "getVariableResult": [
            {**item, "attributeStatus": "Accepted", "attributeValue": "300"} for item in request["getVariableData"]
        ]
    }


ANSWERS = {
    "GetBaseReport": {"status": "Accepted"},
    "SetVariables": _taken,
    "GetVariables": _got,
    "SetVariableMonitoring": {
        "setMonitoringResult": [{**STATE, "id": 5, "type": "Delta", "severity": 7, "status": "Accepted"}]
    },
}


def _path(rest: str) -> str:
    return f"/api/v1/chargepoints/CS1/{rest}"


def test_the_device_model(daemon: Daemon, subscriber: Subscriber) -> None:
    with Station(daemon.url, "CS1", ANSWERS) as station:
        assert station.calls == []

        # A report in parts, the second one first and the first one twice.
        asked = {"requestId": 7, "reportBase": "FullInventory"}
        status, answer = ask(daemon, "POST", _path("commands/GetBaseReport"), asked)
        assert (status, answer["response"]) == (200, {"status": "Accepted"})
        station.report(1, _attribute(PASSWORD, "geheim-geheim-geheim", mutability="WriteOnly"), tbc=False)
        assert ask(daemon, "GET", _path("reports/7"))[1]["complete"] is False
        for _ in range(2):
            station.report(
                0, _attribute(INTERVAL, "900"), _attribute(STATE, "Available", mutability="ReadOnly"), tbc=True
            )
        (completed,) = subscriber.wait_topic("csms/chargepoints/CS1/report_completed")
        assert completed["payload"] == {
            "requestId": 7,
            "report": "variables",
            "parts": 2,
            "action": "GetBaseReport",
            "status": "Accepted",
            "generatedAt": AT,
        }
        assert ask(daemon, "GET", _path("reports/7"))[1]["complete"] is True
        _, page = ask(daemon, "GET", _path("variables"))
        values = {item["key"]: item["attributes"][0].get("value") for item in page["items"]}
        assert values == {
            "Connector@1:1.AvailabilityState": "Available",
            "OCPPCommCtrlr.HeartbeatInterval": "900",
            "SecurityCtrlr.BasicAuthPassword": None,
        }

        # A value that is set, and a monitor.
        data = [{**INTERVAL, "attributeValue": "60"}]
        assert ask(daemon, "POST", _path("commands/SetVariables"), {"setVariableData": data})[0] == 200
        (changed,) = subscriber.wait_topic("csms/chargepoints/CS1/configuration_changed")
        assert (changed["payload"]["key"], changed["payload"]["value"], changed["payload"]["previousValue"]) == (
            "OCPPCommCtrlr.HeartbeatInterval",
            "60",
            "900",
        )
        monitor = [{**STATE, "value": 1, "type": "Delta", "severity": 7}]
        assert ask(daemon, "POST", _path("commands/SetVariableMonitoring"), {"setMonitoringData": monitor})[0] == 200
        assert [item["monitorId"] for item in ask(daemon, "GET", _path("monitors"))[1]["items"]] == [5]
        event = {"eventId": 1, "timestamp": AT, "trigger": "Delta", "actualValue": "Faulted", "variableMonitoringId": 5}
        station.call(
            "NotifyEvent",
            generatedAt=AT,
            seqNo=0,
            eventData=[{**event, "eventNotificationType": "CustomMonitor", **STATE}],
        )
        (status_changed,) = subscriber.wait_topic("csms/connectors/CS1/status_changed")
        assert (status_changed["payload"]["connectorId"], status_changed["payload"]["status"]) == (1, "Faulted")
        (told,) = subscriber.wait_topic("csms/chargepoints/CS1/variable_event")
        assert (told["payload"]["severity"], told["payload"]["connectorId"]) == (7, 1)

    # What the operator wants is set when it boots.
    wanted = {"OCPPCommCtrlr.HeartbeatInterval": "30"}
    assert ask(daemon, "PUT", _path("configuration/wanted"), wanted)[0] == 200
    with Station(daemon.url, "CS1", ANSWERS) as station:
        subscriber.wait_topic("csms/chargepoints/CS1/configuration_changed", 3)
        assert station.calls[-1] == ("SetVariables", {"setVariableData": [{**INTERVAL, "attributeValue": "30"}]})
    told = [event["payload"].get("value") for event in subscriber.of("csms/chargepoints/CS1/configuration_changed")]
    assert told == ["60", "300", "30"]
    assert "geheim" not in daemon.log.read_text() + repr(list(subscriber.of("")))
