"""Commands as they are read, and results as they are written."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from csms.chargepoint.outcomes import (
    CallRefused,
    CallTimedOut,
    ConnectionLost,
    Expired,
    InvalidPayload,
    NotConnected,
    TooManyCommands,
    UnknownAction,
    UnknownChargePoint,
)
from csms.mqtt import command_messages
from csms.mqtt.command_messages import MAX_COMMAND_BYTES, BadRequest, Incoming, ReplyTo, parse
from csms.mqtt.incoming import Message


def incoming(payload, action="Reset", **members):
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Incoming("CP1", action, Message(f"csms/commands/CP1/{action}", data, **members))


def command(**members):
    return parse(incoming({"requestId": "r1", "payload": {"type": "Soft"}, **members}))


def test_a_command_is_read_with_its_members_in_order():
    read = parse(
        incoming(
            b'{"expiresAt":"2026-03-01T12:00:00.5+02:00","payload":{"b":1,"a":{"d":[],"c":2.50}},"requestId":"r1","x":0}'
        )
    )
    assert (read.client_id, read.action, read.request_id) == ("CP1", "Reset", "r1")
    assert json.dumps(read.payload) == '{"b": 1, "a": {"d": [], "c": 2.5}}'
    assert read.expires_at == datetime(2026, 3, 1, 10, 0, 0, 500000, tzinfo=UTC)
    assert read.expires_at.tzinfo is UTC
    assert read.addresses == []
    assert read.timeout_s == 30


def test_how_long_to_wait_is_no_part_of_what_is_to_be_done():
    assert (command(timeout=5).timeout_s, command(timeout=0.5).timeout_s) == (5, 0.5)
    assert command(timeout=5).fingerprint == command().fingerprint


@pytest.mark.parametrize(
    ("payload", "request_id", "reason"),
    [
        (b"", None, "not JSON"),
        (b"reset!", None, "not JSON"),
        (b"\xff", None, "UTF-8"),
        (b'{"requestId":"r1","requestId":"r2","payload":{}}', None, "twice"),
        (b'{"requestId":"r\\u0000","payload":{}}', None, "NUL"),
        (b"[" * 100 + b"]" * 100, None, "deeper"),
        ([], None, "not a JSON object"),
        ({"payload": {}}, None, "requestId"),
        ({"requestId": 7, "payload": {}}, None, "requestId"),
        ({"requestId": "", "payload": {}}, None, "requestId"),
        ({"requestId": "x" * 256, "payload": {}}, None, "requestId"),
        ({"requestId": "a\nb", "payload": {}}, None, "requestId"),
        ({"requestId": "r1"}, "r1", "payload"),
        ({"requestId": "r1", "payload": "{}"}, "r1", "payload"),
        ({"requestId": "r1", "payload": None}, "r1", "payload"),
        ({"requestId": "r1", "payload": {}, "expiresAt": 5}, "r1", "expiresAt"),
        ({"requestId": "r1", "payload": {}, "expiresAt": "tomorrow"}, "r1", "expiresAt"),
        ({"requestId": "r1", "payload": {}, "expiresAt": "2026-03-01T12:00:00"}, "r1", "expiresAt"),
        ({"requestId": "r1", "payload": {}, "expiresAt": "9999-12-31T23:59:59-10:00"}, "r1", "expiresAt"),
        *(({"requestId": "r1", "payload": {}, "timeout": bad}, "r1", "timeout") for bad in (0, -1, 601, True, "5", [])),
        (b'{"requestId":"r1","payload":{}}' + b" " * MAX_COMMAND_BYTES, None, "bytes"),
    ],
)
def test_what_is_not_understood_says_why(payload, request_id, reason):
    with pytest.raises(BadRequest, match=reason) as caught:
        parse(incoming(payload))
    assert caught.value.request_id == request_id


def test_a_response_topic_is_an_address():
    body = {"requestId": "r1", "payload": {}}
    read = parse(incoming(body, response_topic="replies/backend-1", correlation_data=b"\0\xff"))
    assert read.addresses == [ReplyTo("replies/backend-1", b"\0\xff")]
    assert parse(incoming(body, response_topic="csms/command_results/CP1/Reset")).addresses
    assert parse(incoming(body, correlation_data=b"1")).addresses == []


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "a/+",
        "#",
        "$SYS/x",
        "a\nb",
        "a\ufffe",
        "x" * 2000,
        "csms",
        "ocpp/messages/CP1/x",
        "csms/commands/CP2/Reset",
        "csms/transactions/CP1/started",
        "csms/billing/CP1/session_cost",
        "csms/state/CP1",
        "csms/gateways/gw1/status",
    ],
)
def test_a_response_topic_that_is_none_or_is_ours_is_refused(topic):
    with pytest.raises(BadRequest, match="response topic") as caught:
        parse(incoming({"requestId": "r1", "payload": {}}, response_topic=topic))
    assert caught.value.request_id == "r1"


def test_the_fingerprint_is_of_what_would_be_done():
    first = parse(incoming(b'{"requestId":"r1","payload":{"a":1,"b":2}}'))
    assert parse(incoming(b'{"requestId":"r9","payload":{"b":2,"a":1},"x":1}')).fingerprint == first.fingerprint
    assert parse(incoming(b'{"requestId":"r1","payload":{"a":1,"b":3}}')).fingerprint != first.fingerprint
    assert parse(incoming(b'{"requestId":"r1","payload":{"a":1,"b":2}}', "Other")).fingerprint != first.fingerprint


def test_repetitions_add_where_the_answer_goes_but_not_without_end():
    body = {"requestId": "r1", "payload": {}}
    first = parse(incoming(body, response_topic="a", correlation_data=b"1"))
    for number in range(50):
        first.answer_also(parse(incoming(body, response_topic="a", correlation_data=b"1")))
        first.answer_also(parse(incoming(body, response_topic=f"b/{number}")))
    assert first.addresses[:2] == [ReplyTo("a", b"1"), ReplyTo("b/0", None)]
    assert len(first.addresses) == 8


def test_the_answer_of_the_charge_point_is_the_response():
    answer = command_messages.succeeded(command(), {"status": "Accepted"})
    assert answer.body == b'{"requestId":"r1","status":"ok","response":{"status":"Accepted"}}'


@pytest.mark.parametrize(
    ("outcome", "status", "error"),
    [
        (UnknownChargePoint("CP1 is not known"), "UnknownChargePoint", {"description": "CP1 is not known"}),
        (UnknownAction("no"), "UnknownAction", {"description": "no"}),
        (InvalidPayload("type", "bad"), "BadPayload", {"path": "type", "description": "bad"}),
        (NotConnected("no"), "NotConnected", {"description": "no"}),
        (TooManyCommands("no"), "Busy", {"description": "no"}),
        (Expired("no"), "Expired", {"description": "no"}),
        (CallTimedOut("m1"), "Timeout", {"description": "no answer to m1 in time", "messageId": "m1"}),
        (
            CallRefused("NotSupported", "not here", {"a": 1}),
            "CallError",
            {"code": "NotSupported", "description": "not here", "details": {"a": 1}},
        ),
    ],
)
def test_each_outcome_has_its_word(outcome, status, error):
    answer = command_messages.failed(command(), outcome)
    assert (answer.status, json.loads(answer.body)) == (status, {"requestId": "r1", "status": status, "error": error})


def test_a_lost_connection_names_the_message():
    body = json.loads(command_messages.failed(command(), ConnectionLost("m1")).body)
    assert (body["status"], body["error"]["messageId"]) == ("ConnectionLost", "m1")
