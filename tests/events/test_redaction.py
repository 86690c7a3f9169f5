"""No secret is in what is published or kept, and what holds none stays byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.events.redaction import REDACTED, answer_without_secrets, frame_without_secrets, redacted
from csms.ocppj import frames

SECRET = "0123456789ABCDEF"
PEM = f"-----BEGIN EC PRIVATE KEY-----\n{SECRET}\n-----END EC PRIVATE KEY-----"


def variable(name: str, **members: Any) -> dict[str, Any]:
    return {"component": {"name": "SecurityCtrlr"}, "variable": {"name": name}, **members}


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ChangeConfiguration", {"key": "AuthorizationKey", "value": SECRET}),
        ("ChangeConfiguration", {"key": "VendorWifiPSK", "value": SECRET}),
        ("ChangeConfiguration", {"key": "ftp.Password", "value": SECRET}),
        ("ChangeConfiguration", {"key": "Vendor_Api-Key", "value": SECRET}),
        ("ChangeConfiguration", {"key": "SimPinCode", "value": SECRET}),
        *(
            ("ChangeConfiguration", {"key": key, "value": SECRET})
            for key in ("WifiPwd", "AccessToken", "WPA2Key", "Wi-FiKey", "SimPUK")
        ),
        *(
            ("SetVariables", {"setVariableData": [variable(name, attributeValue=SECRET)]})
            for name in ("BasicAuthPassword", "VpnKey", "VpnPassword", "ApnPassword", "SharedSecret")
        ),
        ("NotifyReport", {"reportData": [variable("basicauthpassword", variableAttribute=[{"value": SECRET}])]}),
        ("NotifyEvent", {"eventData": [variable("BasicAuthPassword", actualValue=SECRET)]}),
        (
            "SetNetworkProfile",
            {"connectionData": {"vpn": {"user": "u", "key": SECRET, "password": SECRET}, "apn": {"simPin": SECRET}}},
        ),
        ("SetNetworkProfile", {"connectionData": {"apn": {"apnPassword": SECRET}, "basicAuthPassword": SECRET}}),
        ("DataTransfer", {"vendorId": "V", "data": json.dumps({"Password": SECRET})}),
        ("DataTransfer", {"vendorId": "V", "data": {"wifi": {"sharedKey": SECRET}}}),
        ("DataTransfer", {"vendorId": "V", "data": f"AuthorizationKey={SECRET}"}),
        ("DataTransfer", {"vendorId": "V", "data": f"see ftp:\\/\\/u:{SECRET}@h"}),
        ("SecurityEventNotification", {"type": "X", "techInfo": f"authorization key {SECRET} was refused"}),
        ("StatusNotification", {"info": f"http://u:{SECRET}@h"}),
        ("BootNotification", {"chargePointSerialNumber": PEM}),
        ("InstallCertificate", {"certificateType": "X", "certificate": f"-----BEGIN CERTIFICATE-----\nMII\n{PEM}"}),
        ("InstallCertificate", {"certificate": f"-----BEGIN PRIVATE KEY-----\n{SECRET}"}),
        ("GetDiagnostics", {"location": f"ftp://user:{SECRET}/{SECRET}@host/dir"}),
        ("UpdateFirmware", {"location": f"https://host/f.bin?x=1&sig={SECRET}&sv=2"}),
        ("GetLog", {"log": {"remoteLocation": f"https://host/?access_token={SECRET}"}}),
        ("Authorize", {"idToken": {"idToken": SECRET, "type": "KeyCode"}}),
        ("Authorize", {"idToken": {"idToken": SECRET, "type": "keycode"}}),
        ("TransactionEvent", {"idToken": {"type": "KeyCode", "idToken": SECRET}}),
        ("SendLocalList", {"localAuthorizationList": [{"idToken": {"idToken": SECRET, "type": "KeyCode"}}]}),
    ],
)
def test_secrets_are_blanked_in_either_spelling(action: str, payload: dict[str, Any]) -> None:
    plain = frames.encode_call("17", action, payload)
    escaped = json.dumps([2, "17", action, payload]).replace("/", "\\/").replace("p", "\\u0070").encode()
    for frame in (plain, escaped):
        clean = frame_without_secrets(action, frame)
        assert SECRET.encode() not in clean
        assert b"(redacted)" in clean
        assert json.loads(clean)[:3] == [2, "17", action]


def test_what_a_charge_point_reads_out_is_blanked() -> None:
    payload = {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": SECRET}], "unknownKey": []}
    clean = json.loads(frame_without_secrets("GetConfiguration", frames.encode_result("17", payload)))
    assert clean[2]["configurationKey"] == [{"key": "AuthorizationKey", "readonly": False, "value": "(redacted)"}]


@pytest.mark.parametrize("details", [{}, {"cause": "x"}])
def test_a_refusal_that_repeats_the_secret_is_blanked(details: dict[str, Any]) -> None:
    """As the `ocpp` library does: it puts the whole message into the details of its CALLERROR."""
    text = f'Payload \'{{"key": "AuthorizationKey", "value": "{SECRET}"}}\' is not valid'
    frame = frames.encode_error("17", "FormationViolation", text[:255], details)
    clean = json.loads(frame_without_secrets("ChangeConfiguration", frame))
    assert clean == [4, "17", "FormationViolation", "(redacted)", details]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("GetConfiguration", b'[2, "1","GetConfiguration", {"key":["AuthorizationKey"]}]'),
        ("GetConfiguration", b'[3,"1",{"unknownKey" : ["AuthorizationKey", "WifiPassword"]}]'),
        ("ChangeConfiguration", b'[2,"1","ChangeConfiguration",{"key":"HeartbeatInterval" ,"value":"300"}]'),
        ("UpdateFirmware", b'[2,"1","UpdateFirmware",{"location":"https://host:8443/a@b",  "retries":1}]'),
        ("UpdateFirmware", b'[2,"1","UpdateFirmware",{"location":"https://host/password/f.bin","x": null}]'),
        ("DataTransfer", b'[2,"1","DataTransfer",{"vendorId":"a","data":"\\u00e9 \\/ 1E2", "n":12345678901234567890}]'),
        ("MeterValues", b'[2,"1","MeterValues",{"connectorId":1}]'),
        ("StatusNotification", b'[3,"1",{}]'),
        ("Heartbeat", b'[3,"1"]'),
    ],
)
def test_what_holds_no_secret_stays_as_it_was(action: str, text: bytes) -> None:
    assert frame_without_secrets(action, text) is text


def test_a_certificate_stays() -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIBpSkx/psk+0a\n-----END CERTIFICATE-----\n"
    frame = frames.encode_call("1", "CertificateSigned", {"certificateChain": pem})
    assert frame_without_secrets("CertificateSigned", frame) is frame


def test_what_says_only_that_there_is_a_secret_stays() -> None:
    frame = frames.encode_call("1", "DataTransfer", {"password": None, "passwordSet": True, "secret": ""})
    assert frame_without_secrets("DataTransfer", frame) is frame


@given(st.text(), st.text())
def test_a_text_is_blanked_whatever_stands_around_the_secret(before: str, after: str) -> None:
    assert SECRET not in redacted(f"{before} password: {SECRET} {after}")


@given(st.text(alphabet=st.characters(exclude_categories=["Z", "C"], exclude_characters="/?#@ \\")))
def test_the_password_of_a_url_is_blanked_whatever_it_is(password: str) -> None:
    clean = redacted(f"ftp://user:{password}{SECRET}@host/dir")
    assert SECRET not in clean
    assert clean.endswith("@host/dir")


CHANGE = {"key": "AuthorizationKey", "value": SECRET}


@pytest.mark.parametrize(
    ("request_", "answer", "kept"),
    [
        (
            {},
            {"requestId": "set the password", "status": "ok", "response": {"configurationKey": [CHANGE, {"key": "x", "value": "1"}]}},
            {
                "requestId": "set the password",
                "status": "ok",
                "response": {"configurationKey": [{"key": "AuthorizationKey", "value": REDACTED}, {"key": "x", "value": "1"}]},
            },
        ),
        (CHANGE, {"messageId": "m1", "response": {"status": "Accepted"}}, {"messageId": "m1", "response": {"status": "Accepted"}}),
        (
            CHANGE,
            {"requestId": "r1", "status": "BadPayload", "error": {"path": "value", "description": f"{SECRET} is too long"}},
            {"requestId": "r1", "status": "BadPayload", "error": {"path": "value", "description": REDACTED}},
        ),
        (
            CHANGE,
            {"requestId": "r1", "status": "CallError", "error": {"code": "E", "description": SECRET, "details": {"a": SECRET}}},
            {"requestId": "r1", "status": "CallError", "error": {"code": "E", "description": REDACTED, "details": {}}},
        ),
        (
            CHANGE,
            {"type": "about:blank", "title": "Bad Gateway", "status": 502, "detail": f"it said {SECRET}", "errorCode": "E"},
            {"type": "about:blank", "title": "Bad Gateway", "status": 502, "detail": REDACTED, "errorCode": "E"},
        ),
        (
            {"key": "x", "value": "1"},
            {"status": 502, "detail": "it said 1", "errorDetails": {"password": SECRET, "b": 1}},
            {"status": 502, "detail": "it said 1", "errorDetails": {"password": REDACTED, "b": 1}},
        ),
    ],
)  # fmt: skip
def test_answers_to_commands_are_kept_without_secrets(
    request_: dict[str, Any], answer: dict[str, Any], kept: dict[str, Any]
) -> None:
    assert answer_without_secrets(request_, answer) == kept
