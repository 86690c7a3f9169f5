"""The server's commands: each is answered as the schema wants it, and has its effect."""

from __future__ import annotations

from base64 import b64decode

import pytest
import pytest_twisted

from tests.simulator.fake_server import SCHEMAS

WHOLE_DAY = {"speed": 1, "duration_s": 86_400, "interval_s": 3_600}
CHARGE_POINTS_OWN = {
    "Authorize",
    "BootNotification",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
}
FIRMWARE = {
    "location": "ftp://x",
    "retrieveDateTime": "2026-01-01T00:00:00Z",
    "signingCertificate": "x",
    "signature": "x",
}
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "c"}
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]},
}
COMMANDS = [
    ("CancelReservation", {"reservationId": 1}, "Rejected"),
    ("CertificateSigned", {"certificateChain": "x"}, "Rejected"),
    ("ChangeAvailability", {"connectorId": 9, "type": "Operative"}, "Rejected"),
    ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}, "Accepted"),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}, "Accepted"),
    ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "soon"}, "Rejected"),
    ("ChangeConfiguration", {"key": "StopTransactionOnInvalidId", "value": "2"}, "Rejected"),
    ("ChangeConfiguration", {"key": "NumberOfConnectors", "value": "5"}, "Rejected"),
    ("ChangeConfiguration", {"key": "Colour", "value": "red"}, "NotSupported"),
    ("ClearCache", {}, "Accepted"),
    ("ClearChargingProfile", {}, "Unknown"),
    ("DataTransfer", {"vendorId": "x"}, "UnknownVendorId"),
    ("DeleteCertificate", {"certificateHashData": HASH}, "NotFound"),
    ("ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}, "NotImplemented"),
    ("GetCompositeSchedule", {"connectorId": 1, "duration": 60}, "Rejected"),
    ("GetConfiguration", {}, None),
    ("GetDiagnostics", {"location": "ftp://x"}, None),
    ("GetInstalledCertificateIds", {"certificateType": "CentralSystemRootCertificate"}, "NotFound"),
    ("GetLocalListVersion", {}, None),
    ("GetLog", {"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "ftp://x"}}, "Rejected"),
    ("InstallCertificate", {"certificateType": "CentralSystemRootCertificate", "certificate": "x"}, "Rejected"),
    ("RemoteStartTransaction", {"idTag": "T", "connectorId": 9}, "Rejected"),
    ("RemoteStopTransaction", {"transactionId": 999}, "Rejected"),
    (
        "ReserveNow",
        {"connectorId": 9, "expiryDate": "2030-01-01T00:00:00Z", "idTag": "T", "reservationId": 1},
        "Rejected",
    ),
    ("Reset", {"type": "Soft"}, "Accepted"),
    ("SendLocalList", {"listVersion": 3, "updateType": "Full"}, "Accepted"),
    ("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE}, "Accepted"),
    ("SignedUpdateFirmware", {"requestId": 1, "firmware": FIRMWARE}, "Rejected"),
    ("TriggerMessage", {"requestedMessage": "FirmwareStatusNotification"}, "NotImplemented"),
    ("TriggerMessage", {"requestedMessage": "Heartbeat", "connectorId": 9}, "Rejected"),
    ("UnlockConnector", {"connectorId": 1}, "Unlocked"),
    ("UnlockConnector", {"connectorId": 9}, "NotSupported"),
    ("UpdateFirmware", {"location": "ftp://x", "retrieveDate": "2026-01-01T00:00:00Z"}, None),
]


def test_every_action_of_the_standard_is_covered():
    assert {action for action, _, _ in COMMANDS} | CHARGE_POINTS_OWN | {"DataTransfer"} == SCHEMAS.actions


@pytest.fixture
def idle(make):
    charge_point = make(sessions=0, keep=True, connectors=2)
    charge_point.start()
    pytest_twisted.blockon(charge_point.when_online())
    return charge_point


@pytest.fixture
def charging(server, make):
    charge_point = make(**WHOLE_DAY, connectors=2)
    charge_point.start()
    pytest_twisted.blockon(server.until_sent("StartTransaction"))
    # The answer to this one comes back behind the answer to StartTransaction.
    pytest_twisted.blockon(server.call("CP1", "probe", "GetLocalListVersion", {}))
    return charge_point


async def status_of(server, action, payload, message_id="m"):
    kind, _, answer = await server.call("CP1", message_id, action, payload)
    assert kind == 3
    return answer.get("status")


@pytest.mark.parametrize(("action", "payload", "status"), COMMANDS)
@pytest_twisted.ensureDeferred
async def test_the_answer_fits_the_schema(server, idle, action, payload, status):
    assert SCHEMAS.check_request(action, payload, "strict") == ()
    kind, _, answer = await server.call("CP1", "m", action, payload)
    assert kind == 3
    assert SCHEMAS.check_response(action, answer, "strict") == ()
    assert answer.get("status") == status


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Dance", {}, "NotImplemented"),
        ("StartTransaction", {}, "NotSupported"),
        ("Reset", {}, "ProtocolError"),
        ("UnlockConnector", {"connectorId": "one"}, "TypeConstraintViolation"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_cannot_be_done_is_a_callerror(server, idle, action, payload, code):
    kind, _, answered, *_ = await server.call("CP1", "m", action, payload)
    assert (kind, answered) == (4, code)


@pytest_twisted.ensureDeferred
async def test_remote_start_and_remote_stop(server, make):
    charge_point = make(**{**WHOLE_DAY, "sessions": 0}, keep=True, connectors=2)
    charge_point.start()
    await charge_point.when_online()
    assert await status_of(server, "RemoteStartTransaction", {"idTag": "REMOTE", "connectorId": 2}, "a") == "Accepted"
    await server.until_sent("StartTransaction")
    (start,) = server.sent("StartTransaction")
    assert (start.payload["idTag"], start.payload["connectorId"]) == ("REMOTE", 2)
    assert await status_of(server, "RemoteStartTransaction", {"idTag": "REMOTE"}, "b") == "Rejected"
    assert await status_of(server, "RemoteStopTransaction", {"transactionId": 1}, "c") == "Accepted"
    await server.until_sent("StopTransaction")
    assert server.sent("StopTransaction")[0].payload["reason"] == "Remote"


@pytest.mark.parametrize(("kind", "reason"), [("Hard", "HardReset"), ("Soft", "SoftReset")])
@pytest_twisted.ensureDeferred
async def test_a_reset_stops_the_session_and_boots_again(server, charging, kind, reason):
    assert await status_of(server, "Reset", {"type": kind}) == "Accepted"
    await charging.when_done()
    assert server.sent("StopTransaction")[-1].payload["reason"] == reason
    assert len(server.sent("BootNotification")) == 2
    assert server.connections("CP1") == (2 if kind == "Hard" else 1)
    assert charging.sessions[0].settled


@pytest_twisted.ensureDeferred
async def test_unlocking_ends_the_session_of_that_connector_only(server, charging):
    assert await status_of(server, "UnlockConnector", {"connectorId": 2}, "a") == "Unlocked"
    assert charging.charging(1)
    assert await status_of(server, "UnlockConnector", {"connectorId": 1}, "b") == "Unlocked"
    await charging.when_done()
    assert charging.sessions[0].reason == "UnlockCommand"


@pytest_twisted.ensureDeferred
async def test_triggered_messages(server, charging):
    asked = [("BootNotification", 2), ("Heartbeat", 1), ("StatusNotification", 4), ("MeterValues", 1)]
    for action, count in asked:
        assert await status_of(server, "TriggerMessage", {"requestedMessage": action}, action) == "Accepted"
        await server.until_sent(action, count)
    (reading,) = server.sent("MeterValues")
    assert reading.payload["transactionId"] == charging.sessions[0].transaction_id
    assert reading.payload["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"


@pytest_twisted.ensureDeferred
async def test_triggered_meter_values_without_a_session(server, idle):
    await status_of(server, "TriggerMessage", {"requestedMessage": "MeterValues", "connectorId": 2})
    await server.until_sent("MeterValues")
    (reading,) = server.sent("MeterValues")
    assert (reading.payload["connectorId"], "transactionId" in reading.payload) == (2, False)


@pytest_twisted.ensureDeferred
async def test_an_inoperative_connector_is_not_used(server, idle):
    assert await status_of(server, "ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}, "a") == "Accepted"
    await server.until(lambda: server.sent("StatusNotification")[-1].payload["status"] == "Unavailable")
    assert await status_of(server, "RemoteStartTransaction", {"idTag": "T", "connectorId": 1}, "b") == "Rejected"
    assert await status_of(server, "RemoteStartTransaction", {"idTag": "T"}, "c") == "Accepted"
    await server.until_sent("StopTransaction")
    assert idle.sessions[0].connector_id == 2


@pytest_twisted.ensureDeferred
async def test_a_change_of_availability_waits_for_the_session(server, charging):
    assert await status_of(server, "ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}) == "Scheduled"
    await status_of(server, "RemoteStopTransaction", {"transactionId": 1}, "stop")
    await charging.when_done()
    assert server.messages[-1].payload["status"] == "Unavailable"


@pytest_twisted.ensureDeferred
async def test_a_reservation_is_used_up_by_its_tag(server, idle):
    reserve = {"connectorId": 1, "expiryDate": "2030-01-01T00:00:00Z", "idTag": "MINE", "reservationId": 4}
    assert await status_of(server, "ReserveNow", reserve, "a") == "Accepted"
    assert await status_of(server, "ReserveNow", {**reserve, "reservationId": 5}, "b") == "Occupied"
    assert await status_of(server, "RemoteStartTransaction", {"idTag": "OTHER", "connectorId": 1}, "c") == "Rejected"
    assert await status_of(server, "RemoteStartTransaction", {"idTag": "MINE", "connectorId": 1}, "d") == "Accepted"
    await server.until_sent("StartTransaction")
    assert server.sent("StartTransaction")[0].payload["reservationId"] == 4
    assert "Reserved" in [message.payload["status"] for message in server.sent("StatusNotification")]
    assert await status_of(server, "CancelReservation", {"reservationId": 4}, "e") == "Rejected"


@pytest_twisted.ensureDeferred
async def test_a_setting_is_kept_and_given_back(server, idle):
    await server.call("CP1", "a", "ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": "300"})
    _, _, answer = await server.call("CP1", "b", "GetConfiguration", {"key": ["MeterValueSampleInterval", "Colour"]})
    assert answer == {
        "configurationKey": [{"key": "MeterValueSampleInterval", "readonly": False, "value": "300"}],
        "unknownKey": ["Colour"],
    }
    await server.call("CP1", "c", "RemoteStartTransaction", {"idTag": "T"})
    await server.until_sent("StopTransaction")
    assert idle.sessions[0].meter_values == 1


@pytest_twisted.ensureDeferred
async def test_it_comes_back_with_the_password_that_it_was_given(server, make):
    """OCPP 1.6 security whitepaper A01: the bytes that the digits stand for; and it tells nobody."""
    key = "000102030405060708090A0B0C0D0E0F10111213"
    charge_point = make(sessions=0, keep=True, password="the old one")
    charge_point.start()
    await server.until_sent("StatusNotification", 2)
    change = {"key": "AuthorizationKey", "value": key}
    for number, wrong in enumerate(("0011", key + "14", "text of no digits", "")):
        frame = await server.call("CP1", f"wrong-{number}", "ChangeConfiguration", {**change, "value": wrong})
        assert frame[2] == {"status": "Rejected"}
    assert server.connections("CP1") == 1
    assert (await server.call("CP1", "right", "ChangeConfiguration", change))[2] == {"status": "Accepted"}
    await server.until(lambda: server.connections("CP1") == 2)
    given = [b64decode(request.headers["authorization"].split()[1]) for request in server.handshakes]
    assert given == [b"CP1:the old one", b"CP1:" + bytes.fromhex(key)]
    await server.until_sent("BootNotification", 2)
    frame = await server.call("CP1", "get", "GetConfiguration", {})
    assert "AuthorizationKey" not in repr(frame)
