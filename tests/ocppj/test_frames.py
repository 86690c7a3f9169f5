"""Frames of OCPP-J 1.6: what is read, what is refused and how, what is written. Those of 2.x: test_frames_2x.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ocppj import codec, frames
from csms.ocppj.frames import BadFrame, Call, CallError, CallResult
from csms.ocppj.versions import V16
from tests.ocppj.strategies import json_values, message_ids, objects

SILENCE = None
ID_36 = "i" * 36
ID_37 = "i" * 37
ID_255 = "i" * 255
ID_256 = "i" * 256


def refusal(data: bytes | str) -> BadFrame:
    with pytest.raises(BadFrame) as caught:
        frames.decode(data.encode() if isinstance(data, str) else data, V16)
    return caught.value


@pytest.mark.parametrize(
    ("data", "message_id", "code"),
    [
        ("nonsense", "-1", "FormationViolation"),
        ("", "-1", "FormationViolation"),
        ('[2,"1","Heartbeat",{}', "-1", "FormationViolation"),
        ('[2,"1","Heartbeat",{"a":1,"a":2}]', "-1", "FormationViolation"),
        (r'[2,"1","Heartbeat",{"a":"\u0000"}]', "-1", "FormationViolation"),
        ('[2,"1","Heartbeat",{"a":NaN}]', "-1", "FormationViolation"),
        ("{}", "-1", "FormationViolation"),
        ('"[2]"', "-1", "FormationViolation"),
        ("null", "-1", "FormationViolation"),
        ("[]", "-1", "FormationViolation"),
        # The message id of a CALL.
        ("[2]", "-1", "FormationViolation"),
        ('[2,null,"Heartbeat",{}]', "-1", "FormationViolation"),
        ('[2,17,"Heartbeat",{}]', "-1", "FormationViolation"),
        ('[2,"","Heartbeat",{}]', "-1", "FormationViolation"),
        ('[2,["1"],"Heartbeat",{}]', "-1", "FormationViolation"),
        (f'[2,"{ID_37}","Heartbeat",{{}}]', ID_37, "FormationViolation"),
        (f'[2,"{ID_255}","Heartbeat",{{}}]', ID_255, "FormationViolation"),
        (f'[2,"{ID_256}","Heartbeat",{{}}]', "-1", "FormationViolation"),
        # The rest of a CALL.
        ('[2,"1"]', "1", "FormationViolation"),
        ('[2,"1","Heartbeat"]', "1", "FormationViolation"),
        ('[2,"1",{}]', "1", "FormationViolation"),
        ('[2,"1",7,{}]', "1", "FormationViolation"),
        ('[2,"1",null,{}]', "1", "FormationViolation"),
        ('[2,"1","Heartbeat",{},{}]', "1", "FormationViolation"),
        ('[2,"1","Heartbeat",[]]', "1", "FormationViolation"),
        ('[2,"1","Heartbeat","{}"]', "1", "FormationViolation"),
        ('[2,"1","Heartbeat",0]', "1", "FormationViolation"),
        ('[2,"1","Heartbeat",false]', "1", "FormationViolation"),
    ],
)
def test_a_bad_call_is_answered_with_a_callerror(data: str, message_id: str, code: str) -> None:
    bad = refusal(data)
    assert (bad.message_id, bad.code) == (message_id, code)
    assert bad.description


@pytest.mark.parametrize(
    "data",
    [
        "[9]",
        '[9,"1"]',
        '[5,"1","Heartbeat",{}]',
        '[6,"1","X",{}]',
        '["2","1","Heartbeat",{}]',
        '[2.0,"1","Heartbeat",{}]',
        '[true,"1","Heartbeat",{}]',
        '[null,"1","Heartbeat",{}]',
        '[[2],"1","Heartbeat",{}]',
        '[-2,"1","Heartbeat",{}]',
    ],
)
def test_an_unknown_message_type_is_met_with_silence(data: str) -> None:
    """OCPP-J 1.6 §4.1.3: a message with a type that is not in the list is ignored."""
    assert refusal(data).code is SILENCE


@pytest.mark.parametrize(
    "data",
    [
        "[3]",
        "[4]",
        "[3,null,{}]",
        "[3,5,{}]",
        '[3,"",{}]',
        f'[3,"{ID_37}",{{}}]',
        f'[4,"{ID_256}","GenericError","",{{}}]',
        '[3,"1",[]]',
        '[3,"1","x"]',
        '[3,"1",{},{}]',
        '[4,17,"GenericError","",{}]',
    ],
)
def test_a_bad_answer_is_never_answered(data: str) -> None:
    assert refusal(data).code is SILENCE


def test_bytes_that_are_not_utf8_are_for_the_websocket_to_refuse() -> None:
    with pytest.raises(codec.BadUtf8):
        frames.decode(b'[2,"1","Heartbeat",{"a":"\xff"}]', V16)


def test_a_call_is_read_and_keeps_its_text() -> None:
    raw = b'[2, "19223201", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]'
    assert frames.decode(raw, V16) == Call(
        "19223201", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}, raw
    )


def test_a_message_id_of_36_characters_is_taken() -> None:
    raw = f'[2,"{ID_36}","Heartbeat",{{}}]'.encode()
    assert frames.decode(raw, V16) == Call(ID_36, "Heartbeat", {}, raw)


@pytest.mark.parametrize(
    ("data", "frame"),
    [
        (b'[2,"1","Heartbeat",null]', Call("1", "Heartbeat", {}, b'[2,"1","Heartbeat",null]')),
        (b'[3,"1",null]', CallResult("1", {}, b'[3,"1",null]')),
        (b'[3,"1"]', CallResult("1", {}, b'[3,"1"]')),
    ],
)
def test_a_payload_that_is_null_is_an_empty_one(data: bytes, frame: frames.Frame) -> None:
    assert frames.decode(data, V16) == frame


@pytest.mark.parametrize(
    ("data", "code", "description", "details"),
    [
        (b'[4,"1","NotSupported","no",{"a":1}]', "NotSupported", "no", {"a": 1}),
        (b'[4,"1","NotSupported","no"]', "NotSupported", "no", {}),
        (b'[4,"1","NotSupported"]', "NotSupported", "", {}),
        (b'[4,"1"]', "GenericError", "", {}),
        (b'[4,"1","",null,null]', "GenericError", "", {}),
        (b'[4,"1",7,8,[9]]', "GenericError", "", {}),
        (b'[4,"1","NotSupported","no",{},"more"]', "NotSupported", "no", {}),
    ],
)
def test_a_sloppy_callerror_still_settles_its_call(
    data: bytes, code: str, description: str, details: dict[str, Any]
) -> None:
    assert frames.decode(data, V16) == CallError("1", code, description, details, data)


def test_callerror_codes_are_spelt_as_in_1_6() -> None:
    """ocpp-go#331: the wrong spelling makes some stations retry for ever."""
    assert V16.format_violation == "FormationViolation"
    assert V16.rpc_framework_error == "FormationViolation"
    assert V16.occurrence_violation == "OccurenceConstraintViolation"


def test_what_is_written_is_compact_with_members_in_the_order_given() -> None:
    assert frames.encode_call("1", "Reset", {"type": "Soft"}) == b'[2,"1","Reset",{"type":"Soft"}]'
    assert frames.encode_result("1", {"z": 1, "a": {"y": 2, "b": 3}}) == b'[3,"1",{"z":1,"a":{"y":2,"b":3}}]'
    assert (
        frames.encode_error("1", "NotImplemented", "no", {"b": 1, "a": 2})
        == b'[4,"1","NotImplemented","no",{"b":1,"a":2}]'
    )
    assert frames.encode_error("1", "NotImplemented", "no") == b'[4,"1","NotImplemented","no",{}]'


def test_a_callerror_description_has_255_characters_at_most() -> None:
    text = frames.encode_error("1", "GenericError", "é" * 256)
    assert codec.parse(text)[3] == "é" * 255


@given(message_ids, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), objects)
def test_what_is_written_is_read_again(message_id: str, action: str, payload: dict[str, Any]) -> None:
    text = frames.encode_call(message_id, action, payload)
    assert frames.decode(text, V16) == Call(message_id, action, payload, text)
    text = frames.encode_result(message_id, payload)
    assert frames.decode(text, V16) == CallResult(message_id, payload, text)
    text = frames.encode_error(message_id, "GenericError", action[:255], payload)
    assert frames.decode(text, V16) == CallError(message_id, "GenericError", action[:255], payload, text)


@given(st.lists(json_values, max_size=6))
def test_no_array_raises_anything_but_bad_frame(members: list[Any]) -> None:
    try:
        frame = frames.decode(codec.dump(members), V16)
    except BadFrame as bad:
        answered = bad.code is not None
        assert not (answered and members and members[0] in (3, 4)), "an answer was answered"
        assert 0 < len(bad.message_id) <= 255
    else:
        assert members[0] in (2, 3, 4)
        assert frame.message_id == members[1]
