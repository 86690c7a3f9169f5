"""What a station answers and sends where something is cheap enough to be done: device model, profiles, logs and the rest."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate, ocsp

from csms.ocppj.versions import V21, V201
from tests.simulator.certificates import Authority
from tests.simulator.controls import charge_point

TOKEN = {"idToken": "MINE", "type": "ISO14443"}
PROFILE = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [
        {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]}
    ],
}
CURVE = {"curveData": [{"x": 1, "y": 2}], "priority": 0, "yUnit": "PctMaxW"}


@pytest.fixture(params=[V201, V21], ids=lambda version: version.name)
def version(request):
    return request.param


@pytest.fixture
def idle(version):
    return charge_point(version, busy=False)


@pytest.fixture
def busy(version):
    return charge_point(version, busy=True)


@pytest.fixture
def newest():
    return charge_point(V21, busy=True)


def named(component, variable, **more):
    return {"component": {"name": component}, "variable": {"name": variable}, **more}


@pytest.mark.parametrize(
    ("asked", "status", "value"),
    [
        (named("SecurityCtrlr", "Identity"), "Accepted", "CP1"),
        (named("securityctrlr", "IDENTITY"), "Accepted", "CP1"),
        (named("SecurityCtrlr", "BasicAuthPassword"), "Rejected", None),
        (named("SecurityCtrlr", "Colour"), "UnknownVariable", None),
        (named("Colour", "Identity"), "UnknownComponent", None),
        (named("SecurityCtrlr", "Identity", attributeType="Target"), "NotSupportedAttributeType", None),
        ({"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "SupplyPhases"}}, "Accepted", "3"),
        (
            {"component": {"name": "EVSE", "evse": {"id": 9}}, "variable": {"name": "SupplyPhases"}},
            "UnknownComponent",
            None,
        ),
    ],
)
def test_get_variables(idle, asked, status, value):
    _, ask = idle
    (result,) = ask("GetVariables", {"getVariableData": [asked]})["getVariableResult"]
    assert (result["attributeStatus"], result.get("attributeValue")) == (status, value)
    assert (result["component"], result["variable"]) == (asked["component"], asked["variable"])


@pytest.mark.parametrize(
    ("component", "variable", "value", "status"),
    [
        ("OCPPCommCtrlr", "HeartbeatInterval", "77", "Accepted"),
        ("OCPPCommCtrlr", "HeartbeatInterval", "soon", "Rejected"),
        ("AuthCtrlr", "LocalPreAuthorize", "true", "Accepted"),
        ("AuthCtrlr", "LocalPreAuthorize", "perhaps", "Rejected"),
        ("SecurityCtrlr", "Identity", "CP2", "Rejected"),
        ("SecurityCtrlr", "BasicAuthPassword", "too short", "Rejected"),
        ("SecurityCtrlr", "Colour", "red", "UnknownVariable"),
    ],
)
def test_set_variables(idle, component, variable, value, status):
    controls, ask = idle
    answer = ask("SetVariables", {"setVariableData": [named(component, variable, attributeValue=value)]})
    assert [result["attributeStatus"] for result in answer["setVariableResult"]] == [status]
    (now,) = ask("GetVariables", {"getVariableData": [named(component, variable)]})["getVariableResult"]
    assert (now.get("attributeValue") == value) == (status == "Accepted")
    assert controls.done == []


def test_a_new_password_is_used_when_the_answer_has_left(idle):
    controls, ask = idle
    change = named("SecurityCtrlr", "BasicAuthPassword", attributeValue="0123456789abcdef")
    ask("SetVariables", {"setVariableData": [change]})
    ask("SetVariables", {"setVariableData": [named("AuthCtrlr", "LocalPreAuthorize", attributeValue="true")]})
    assert controls.done == [("change_password", ("0123456789abcdef",), {})]


def test_only_slots_with_a_profile_can_be_preferred(idle):
    _, ask = idle
    priority = named("OCPPCommCtrlr", "NetworkConfigurationPriority", attributeValue="2,1")
    network = {
        "ocppInterface": "Wired0", "ocppTransport": "JSON", "messageTimeout": 30,
        "ocppCsmsUrl": "wss://h/", "securityProfile": 1, "ocppVersion": "OCPP20",
    }  # fmt: skip

    def prefer():
        return ask("SetVariables", {"setVariableData": [priority]})["setVariableResult"][0]["attributeStatus"]

    assert prefer() == "Rejected"
    assert ask("SetNetworkProfile", {"configurationSlot": 2, "connectionData": network})["status"] == "Accepted"
    assert prefer() == "Accepted"


def test_a_base_report_comes_in_parts(idle):
    controls, ask = idle
    assert ask("GetBaseReport", {"requestId": 5, "reportBase": "FullInventory"}) == {"status": "Accepted"}
    parts = [payload for action, payload in controls.sent if action == "NotifyReport"]
    assert len(parts) == len(controls.sent) > 3
    assert [part["seqNo"] for part in parts] == list(range(len(parts)))
    assert [part["tbc"] for part in parts] == [True] * (len(parts) - 1) + [False]
    assert {part["requestId"] for part in parts} == {5}
    data = [item for part in parts for item in part["reportData"]]
    keys = [str((item["component"], item["variable"])) for item in data]
    assert len(set(keys)) == len(keys)
    (password,) = [item for item in data if item["variable"]["name"] == "BasicAuthPassword"]
    assert password["variableAttribute"] == [{"type": "Actual", "mutability": "WriteOnly"}]


def test_other_base_reports_hold_less(idle):
    def names(base):
        controls, ask = idle
        controls.sent.clear()
        assert ask("GetBaseReport", {"requestId": 1, "reportBase": base})["status"] == "Accepted"
        return [item["variable"]["name"] for _, part in controls.sent for item in part["reportData"]]

    assert names("SummaryInventory") == ["AvailabilityState"] * 2
    assert {"Identity", "HeartbeatInterval"} & set(names("ConfigurationInventory")) == {"HeartbeatInterval"}


def test_a_report_of_chosen_components_and_variables(idle):
    controls, ask = idle
    chosen = [{"component": {"name": "EVSE"}, "variable": {"name": "Power"}}, {"component": {"name": "ClockCtrlr"}}]
    assert ask("GetReport", {"requestId": 1, "componentVariable": chosen})["status"] == "Accepted"
    names = [item["variable"]["name"] for _, part in controls.sent for item in part["reportData"]]
    assert names == ["DateTime", "TimeSource", "Power", "Power"]
    nothing = [{"component": {"name": "Colour"}}]
    assert ask("GetReport", {"requestId": 1, "componentVariable": nothing})["status"] == "EmptyResultSet"
    assert ask("GetReport", {"requestId": 1, "componentCriteria": ["Problem"]})["status"] == "EmptyResultSet"


def test_monitors_are_set_reported_and_cleared(idle):
    controls, ask = idle
    asked = {**named("SecurityCtrlr", "Identity"), "value": 1, "type": "Delta", "severity": 5}
    wrong = {**named("Colour", "Red"), "value": 1, "type": "Delta", "severity": 5}
    heartbeat = {**named("OCPPCommCtrlr", "HeartbeatInterval"), "value": 9, "type": "UpperThreshold", "severity": 5}
    answer = ask("SetVariableMonitoring", {"setMonitoringData": [asked, asked, wrong, {**asked, "id": 99}, heartbeat]})
    results = answer["setMonitoringResult"]
    statuses = [result["status"] for result in results]
    assert statuses == ["Accepted", "Duplicate", "UnknownComponent", "Rejected", "Accepted"]
    assert ask("GetMonitoringReport", {"requestId": 3})["status"] == "Accepted"
    assert [(part["seqNo"], part["tbc"]) for _, part in controls.sent] == [(0, True), (1, False)]
    controls.sent.clear()
    thresholds = {"requestId": 4, "monitoringCriteria": ["ThresholdMonitoring"]}
    assert ask("GetMonitoringReport", thresholds)["status"] == "Accepted"
    ((_, part),) = controls.sent
    assert [monitor["id"] for monitor in part["monitor"][0]["variableMonitoring"]] == [results[4]["id"]]
    cleared = ask("ClearVariableMonitoring", {"id": [results[0]["id"], 77]})["clearMonitoringResult"]
    assert [item["status"] for item in cleared] == ["Accepted", "NotFound"]
    ask("SetMonitoringBase", {"monitoringBase": "FactoryDefault"})
    assert ask("GetMonitoringReport", {"requestId": 5})["status"] == "EmptyResultSet"
    assert [ask("SetMonitoringLevel", {"severity": level})["status"] for level in (9, 10)] == ["Accepted", "Rejected"]


def test_charging_profiles_are_kept_reported_and_cleared(idle):
    controls, ask = idle
    other = {**PROFILE, "id": 2, "stackLevel": 3, "chargingProfilePurpose": "ChargingStationMaxProfile"}
    assert ask("GetChargingProfiles", {"requestId": 1, "chargingProfile": {}})["status"] == "NoProfiles"
    assert ask("GetCompositeSchedule", {"evseId": 1, "duration": 60})["status"] == "Rejected"
    assert ask("SetChargingProfile", {"evseId": 1, "chargingProfile": PROFILE})["status"] == "Accepted"
    assert ask("SetChargingProfile", {"evseId": 0, "chargingProfile": other})["status"] == "Accepted"
    assert ask("SetChargingProfile", {"evseId": 9, "chargingProfile": PROFILE})["status"] == "Rejected"
    for_transaction = {**PROFILE, "id": 3, "chargingProfilePurpose": "TxProfile", "transactionId": "T"}
    assert ask("SetChargingProfile", {"evseId": 1, "chargingProfile": for_transaction})["status"] == "Rejected"
    assert ask("GetChargingProfiles", {"requestId": 7, "chargingProfile": {}})["status"] == "Accepted"
    reports = [(part["evseId"], part["tbc"], part["chargingProfile"][0]["id"]) for _, part in controls.sent]
    assert reports == [(0, True, 2), (1, False, 1)]
    schedule = ask("GetCompositeSchedule", {"evseId": 1, "duration": 60, "chargingRateUnit": "A"})["schedule"]
    assert (schedule["duration"], schedule["chargingSchedulePeriod"]) == (60, [{"startPeriod": 0, "limit": 16}])
    assert ask("ClearChargingProfile", {"chargingProfileId": 1})["status"] == "Accepted"
    assert ask("ClearChargingProfile", {"chargingProfileId": 1})["status"] == "Unknown"
    assert ask("ClearChargingProfile", {"chargingProfileCriteria": {"stackLevel": 3}})["status"] == "Accepted"


def test_the_same_purpose_and_level_replaces_a_profile(idle):
    controls, ask = idle
    for profile_id in (1, 2):
        ask("SetChargingProfile", {"evseId": 1, "chargingProfile": {**PROFILE, "id": profile_id}})
    ask("GetChargingProfiles", {"requestId": 7, "chargingProfile": {}})
    ((_, report),) = controls.sent
    assert [profile["id"] for profile in report["chargingProfile"]] == [2]


def test_a_log_and_a_firmware_update_are_told_step_by_step(idle):
    controls, ask = idle
    log = {"logType": "SecurityLog", "requestId": 4, "log": {"remoteLocation": "https://h/"}}
    assert ask("GetLog", log) == {"status": "Accepted", "filename": "SecurityLog-4.log"}
    assert [payload["status"] for _, payload in controls.sent] == ["Uploading", "Uploaded"]
    controls.sent.clear()
    firmware = {"location": "https://h/f", "retrieveDateTime": "2026-01-01T00:00:00Z"}
    assert ask("UpdateFirmware", {"requestId": 6, "firmware": firmware})["status"] == "Accepted"
    steps = [payload["status"] for _, payload in controls.sent]
    assert steps == ["Downloading", "Downloaded", "Installing", "InstallRebooting", "Installed"]
    assert {payload["requestId"] for _, payload in controls.sent} == {6}
    assert controls.done == [("boot_again", ("FirmwareUpdate",), {})]
    ask("UpdateFirmware", {"requestId": 6, "firmware": {**firmware, "signature": "x", "signingCertificate": "y"}})
    assert "SignatureVerified" in [payload["status"] for _, payload in controls.sent]


def test_published_firmware(idle):
    controls, ask = idle
    assert ask("UnpublishFirmware", {"checksum": "c"})["status"] == "NoFirmware"
    publish = {"requestId": 1, "location": "https://h/f", "checksum": "c"}
    assert ask("PublishFirmware", publish)["status"] == "Accepted"
    assert controls.sent[-1][1] == {"status": "Published", "requestId": 1, "location": ["https://h/f"]}
    assert ask("UnpublishFirmware", {"checksum": "c"})["status"] == "Unpublished"


def test_customer_information(idle):
    controls, ask = idle
    assert ask("CustomerInformation", {"requestId": 1, "report": True, "clear": False})["status"] == "Invalid"
    asked = {"requestId": 1, "report": True, "clear": True, "idToken": TOKEN}
    assert ask("CustomerInformation", asked)["status"] == "Accepted"
    assert [action for action, _ in controls.sent] == ["NotifyCustomerInformation"]


def test_display_messages(version):
    controls, ask = charge_point(version, busy=False)
    message = {"id": 1, "priority": "InFront", "message": {"format": "UTF8", "content": "Hello"}}
    assert ask("SetDisplayMessage", {"message": message})["status"] == "Accepted"
    assert (
        ask("SetDisplayMessage", {"message": {**message, "id": 2, "transactionId": "T"}})["status"]
        == "UnknownTransaction"
    )
    assert ask("GetDisplayMessages", {"requestId": 1, "priority": "AlwaysFront"})["status"] == "Unknown"
    assert ask("GetDisplayMessages", {"requestId": 1})["status"] == "Accepted"
    ((_, notification),) = controls.sent
    assert (notification["messageInfo"], notification["tbc"]) == ([message], False)
    assert [ask("ClearDisplayMessage", {"id": 1})["status"] for _ in range(2)] == ["Accepted", "Unknown"]


def test_certificates_are_named_by_their_hashes(idle):
    _, ask = idle
    pem = Authority().pem
    kind = "CSMSRootCertificate"
    assert ask("GetInstalledCertificateIds", {})["status"] == "NotFound"
    assert ask("InstallCertificate", {"certificateType": kind, "certificate": "no PEM"})["status"] == "Rejected"
    assert ask("InstallCertificate", {"certificateType": kind, "certificate": pem.decode()})["status"] == "Accepted"
    (chain,) = ask("GetInstalledCertificateIds", {"certificateType": [kind]})["certificateHashDataChain"]
    hash_data = chain["certificateHashData"]
    root = load_pem_x509_certificate(pem)
    request = ocsp.OCSPRequestBuilder().add_certificate(root, root, hashes.SHA256()).build()
    assert request.public_bytes(Encoding.DER)
    assert hash_data["issuerNameHash"] == request.issuer_name_hash.hex()
    assert hash_data["issuerKeyHash"] == request.issuer_key_hash.hex()
    assert int(hash_data["serialNumber"], 16) == root.serial_number
    statuses = [ask("DeleteCertificate", {"certificateHashData": hash_data})["status"] for _ in range(2)]
    assert statuses == ["Accepted", "NotFound"]


def test_the_local_list_has_a_version(idle):
    _, ask = idle
    assert ask("GetLocalListVersion", {}) == {"versionNumber": 0}
    assert ask("SendLocalList", {"versionNumber": 3, "updateType": "Full"})["status"] == "Accepted"
    stale = {"versionNumber": 3, "updateType": "Differential"}
    assert ask("SendLocalList", stale)["status"] == "VersionMismatch"
    assert ask("GetLocalListVersion", {}) == {"versionNumber": 3}


def test_an_evse_in_use_is_not_unlocked(busy):
    _, ask = busy
    asked = [(1, 1), (2, 1), (1, 2), (9, 1)]
    statuses = [ask("UnlockConnector", {"evseId": evse, "connectorId": number})["status"] for evse, number in asked]
    assert statuses == ["OngoingAuthorizedTransaction", "Unlocked", "UnknownConnector", "UnknownConnector"]


@pytest.mark.parametrize(
    ("request_", "status", "done"),
    [
        ({"type": "Immediate"}, "Accepted", [("reset", ("ImmediateReset",), {"reconnect": True})]),
        ({"type": "OnIdle"}, "Scheduled", [("reset_when_idle", (), {})]),
        ({"type": "Immediate", "evseId": 1}, "Accepted", [("request_stop", ("ImmediateReset",), {})]),
        ({"type": "Immediate", "evseId": 2}, "Accepted", []),
        ({"type": "OnIdle", "evseId": 1}, "Scheduled", []),
        ({"type": "Immediate", "evseId": 9}, "Rejected", []),
    ],
)
def test_resets(busy, request_, status, done):
    controls, ask = busy
    assert (ask("Reset", request_)["status"], controls.done) == (status, done)


def test_reservations(idle):
    controls, ask = idle
    reserve = {"id": 4, "expiryDateTime": "2030-01-01T00:00:00Z", "idToken": TOKEN}
    assert ask("ReserveNow", {**reserve, "evseId": 9})["status"] == "Rejected"
    assert ask("ReserveNow", {**reserve, "evseId": 1})["status"] == "Accepted"
    assert ask("ReserveNow", {**reserve, "id": 5, "evseId": 1})["status"] == "Occupied"
    assert ask("ReserveNow", {**reserve, "id": 5})["status"] == "Accepted"
    assert ask("ReserveNow", {**reserve, "id": 6})["status"] == "Occupied"
    assert controls.done == [("availability_changed", ([1],), {}), ("availability_changed", ([2],), {})]
    assert [ask("CancelReservation", {"reservationId": 5})["status"] for _ in range(2)] == ["Accepted", "Rejected"]


def test_what_is_being_done_already_is_idle(idle):
    controls, ask = idle
    for message in ("LogStatusNotification", "FirmwareStatusNotification", "PublishFirmwareStatusNotification"):
        assert ask("TriggerMessage", {"requestedMessage": message})["status"] == "Accepted"
        assert controls.sent[-1] == (message, {"status": "Idle"})
    for message, status in (("SignV2GCertificate", "NotImplemented"), ("TransactionEvent", "Rejected")):
        assert ask("TriggerMessage", {"requestedMessage": message})["status"] == status
    assert ask("TriggerMessage", {"requestedMessage": "Heartbeat", "evse": {"id": 9}})["status"] == "Rejected"


def test_default_tariffs_of_21(newest):
    _, ask = newest
    tariff = {"tariffId": "A", "currency": "EUR"}
    assert ask("GetTariffs", {"evseId": 0})["status"] == "NoTariff"
    assert ask("SetDefaultTariff", {"evseId": 0, "tariff": tariff})["status"] == "Accepted"
    assert ask("SetDefaultTariff", {"evseId": 2, "tariff": {**tariff, "tariffId": "B"}})["status"] == "Accepted"
    assert ask("SetDefaultTariff", {"evseId": 9, "tariff": tariff})["status"] == "Rejected"
    assert ask("GetTariffs", {"evseId": 0})["tariffAssignments"] == [
        {"tariffId": "A", "tariffKind": "DefaultTariff", "evseIds": [1]},
        {"tariffId": "B", "tariffKind": "DefaultTariff", "evseIds": [2]},
    ]
    cleared = ask("ClearTariffs", {"tariffIds": ["B", "C"]})["clearTariffsResult"]
    assert cleared == [{"tariffId": "B", "status": "Accepted"}, {"tariffId": "C", "status": "NoTariff"}]
    assert [item["tariffId"] for item in ask("GetTariffs", {"evseId": 0})["tariffAssignments"]] == ["A"]
    change = {"transactionId": "T", "tariff": tariff}
    assert ask("ChangeTransactionTariff", change)["status"] == "Accepted"
    other = {**tariff, "currency": "CHF"}
    assert ask("ChangeTransactionTariff", {**change, "tariff": other})["status"] == "NoCurrencyChange"


def test_der_controls_of_21(newest):
    controls, ask = newest
    control = {"isDefault": True, "controlId": "a", "controlType": "VoltVar", "curve": CURVE}
    assert ask("GetDERControl", {"requestId": 1})["status"] == "NotFound"
    assert ask("SetDERControl", control) == {"status": "Accepted"}
    assert ask("SetDERControl", {**control, "controlId": "b"}) == {"status": "Accepted", "supersededIds": ["a"]}
    without = {name: value for name, value in control.items() if name != "curve"}
    assert ask("SetDERControl", without)["status"] == "NotSupported"
    assert ask("GetDERControl", {"requestId": 2})["status"] == "Accepted"
    ((action, report),) = controls.sent
    assert (action, [curve["id"] for curve in report["curve"]]) == ("ReportDERControl", ["b"])
    assert [ask("ClearDERControl", {"isDefault": True})["status"] for _ in range(2)] == ["Accepted", "NotFound"]


def test_dynamic_and_priority_profiles_of_21(newest):
    controls, ask = newest
    priority = {"transactionId": "T", "activate": True}
    update = {"chargingProfileId": 1, "scheduleUpdate": {"limit": 8}}
    assert ask("UsePriorityCharging", priority)["status"] == "NoProfile"
    assert ask("UpdateDynamicSchedule", update)["status"] == "Rejected"
    dynamic = {**PROFILE, "chargingProfileKind": "Dynamic", "chargingProfilePurpose": "PriorityCharging"}
    assert ask("SetChargingProfile", {"evseId": 1, "chargingProfile": dynamic})["status"] == "Accepted"
    assert ask("UsePriorityCharging", priority)["status"] == "Accepted"
    assert ask("UpdateDynamicSchedule", update)["status"] == "Accepted"
    ask("GetChargingProfiles", {"requestId": 1, "chargingProfile": {}})
    ((_, report),) = controls.sent
    (schedule,) = report["chargingProfile"][0]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 8}]
