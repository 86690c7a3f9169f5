"""Registration Pending (OCPP 1.6 §4.2): the charge point is answered, can be configured, and its transactions wait."""

from __future__ import annotations

import orjson
import pytest

from csms.chargepoint.outcomes import NotConnected
from csms.ledger.provisioning import Provision
from csms.ledger.state import Record
from csms.ocppj import frames
from tests.chargepoint.control import BOOT, Control

START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 100, "timestamp": "2026-03-01T11:00:00Z"}
STOP = {"transactionId": 1, "meterStop": 350, "timestamp": "2026-03-01T11:10:00Z"}
ORPHAN = {**STOP, "transactionId": -1}


@pytest.fixture
def control():
    control = Control()
    _register(control, "Pending")
    return control


@pytest.fixture
def charger(control):
    return control.connect()


def _register(control, registration):
    control.get(control.operations.provisioning.put("CP1", Provision(registration=registration)))


def _say(control, charger, action, payload):
    charger.say(action, payload)
    control.settle()
    return _last(charger)


def _last(charger):
    """Return the payload of the last CALLRESULT, or the code of the last CALLERROR."""
    return next(frame[2] for text in reversed(charger.sent) if (frame := orjson.loads(text))[0] != frames.CALL)


def _boot(control, charger):
    return _say(control, charger, "BootNotification", BOOT)["status"]


def _types(control):
    return [kind for kind in control.ledger.events("CP1") if kind not in {"connected", "disconnected", "booted"}]


def test_it_can_be_configured_and_triggered_but_started_by_nobody(control, charger):
    assert control.send("GetConfiguration", {"key": ["HeartbeatInterval"]})["configurationKey"]
    assert control.send("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}) == {"status": "Accepted"}
    assert control.send("TriggerMessage", {"requestedMessage": "BootNotification"}) == {"status": "Accepted"}
    for action, payload in [
        ("RemoteStartTransaction", {"idTag": "T"}),
        ("RemoteStopTransaction", {"transactionId": 1}),
    ]:
        with pytest.raises(NotConnected, match="Pending"):
            control.send(action, payload)
    assert charger.actions == ["GetConfiguration", "ChangeConfiguration", "TriggerMessage"]


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}),
        ("Heartbeat", {}),
        ("FirmwareStatusNotification", {"status": "Idle"}),
        ("DiagnosticsStatusNotification", {"status": "Idle"}),
        ("MeterValues", {"connectorId": 0, "meterValue": [{"timestamp": STOP["timestamp"], "sampledValue": [{"value": "1"}]}]}),
    ],
)  # fmt: skip
def test_what_it_was_triggered_to_send_is_answered(control, charger, action, payload):
    assert isinstance(_say(control, charger, action, payload), dict)


def test_its_transaction_waits_and_is_in_the_ledger_once(control, charger):
    for _ in range(3):
        assert _say(control, charger, "StartTransaction", START) == "SecurityError"
    assert control.ledger.transactions == {}
    assert _types(control) == ["start_refused"]
    assert [row.kind for row in control.changes(Record)] == ["RefusedStart"]
    _register(control, "Accepted")
    # A registration takes effect when it boots.
    assert _say(control, charger, "StartTransaction", START) == "SecurityError"
    assert _boot(control, charger) == "Accepted"
    for _ in range(2):
        assert _say(control, charger, "StartTransaction", START)["transactionId"] == 1
        assert _say(control, charger, "StopTransaction", STOP) == {}
    assert _types(control) == ["start_refused", "started", "completed", "session_cost"]
    (completed,) = control.events("completed")
    assert (completed.meter_start, completed.meter_stop, completed.energy_used) == (100, 350, 0.25)


def test_also_where_it_is_sent_again_under_its_first_id(control, charger):
    text = frames.encode_call("start", "StartTransaction", START)
    charger.receive(text)
    control.settle()
    assert _last(charger) == "SecurityError"
    _register(control, "Accepted")
    _boot(control, charger)
    charger.receive(text)
    control.settle()
    assert _last(charger)["transactionId"] == 1


def test_on_another_connection_it_is_told_again(control, charger):
    _say(control, charger, "StartTransaction", START)
    control.lose(charger)
    _say(control, control.connect(), "StartTransaction", START)
    assert _types(control) == ["start_refused", "start_refused"]


def test_where_the_start_was_given_up_both_halves_are_in_the_ledger(control, charger):
    """Errata 3.18: its stop comes with a transactionId of -1."""
    _say(control, charger, "StartTransaction", START)
    assert _say(control, charger, "StopTransaction", ORPHAN) == {}
    assert _types(control) == ["start_refused", "orphan_stop"]
    assert [row.kind for row in control.changes(Record)] == ["RefusedStart", "OrphanStop"]


def test_the_stop_of_what_began_when_it_was_accepted_is_taken(control):
    _register(control, "Accepted")
    charger = control.connect()
    _say(control, charger, "StartTransaction", START)
    _register(control, "Pending")
    assert _boot(control, charger) == "Pending"
    assert _say(control, charger, "StopTransaction", STOP) == {}
    assert _types(control) == ["started", "completed", "session_cost"]


def test_a_bad_start_is_only_refused(control, charger):
    assert _say(control, charger, "StartTransaction", {"connectorId": 1}) == "ProtocolError"
    assert _types(control) == []


def test_a_rejected_one_leaves_nothing(control):
    _register(control, "Rejected")
    assert _say(control, control.connect(), "StartTransaction", START) == "SecurityError"
    assert _types(control) == []
    assert control.changes(Record) == []


def test_the_refusal_leaves_when_it_is_kept(control, charger):
    control.ledger._call_later = None
    before = len(charger.sent)
    charger.say("StartTransaction", START)
    assert len(charger.sent) == before
    control.ledger.commit_one()
    assert _last(charger) == "SecurityError"
    assert control.shared.counters.values["call_errors"] == {"SecurityError": 1}


def test_while_the_store_is_away_there_is_no_answer(control, charger):
    control.ledger.available = False
    before = len(charger.sent)
    charger.say("StartTransaction", START)
    control.settle()
    assert charger.closed_with[0] == 1013
    assert len(charger.sent) == before
