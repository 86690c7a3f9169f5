"""What was said is found again: in order, by action, by time, page by page, without its secrets."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta

import msgspec
import pytest
import pytest_twisted
from sqlalchemy import select

from csms.events.protocol import ProtocolEvent
from csms.ocppj import frames
from csms.store import tables
from csms.store.messages import SEGMENT_BYTES, SEGMENT_MESSAGES, list_messages, segments_of
from tests.store.decisions import NOW
from tests.store.raw_messages import answer, call, keep

SECRET = "0123456789ABCDEF"


def listed(store, client_id="CP1", limit=100, **wanted):
    return store.read(lambda connection: list_messages(connection, client_id, limit=limit, **wanted))


@pytest_twisted.ensureDeferred
async def test_messages_are_listed_newest_first_with_all_that_is_known(store):
    error = frames.encode_error("m2", "NotSupported", "no", {"a": 1})
    await keep(
        store,
        call(1, "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}),
        answer(1, "BootNotification", {"status": "Accepted"}),
        call(2, "Reset", {"type": "Hard"}, direction="out"),
        ProtocolEvent(NOW, "CP1", "in", "Reset", "m2", error),
        call(9, client_id="CP2"),
    )
    found = await listed(store)
    assert [(item.direction, item.kind, item.action, item.message_id) for item in found] == [
        ("in", "CALLERROR", "Reset", "m2"),
        ("out", "CALL", "Reset", "m2"),
        ("out", "CALLRESULT", "BootNotification", "m1"),
        ("in", "CALL", "BootNotification", "m1"),
    ]
    assert [item.entry_id for item in found] == sorted((item.entry_id for item in found), reverse=True)
    assert json.loads(msgspec.json.encode(found[0])) == {
        "entryId": found[0].entry_id,
        "at": "2026-03-01T12:00:00Z",
        "direction": "in",
        "kind": "CALLERROR",
        "action": "Reset",
        "messageId": "m2",
        "payload": {"errorCode": "NotSupported", "errorDescription": "no", "errorDetails": {"a": 1}},
        "size": len(error),
    }
    assert bytes(found[3].payload) == b'{"chargePointVendor":"V","chargePointModel":"M"}'


@pytest_twisted.ensureDeferred
async def test_the_further_kinds_of_2_1_are_listed(store):
    stream = b'[6,"m1","NotifyPeriodicEventStream",{"id":1}]'
    refusal = frames.encode_result_error("m2", "FormatViolation", "no")
    await keep(
        store,
        ProtocolEvent(NOW, "CP1", "in", "NotifyPeriodicEventStream", "m1", stream),
        ProtocolEvent(NOW, "CP1", "in", "Heartbeat", "m2", refusal),
    )
    second, first = await listed(store)
    assert (first.kind, first.message_id, bytes(first.payload)) == ("SEND", "m1", b'{"id":1}')
    assert (second.kind, second.message_id) == ("CALLRESULTERROR", "m2")
    assert json.loads(bytes(second.payload))["errorCode"] == "FormatViolation"


@pytest_twisted.ensureDeferred
async def test_pages_are_gone_through_by_the_entry_that_was_last(store):
    # Several segments, the last ones compressed.
    for first in range(1, 400, 40):
        await keep(store, *(call(number, payload={"n": number}) for number in range(first, first + 40)))
    numbers, before = [], None
    while page := await listed(store, limit=33, before=before):
        numbers += [json.loads(bytes(item.payload))["n"] for item in page]
        before = page[-1].entry_id
    assert numbers == list(range(400, 0, -1))


@pytest_twisted.ensureDeferred
async def test_messages_are_found_by_action_and_time(store):
    for first in (0, 50):
        for number in range(first, first + 50):
            action = "StatusNotification" if number % 10 == 0 else "Heartbeat"
            await keep(store, call(number, action), answer(number, action))
    found = await listed(store, action="StatusNotification", limit=5)
    assert [item.message_id for item in found] == ["m90", "m90", "m80", "m80", "m70"]
    since, until = NOW + timedelta(seconds=20), NOW + timedelta(seconds=40)
    found = await listed(store, action="StatusNotification", since=since, until=until)
    assert [item.message_id for item in found] == ["m30", "m30", "m20", "m20"]
    assert {item.kind for item in found} == {"CALL", "CALLRESULT"}
    assert [item.message_id for item in await listed(store, since=NOW + timedelta(seconds=99))] == ["m99", "m99"]
    assert await listed(store, until=NOW) == []
    assert await listed(store, "CP2") == []


@pytest.mark.parametrize("action", ["%", "_", "Heart", "heartbeat", "x" * 300, "a'b", "*"])
@pytest_twisted.ensureDeferred
async def test_an_action_that_is_no_word_finds_only_itself(store, action):
    await keep(store, call(1), call(2, action), call(3))
    assert [item.message_id for item in await listed(store, action=action)] == ["m2"]


@pytest_twisted.ensureDeferred
async def test_deviations_stay_with_their_message(store):
    deviation = f'value: maxLength: "password is {SECRET}" is longer than 20 characters'
    await keep(store, call(1, deviations=("x: enum: y", deviation)), call(2))
    second, first = await listed(store)
    assert first.deviations == ("x: enum: y", "(redacted)")
    assert second.deviations is msgspec.UNSET
    assert first.size == len(call(1).frame)


@pytest.mark.parametrize("number", [1, 100])
@pytest_twisted.ensureDeferred
async def test_no_secret_reaches_the_ledger(store, number):
    payload = {"key": "AuthorizationKey", "value": SECRET}
    secret = call(0, "ChangeConfiguration", payload, direction="out")
    await keep(store, secret, *(call(each) for each in range(1, number)))
    rows = await store.read(lambda connection: connection.execute(select(tables.messages)).all())
    body = rows[0].body if number == 1 else zlib.decompress(rows[0].body)
    assert SECRET.encode() not in body
    (found,) = await listed(store, action="ChangeConfiguration")
    assert json.loads(bytes(found.payload)) == {"key": "AuthorizationKey", "value": "(redacted)"}
    assert found.size == len(secret.frame)


@pytest_twisted.ensureDeferred
async def test_of_a_message_that_is_too_large_everything_but_its_payload_is_kept(store):
    noise = "".join(f"{number * 7919 % 65521:04x}" for number in range(40_000))
    large = call(1, "DataTransfer", {"vendorId": "V", "data": noise})
    await keep(store, large, answer(1, "DataTransfer", {"data": noise}), call(2), bound=65536)
    newest, result, found = await listed(store)
    assert (found.kind, found.message_id, bytes(found.payload), found.size) == ("CALL", "m1", b"null", len(large.frame))
    assert (result.kind, bytes(result.payload)) == ("CALLRESULT", b"null")
    assert newest.message_id == "m2"


def test_a_long_session_is_packed_into_several_segments():
    many = list(segments_of("CP1", (call(number) for number in range(SEGMENT_MESSAGES * 2 + 1)), 10**6))
    assert len(many) == 3
    large = [call(number, payload={"a": "x" * (SEGMENT_BYTES // 3)}) for number in range(7)]
    assert len(list(segments_of("CP1", large, 10**6))) == 4
    assert list(segments_of("CP1", [], 10**6)) == []


def test_messages_that_look_alike_take_little_space():
    values = [{"timestamp": "2026-03-01T12:00:00Z", "sampledValue": [{"value": "1.5", "unit": "kWh"}]}] * 6
    events = [call(number, "MeterValues", {"connectorId": 1, "meterValue": values}) for number in range(40)]
    (segment,) = segments_of("CP1", events, 10**6)
    assert segment.size * 8 < sum(len(event.frame) for event in events)


def test_a_clock_that_goes_back_does_not_hide_what_was_said():
    (segment,) = segments_of("CP1", [call(5), call(2)], 10**6)
    assert (segment.first_at, segment.last_at) == (NOW + timedelta(seconds=2), NOW + timedelta(seconds=5))
