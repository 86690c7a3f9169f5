"""Protocol events: the frame as it was on the wire, and no secret in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import assume, given

from csms.events.protocol import ProtocolEvent, publication
from csms.events.redaction import frame_without_secrets
from csms.ocppj import frames
from tests.ocppj.strategies import objects

NOW = datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)
SECRET = "0123456789ABCDEF"


def publish(frame: bytes, action: str = "Heartbeat", **members: Any) -> tuple[str, bytes]:
    event = ProtocolEvent(NOW, "CP 1", members.pop("direction", "in"), action, "17", frame, **members)
    return publication(event, "gw")


def payload_text(body: bytes) -> bytes:
    start = body.index(b'"payload":') + len(b'"payload":')
    return body[start : body.rindex(b',"direction"')]


def test_a_call_is_published_with_its_envelope() -> None:
    topic, body = publish(b'[2,"17","Heartbeat",{}]')
    assert topic == "ocpp/messages/CP%201/Heartbeat"
    assert json.loads(body) == {
        "timestamp": "2026-03-01T10:00:00.123000Z",
        "clientId": "CP 1",
        "messageType": "Heartbeat",
        "requestId": "17",
        "payload": {},
        "direction": "in",
        "gatewayId": "gw",
    }


def test_a_result_is_published_as_response() -> None:
    topic, body = publish(b'[3,"17",{"currentTime":"x"}]', direction="out")
    assert topic == "ocpp/responses/CP%201/Heartbeat"
    event = json.loads(body)
    assert (event["messageType"], event["direction"]) == ("HeartbeatResponse", "out")
    assert event["payload"] == {"currentTime": "x"}


def test_a_send_is_published_as_a_message() -> None:
    topic, body = publish(b'[6,"17","NotifyPeriodicEventStream",{"id":1}]', "NotifyPeriodicEventStream")
    assert topic == "ocpp/messages/CP%201/NotifyPeriodicEventStream"
    event = json.loads(body)
    assert (event["messageType"], event["payload"]) == ("NotifyPeriodicEventStream", {"id": 1})


def test_the_refusal_of_a_response_is_published_beside_the_response() -> None:
    topic, body = publish(b'[5,"17","FormatViolation","no",{}]')
    assert topic == "ocpp/responses/CP%201/Heartbeat"
    event = json.loads(body)
    assert event["messageType"] == "HeartbeatResponseError"
    assert event["payload"] == {"errorCode": "FormatViolation", "errorDescription": "no", "errorDetails": {}}


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        (b'[4,"17","NotSupported","no",{"a":1}]', ("NotSupported", "no", {"a": 1})),
        (b'[4,"17","NotSupported","no"]', ("NotSupported", "no", {})),
        (b'[4,"17","NotSupported"]', ("NotSupported", "", {})),
        (b'[4,"17"]', ("", "", {})),
        (b'[4,"17",7,null,[],"more"]', (7, None, [])),
    ],
)
def test_an_error_is_published_with_its_three_parts(frame: bytes, payload: tuple[Any, ...]) -> None:
    topic, body = publish(frame)
    event = json.loads(body)
    assert topic == "ocpp/responses/CP%201/Heartbeat"
    assert event["messageType"] == "HeartbeatError"
    assert event["payload"] == dict(zip(("errorCode", "errorDescription", "errorDetails"), payload, strict=True))


@pytest.mark.parametrize(
    ("frame", "payload"),
    [
        (b'[2,"17","DataTransfer", { "a" : 1.50, "b":1E2 } ]', b'{ "a" : 1.50, "b":1E2 }'),
        (
            b'[2,"17","DataTransfer",{"z":"\\u00e9\\/","a":12345678901234567890123}]',
            b'{"z":"\\u00e9\\/","a":12345678901234567890123}',
        ),
        (b'[2,"17","DataTransfer",null]', b"null"),
        (b'[3,"17"]', b"{}"),
        (b'[3, "17", {"b":1,\n"a":2}]', b'{"b":1,\n"a":2}'),
    ],
)
def test_the_payload_is_that_of_the_wire_byte_for_byte(frame: bytes, payload: bytes) -> None:
    _, body = publish(frame, "DataTransfer")
    assert payload_text(body) == payload


@given(objects)
def test_any_payload_is_published_as_it_came(payload: dict[str, Any]) -> None:
    frame = frames.encode_call("17", "DataTransfer", payload)
    assume(frame_without_secrets("DataTransfer", frame) == frame)
    _, body = publish(frame, "DataTransfer")
    assert frame.endswith(payload_text(body) + b"]")
    assert json.loads(body)["payload"] == payload


def test_deviations_are_named_where_there_are_any() -> None:
    _, body = publish(b'[2,"17","Heartbeat",{"x":1}]', deviations=("payload: x is too much",))
    assert json.loads(body)["deviations"] == ["payload: x is too much"]
    _, body = publish(b'[2,"17","Heartbeat",{}]')
    assert "deviations" not in json.loads(body)


@pytest.mark.parametrize("key", ["AuthorizationKey", "authorizationkey", "AUTHORIZATIONKEY"])
def test_a_new_authorization_key_is_not_published(key: str) -> None:
    """A key may be spelt in any case (CiString50Type)."""
    frame = frames.encode_call("17", "ChangeConfiguration", {"key": key, "value": SECRET})
    _, body = publish(frame, "ChangeConfiguration", direction="out")
    assert SECRET not in body.decode()
    assert json.loads(body)["payload"] == {"key": key, "value": "(redacted)"}


def test_an_authorization_key_that_is_read_is_not_published() -> None:
    keys = [
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "AuthorizationKey", "readonly": False, "value": SECRET},
        {"key": "AuthorizationKey", "readonly": False},
    ]
    _, body = publish(frames.encode_result("17", {"configurationKey": keys}), "GetConfiguration")
    assert SECRET not in body.decode()
    assert json.loads(body)["payload"]["configurationKey"] == [keys[0], {**keys[1], "value": "(redacted)"}, keys[2]]


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("ChangeConfiguration", b'{"value" : "300","key":"HeartbeatInterval"}'),
        ("GetConfiguration", b'{"key":["AuthorizationKey"]}'),
        ("UpdateFirmware", b'{"location":"https://host:8443/a@b",  "retrieveDate":"x"}'),
    ],
)
def test_what_holds_no_secret_stays_as_it_was(action: str, text: bytes) -> None:
    _, body = publish(b'[2,"17","%s",%s]' % (action.encode(), text), action)
    assert payload_text(body) == text


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("GetDiagnostics", {"location": f"ftp://user:{SECRET}@host/dir"}),
        ("UpdateFirmware", {"location": f"ftps://user:{SECRET}@host/f.bin", "retrieveDate": "x"}),
        ("UpdateFirmware", {"location": f"ftps://user:p@{SECRET}@host/f.bin", "retrieveDate": "x"}),
        ("GetLog", {"log": {"remoteLocation": f"sftp://u:{SECRET}@h"}, "logType": "SecurityLog", "requestId": 1}),
        ("SignedUpdateFirmware", {"requestId": 1, "firmware": {"location": f"https://u:{SECRET}@h/f"}}),
    ],
)
def test_a_password_in_the_place_of_an_upload_is_not_published(action: str, payload: dict[str, Any]) -> None:
    _, body = publish(frames.encode_call("17", action, payload), action, direction="out")
    assert SECRET not in body.decode()
    assert "@h" in body.decode()


def test_an_action_that_is_no_word_does_not_leave_its_topic() -> None:
    topic, body = publish(b'[2,"17","../#",{}]', "../#")
    assert topic == "ocpp/messages/CP%201/..%2F%23"
    assert json.loads(body)["messageType"] == "../#"
