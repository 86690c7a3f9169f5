"""Frames of OCPP-J 2.0.1 and 2.1: other codes than 1.6 has and, in 2.1, two more kinds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ocppj import codec, frames
from csms.ocppj.frames import BadFrame, CallResultError, Send
from csms.ocppj.versions import V21, V201, Version
from tests.ocppj.strategies import json_values, message_ids, objects, text

SILENCE = None
ID_37 = "i" * 37
ID_256 = "i" * 256
both = pytest.mark.parametrize("version", [V201, V21], ids=["2.0.1", "2.1"])


def refusal(data: str, version: Version) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        frames.decode(data.encode(), version)
    return caught.value


@both
@pytest.mark.parametrize(
    ("data", "message_id", "code"),
    [
        ("nonsense", "-1", "RpcFrameworkError"),
        ("{}", "-1", "RpcFrameworkError"),
        ("[]", "-1", "RpcFrameworkError"),
        ("[2]", "-1", "RpcFrameworkError"),
        ('[2,17,"Heartbeat",{}]', "-1", "RpcFrameworkError"),
        ('[2,"","Heartbeat",{}]', "-1", "RpcFrameworkError"),
        (f'[2,"{ID_37}","Heartbeat",{{}}]', ID_37, "RpcFrameworkError"),
        (f'[2,"{ID_256}","Heartbeat",{{}}]', "-1", "RpcFrameworkError"),
        ('[2,"1"]', "1", "FormatViolation"),
        ('[2,"1",7,{}]', "1", "FormatViolation"),
        ('[2,"1","Heartbeat",[]]', "1", "FormatViolation"),
        ('[2,"1","Heartbeat",{},{}]', "1", "FormatViolation"),
        # Part 4 of 2.0.1, §4.4: who does not know a type says so.
        ("[9]", "-1", "MessageTypeNotSupported"),
        ('[9,"1","X",{}]', "1", "MessageTypeNotSupported"),
        ('[7,"1"]', "1", "MessageTypeNotSupported"),
        ('[true,"1","Heartbeat",{}]', "1", "MessageTypeNotSupported"),
        ('["2","1","Heartbeat",{}]', "1", "MessageTypeNotSupported"),
        (f'[9,"{ID_256}","X",{{}}]', "-1", "MessageTypeNotSupported"),
    ],
)
def test_a_bad_frame_is_answered_with_a_callerror(version: Version, data: str, message_id: str, code: str) -> None:
    bad = refusal(data, version)
    assert (bad.message_id, bad.code) == (message_id, code)


@pytest.mark.parametrize("data", ['[5,"1","FormatViolation","",{}]', '[6,"1","NotifyPeriodicEventStream",{}]'])
def test_the_kinds_of_2_1_are_unknown_to_2_0_1(data: str) -> None:
    bad = refusal(data, V201)
    assert (bad.message_id, bad.code) == ("1", "MessageTypeNotSupported")


@pytest.mark.parametrize(
    "data",
    [
        "[5]",
        "[6]",
        '[5,17,"FormatViolation","",{}]',
        '[6,null,"NotifyPeriodicEventStream",{}]',
        f'[6,"{ID_37}","NotifyPeriodicEventStream",{{}}]',
        '[6,"1"]',
        '[6,"1","NotifyPeriodicEventStream"]',
        '[6,"1",7,{}]',
        '[6,"1","NotifyPeriodicEventStream",[]]',
        '[6,"1","NotifyPeriodicEventStream",null]',
        '[6,"1","NotifyPeriodicEventStream",{},{}]',
    ],
)
def test_what_must_not_be_answered_is_not_though_it_is_bad(data: str) -> None:
    assert refusal(data, V21).code is SILENCE


def test_a_send_is_read_and_keeps_its_text() -> None:
    raw = b'[6, "19223201", "NotifyPeriodicEventStream", {"id": 123, "pending": 0}]'
    assert frames.decode(raw, V21) == Send("19223201", "NotifyPeriodicEventStream", {"id": 123, "pending": 0}, raw)


@pytest.mark.parametrize(
    ("data", "code", "description", "details"),
    [
        (b'[5,"1","FormatViolation","no",{"a":1}]', "FormatViolation", "no", {"a": 1}),
        (b'[5,"1","FormatViolation"]', "FormatViolation", "", {}),
        (b'[5,"1"]', "GenericError", "", {}),
        (b'[5,"1",7,8,[9]]', "GenericError", "", {}),
    ],
)
def test_a_callresulterror_is_read_however_sloppy(
    data: bytes, code: str, description: str, details: dict[str, Any]
) -> None:
    assert frames.decode(data, V21) == CallResultError("1", code, description, details, data)


def test_a_callresulterror_is_written_with_its_five_elements() -> None:
    assert frames.encode_result_error("1", "FormatViolation", "x" * 256) == (
        b'[5,"1","FormatViolation","' + b"x" * 255 + b'",{}]'
    )


@pytest.mark.parametrize(
    ("version", "occurrence"), [(V201, "OccurrenceConstraintViolation"), (V21, "OccurrenceConstraintViolation")]
)
def test_codes_are_spelt_as_in_2x(version: Version, occurrence: str) -> None:
    assert (version.format_violation, version.rpc_framework_error) == ("FormatViolation", "RpcFrameworkError")
    assert version.occurrence_violation == occurrence


@given(message_ids, text, objects)
def test_what_is_written_is_read_again(message_id: str, action: str, payload: dict[str, Any]) -> None:
    data = codec.dump([frames.SEND, message_id, action, payload])
    assert frames.decode(data, V21) == Send(message_id, action, payload, data)
    data = frames.encode_result_error(message_id, "GenericError", action[:255])
    assert frames.decode(data, V21) == CallResultError(message_id, "GenericError", action[:255], {}, data)


@given(
    version=st.sampled_from([V201, V21]),
    kind=st.integers(min_value=0, max_value=8),
    members=st.lists(json_values, max_size=5),
)
def test_no_array_raises_anything_but_bad_frame(version: Version, kind: int, members: list[Any]) -> None:
    try:
        frame = frames.decode(codec.dump([kind, *members]), version)
    except BadFrame as bad:
        answered = bad.code is not None
        assert not (answered and kind in version.message_types - {frames.CALL}), "what is no CALL was answered"
        assert answered == (kind not in version.message_types or kind == frames.CALL)
        assert 0 < len(bad.message_id) <= 255
    else:
        assert kind in version.message_types
        assert frame.message_id == members[0]
