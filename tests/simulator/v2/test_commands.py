"""Commands over a real socket that change what a station does: sessions, resets, availability, its password."""

from __future__ import annotations

from base64 import b64encode

import pytest
import pytest_twisted

from csms.ocppj.versions import V21, V201

WHOLE_DAY = {"speed": 1, "duration_s": 86_400, "interval_s": 3_600}
TOKEN = {"idToken": "REMOTE", "type": "Central"}


@pytest.fixture(params=[V201, V21], ids=lambda version: version.name)
def version(request):
    return request.param


@pytest.fixture
def idle(make, version):
    charge_point = make(**{**WHOLE_DAY, "sessions": 0}, keep=True, version=version, connectors=2)
    charge_point.start()
    pytest_twisted.blockon(charge_point.when_online())
    return charge_point


@pytest.fixture
def charging(server, make, version):
    charge_point = make(**WHOLE_DAY, version=version, connectors=2)
    charge_point.start()
    pytest_twisted.blockon(server.until_sent("TransactionEvent", 2))
    pytest_twisted.blockon(server.call("CP1", "probe", "GetLocalListVersion", {}))
    return charge_point


async def ask(server, message_id, action, payload):
    kind, _, answer = await server.call("CP1", message_id, action, payload)
    assert kind == 3
    return answer


def sent(server, number):
    return server.sent("TransactionEvent")[number].payload


@pytest_twisted.ensureDeferred
async def test_remote_start_and_remote_stop(server, idle):
    start = {"idToken": TOKEN, "remoteStartId": 77, "evseId": 2}
    assert (await ask(server, "a", "RequestStartTransaction", {**start, "evseId": 9}))["status"] == "Rejected"
    assert (await ask(server, "b", "RequestStartTransaction", start))["status"] == "Accepted"
    await server.until_sent("TransactionEvent", 2)
    assert server.sent("Authorize")[0].payload == {"idToken": TOKEN}
    started = sent(server, 0)
    assert (started["triggerReason"], started["evse"], started["idToken"]) == (
        "RemoteStart", {"id": 2, "connectorId": 1}, TOKEN,
    )  # fmt: skip
    assert started["transactionInfo"]["remoteStartId"] == 77
    assert (await ask(server, "c", "RequestStartTransaction", start))["status"] == "Rejected"
    stop = {"transactionId": started["transactionInfo"]["transactionId"]}
    assert (await ask(server, "d", "RequestStopTransaction", {"transactionId": "other"}))["status"] == "Rejected"
    assert (await ask(server, "e", "RequestStopTransaction", stop))["status"] == "Accepted"
    await server.until_sent("TransactionEvent", 3)
    ended = sent(server, 2)
    assert (ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("RemoteStop", "Remote")


@pytest_twisted.ensureDeferred
async def test_without_authorization_nobody_is_asked(server, idle):
    nobody = {"idToken": "", "type": "NoAuthorization"}
    start = {"idToken": nobody, "remoteStartId": 1}
    assert (await ask(server, "a", "RequestStartTransaction", start))["status"] == "Accepted"
    await server.until_sent("TransactionEvent")
    assert (server.sent("Authorize"), sent(server, 0)["idToken"]) == ([], nobody)


@pytest_twisted.ensureDeferred
async def test_a_reservation_is_used_up_by_its_token(server, idle):
    reserve = {"id": 4, "expiryDateTime": "2030-01-01T00:00:00Z", "idToken": TOKEN, "evseId": 1}
    assert (await ask(server, "a", "ReserveNow", reserve))["status"] == "Accepted"
    other = {"idToken": {**TOKEN, "idToken": "OTHER"}, "remoteStartId": 1, "evseId": 1}
    assert (await ask(server, "b", "RequestStartTransaction", other))["status"] == "Rejected"
    start = {"idToken": TOKEN, "remoteStartId": 2, "evseId": 1}
    assert (await ask(server, "c", "RequestStartTransaction", start))["status"] == "Accepted"
    await server.until_sent("TransactionEvent")
    assert sent(server, 0)["reservationId"] == 4
    assert "Reserved" in [message.payload["connectorStatus"] for message in server.sent("StatusNotification")]
    assert (await ask(server, "d", "CancelReservation", {"reservationId": 4}))["status"] == "Rejected"


@pytest_twisted.ensureDeferred
async def test_an_immediate_reset_ends_the_session_and_boots_on_a_new_socket(server, charging):
    assert (await ask(server, "a", "Reset", {"type": "Immediate"}))["status"] == "Accepted"
    await charging.when_done()
    ended = server.sent("TransactionEvent")[-1].payload
    assert (ended["triggerReason"], ended["transactionInfo"]["stoppedReason"]) == ("ResetCommand", "ImmediateReset")
    assert [message.payload["reason"] for message in server.sent("BootNotification")] == ["PowerUp", "RemoteReset"]
    assert server.connections("CP1") == 2
    assert charging.sessions[0].settled


@pytest_twisted.ensureDeferred
async def test_a_reset_on_idle_waits_for_the_session(server, make, version):
    charge_point = make(**WHOLE_DAY, version=version, keep=True)
    charge_point.start()
    await server.until_sent("TransactionEvent", 2)
    assert (await ask(server, "a", "Reset", {"type": "OnIdle"}))["status"] == "Scheduled"
    assert len(server.sent("BootNotification")) == 1
    transaction_id = sent(server, 0)["transactionInfo"]["transactionId"]
    await ask(server, "b", "RequestStopTransaction", {"transactionId": transaction_id})
    await server.until_sent("BootNotification", 2)
    assert server.sent("BootNotification")[1].payload["reason"] == "ScheduledReset"
    await charge_point.when_done()
    assert charge_point.sessions[0].reason == "Remote"
    assert charge_point.sessions[0].settled


@pytest_twisted.ensureDeferred
async def test_triggered_messages(server, charging):
    asked = [("BootNotification", 2), ("Heartbeat", 1), ("StatusNotification", 4), ("MeterValues", 1)]
    for action, count in asked:
        assert (await ask(server, action, "TriggerMessage", {"requestedMessage": action}))["status"] == "Accepted"
        await server.until_sent(action, count)
    assert server.sent("BootNotification")[1].payload["reason"] == "Triggered"
    (reading,) = server.sent("MeterValues")
    assert reading.payload["evseId"] == 1
    assert {s["context"] for s in reading.payload["meterValue"][0]["sampledValue"]} == {"Trigger"}
    evse = {"requestedMessage": "TransactionEvent", "evse": {"id": 2}}
    assert (await ask(server, "other", "TriggerMessage", evse))["status"] == "Rejected"
    event = {"requestedMessage": "TransactionEvent"}
    assert (await ask(server, "event", "TriggerMessage", event))["status"] == "Accepted"
    await server.until_sent("TransactionEvent", 3)
    assert (sent(server, 2)["triggerReason"], sent(server, 2)["seqNo"]) == ("Trigger", 2)


@pytest_twisted.ensureDeferred
async def test_triggered_meter_values_without_a_session(server, idle):
    asked = {"requestedMessage": "MeterValues", "evse": {"id": 2}}
    assert (await ask(server, "a", "TriggerMessage", asked))["status"] == "Accepted"
    await server.until_sent("MeterValues")
    (reading,) = server.sent("MeterValues")
    assert (reading.payload["evseId"], len(reading.payload["meterValue"][0]["sampledValue"])) == (2, 1)


@pytest_twisted.ensureDeferred
async def test_the_status_of_a_transaction(server, charging):
    transaction_id = sent(server, 0)["transactionInfo"]["transactionId"]
    running = await ask(server, "a", "GetTransactionStatus", {"transactionId": transaction_id})
    assert running == {"ongoingIndicator": True, "messagesInQueue": False}
    unknown = await ask(server, "b", "GetTransactionStatus", {"transactionId": "other"})
    assert unknown == {"ongoingIndicator": False, "messagesInQueue": False}
    server.misbehave["TransactionEvent"] = ["silence"]
    await ask(server, "c", "RequestStopTransaction", {"transactionId": transaction_id})
    await server.until_sent("TransactionEvent", 3)
    ended = await ask(server, "d", "GetTransactionStatus", {"transactionId": transaction_id})
    assert ended == {"ongoingIndicator": False, "messagesInQueue": True}
    assert await ask(server, "e", "GetTransactionStatus", {}) == {"messagesInQueue": True}


@pytest_twisted.ensureDeferred
async def test_a_running_cost_comes_to_the_record(server, charging):
    transaction_id = sent(server, 0)["transactionInfo"]["transactionId"]
    for message_id, name in (("a", transaction_id), ("b", "other")):
        assert await ask(server, message_id, "CostUpdated", {"transactionId": name, "totalCost": len(name)}) == {}
    # The effect runs behind its answer, and before the next one.
    await ask(server, "c", "GetLocalListVersion", {})
    assert charging.sessions[0].total_cost == len(transaction_id)


@pytest_twisted.ensureDeferred
async def test_a_change_of_availability_waits_for_the_session(server, charging):
    change = {"operationalStatus": "Inoperative"}
    assert (await ask(server, "a", "ChangeAvailability", change))["status"] == "Scheduled"
    await server.until(lambda: server.sent("StatusNotification")[-1].payload["connectorStatus"] == "Unavailable")
    assert server.sent("StatusNotification")[-1].payload["evseId"] == 2
    transaction_id = sent(server, 0)["transactionInfo"]["transactionId"]
    await ask(server, "b", "RequestStopTransaction", {"transactionId": transaction_id})
    await charging.when_done()
    last = server.sent("StatusNotification")[-1].payload
    assert (last["evseId"], last["connectorStatus"]) == (1, "Unavailable")


@pytest_twisted.ensureDeferred
async def test_an_interval_that_is_set_counts(server, idle):
    interval = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": "TxUpdatedInterval"}}
    await ask(server, "a", "SetVariables", {"setVariableData": [{**interval, "attributeValue": "0"}]})
    await ask(server, "b", "RequestStartTransaction", {"idToken": TOKEN, "remoteStartId": 1})
    await server.until_sent("TransactionEvent", 2)
    transaction_id = sent(server, 0)["transactionInfo"]["transactionId"]
    await ask(server, "c", "RequestStopTransaction", {"transactionId": transaction_id})
    await server.until_sent("TransactionEvent", 3)
    assert idle.sessions[0].meter_values == 0


@pytest_twisted.ensureDeferred
async def test_it_connects_again_with_a_password_that_was_set(server, make, version):
    charge_point = make(sessions=0, keep=True, version=version, password="old")
    charge_point.start()
    await charge_point.when_online()
    new = "0123456789abcdef"
    server.password = "Basic " + b64encode(f"CP1:{new}".encode()).decode()
    variable = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    await ask(server, "a", "SetVariables", {"setVariableData": [{**variable, "attributeValue": new}]})
    await server.until(lambda: server.connections("CP1") == 2)
    await server.until(lambda: "CP1" in server.sockets)
    assert server.handshakes[-1].headers["authorization"] == server.password
    assert len(server.sent("BootNotification")) == 1
