"""What a station of OCPP 2.x may be sent, and may send, while its registration is Pending (B02)."""

from __future__ import annotations

import orjson
import pytest

from csms.chargepoint.outcomes import NotConnected
from csms.ocppj.versions import V21, V201
from tests.chargepoint.control import BOOT_2, Control

STATUS = {"evseId": 1, "connectorId": 1, "connectorStatus": "Available", "timestamp": "2026-03-01T11:00:00Z"}
REPORT = {"requestId": 1, "generatedAt": "2026-03-01T11:00:00Z", "seqNo": 0}
ACCEPTED = {"status": "Accepted"}
TOKEN = {"idToken": "TAG1", "type": "Central"}


@pytest.fixture
def control():
    return Control(members={"unknown_chargepoints": "Pending"})


@pytest.fixture(params=[V201, V21], ids=["2.0.1", "2.1"])
def charger(control, request):
    return control.connect(version=request.param)


def answer_to(control, charger, action, payload):
    charger.say(action, payload)
    control.settle()
    return orjson.loads(charger.sent[-1])


@pytest.mark.parametrize(
    ("command", "request_", "message", "payload"),
    [
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}, "Heartbeat", {}),
        ("TriggerMessage", {"requestedMessage": "StatusNotification"}, "StatusNotification", STATUS),
        ("TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}, "SignCertificate", {"csr": "x"}),
        ("GetBaseReport", {"requestId": 1, "reportBase": "FullInventory"}, "NotifyReport", REPORT),
        ("GetReport", {"requestId": 1}, "NotifyReport", REPORT),
    ],
)
def test_what_it_was_asked_for_is_taken_until_it_boots_again(control, charger, command, request_, message, payload):
    charger.answers[command] = ACCEPTED
    assert answer_to(control, charger, message, payload)[2] == "SecurityError"
    assert control.send(command, request_) == ACCEPTED
    assert answer_to(control, charger, message, payload)[0] == 3
    other = ("Authorize", {"idToken": TOKEN})
    assert answer_to(control, charger, *other)[2] == "SecurityError"
    assert answer_to(control, charger, "BootNotification", BOOT_2)[2]["status"] == "Pending"
    assert answer_to(control, charger, message, payload)[2] == "SecurityError"


def test_it_may_be_configured_but_not_made_to_charge(control, charger):
    """B02.FR.01, B02.FR.05."""
    charger.answers["GetVariables"] = {"getVariableResult": []}
    variable = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
    assert control.send("GetVariables", {"getVariableData": [variable]}) == {"getVariableResult": []}
    with pytest.raises(NotConnected, match="Pending"):
        control.send("RequestStartTransaction", {"idToken": TOKEN, "remoteStartId": 1})
    with pytest.raises(NotConnected, match="Pending"):
        control.send("RequestStopTransaction", {"transactionId": "tx"})
    assert charger.actions == ["GetVariables"]
