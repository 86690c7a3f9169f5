"""The codec refuses what some JSON parser takes and a database, a broker or the next parser cannot bear."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ocppj import codec
from tests.ocppj.strategies import json_values, text


@pytest.mark.parametrize(
    "data",
    [b"\xff", b'["\xc3"]', b'["\xed\xa0\x80"]', b'["\xc0\x80"]', b'["\xf4\x90\x80\x80"]', '["é"]'.encode("latin-1")],
    ids=["ff", "cut off", "surrogate in UTF-8", "overlong NUL", "beyond U+10FFFF", "latin-1"],
)
def test_bytes_that_are_not_utf8_are_told_apart_from_bad_json(data: bytes) -> None:
    with pytest.raises(codec.BadUtf8):
        codec.parse(data)


@pytest.mark.parametrize(
    "data",
    [b"", b" ", b"{", b"[1,]", b"{'a':1}", b"[1] [2]", b"nonsense", b"\xef\xbb\xbf[]", b'["\t"]', b"[01]", b"[.5]"],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(codec.BadJson) as caught:
        codec.parse(data)
    assert not isinstance(caught.value, codec.BadUtf8)


@pytest.mark.parametrize(
    "data", [b"NaN", b"[Infinity]", b"[-Infinity]", b"[1e999]", b"[-1e999]", b"[1" + b"0" * 400 + b"]"]
)
def test_numbers_that_are_not_finite_are_refused(data: bytes) -> None:
    with pytest.raises(codec.BadJson):
        codec.parse(data)


@pytest.mark.parametrize("data", [rb'["\ud800"]', rb'["\udc00"]', rb'["\udc00\ud800"]', rb'{"\ud83d":1}'])
def test_lone_surrogates_are_refused(data: bytes) -> None:
    with pytest.raises(codec.BadJson):
        codec.parse(data)


def test_a_surrogate_pair_is_one_character() -> None:
    assert codec.parse(rb'["\ud83d\ude97"]') == ["🚗"]


@pytest.mark.parametrize(
    "data",
    [
        rb'"\u0000"',
        rb'{"a":["x",{"b":"c\u0000d"}]}',
        rb'{"a\u0000":1}',
        rb'[{"a":{"\u0000":[]}}]',
        rb'"\\\u0000"',
        b'["\0"]',
    ],
)
def test_a_nul_character_is_refused_wherever_it_stands(data: bytes) -> None:
    with pytest.raises(codec.BadJson):
        codec.parse(data)


@pytest.mark.parametrize(
    ("data", "value"),
    [(rb'["\\u0000"]', ["\\u0000"]), (rb'{"\\u0000":1}', {"\\u0000": 1}), (rb'["\\\\u0000"]', ["\\\\u0000"])],
)
def test_an_escaped_backslash_before_u0000_is_no_nul(data: bytes, value: object) -> None:
    assert codec.parse(data) == value


def nested(levels: int, opening: bytes, inner: bytes, closing: bytes) -> bytes:
    return opening * (levels - 1) + inner + closing * (levels - 1)


@pytest.mark.parametrize(("opening", "inner", "closing"), [(b"[", b"[]", b"]"), (b'{"a":', b"{}", b"}")])
def test_sixty_four_levels_are_allowed_and_no_more(opening: bytes, inner: bytes, closing: bytes) -> None:
    deepest = nested(64, opening, inner, closing)
    assert codec.dump(codec.parse(deepest)) == deepest
    for levels in (65, 66, 1000, 100_000):
        with pytest.raises(codec.BadJson):
            codec.parse(nested(levels, opening, inner, closing))


def test_many_brackets_side_by_side_or_in_texts_are_not_deep() -> None:
    wide = [{"a": []} for _ in range(1000)]
    assert codec.parse(codec.dump(wide)) == wide
    assert codec.parse(codec.dump(["[" * 1000 + "{" * 1000])) == ["[" * 1000 + "{" * 1000]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{ "a" : 1 , "a" : 2 }',
        rb'{"a":1,"\u0061":2}',
        rb'{"\/":1,"/":2}',
        b'[2,"1","X",{"b":[{"c":{"a":1,"x":0,"a":2}}]}]',
        b'{"":1,"":2}',
        '{"é":1,"\\u00e9":2}'.encode(),
    ],
)
def test_a_member_that_is_there_twice_is_refused(data: bytes) -> None:
    with pytest.raises(codec.BadJson, match="twice"):
        codec.parse(data)


def test_the_same_member_in_two_objects_is_no_duplicate() -> None:
    assert codec.parse(b'[{"a": 1}, {"a": {"a": 2}}]') == [{"a": 1}, {"a": {"a": 2}}]


def test_integers_keep_their_value_up_to_64_bits_and_become_floats_beyond() -> None:
    assert codec.parse(b"[9223372036854775807,-9223372036854775808]") == [2**63 - 1, -(2**63)]
    assert codec.parse(b"[18446744073709551615]") == [2**64 - 1]
    (beyond,) = codec.parse(b"[123456789012345678901234567890]")
    assert type(beyond) is float
    assert beyond == 123456789012345678901234567890.0


def test_output_is_compact_and_keeps_the_order_of_members() -> None:
    assert (
        codec.dump({"z": [1, 2.5, None], "a": {"y": "é", "b": True}})
        == '{"z":[1,2.5,null],"a":{"y":"é","b":true}}'.encode()
    )


@given(json_values)
def test_whatever_is_dumped_is_parsed_to_itself(value: Any) -> None:
    assert codec.parse(codec.dump(value)) == value


@given(json_values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_spaces_and_escapes_change_nothing(value: Any, indent: int | str | None, escaped: bool) -> None:
    spelt = json.dumps(value, indent=indent, ensure_ascii=escaped, separators=(" , ", " : "))
    assert codec.parse(spelt.encode()) == value


@given(st.dictionaries(text, json_values, min_size=1, max_size=3), st.data())
def test_any_object_with_a_member_repeated_is_refused(value: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(value)))
    members = [*value.items(), (name, data.draw(json_values))]
    inner = ",".join(
        f"{json.dumps(key, ensure_ascii=data.draw(st.booleans()))}:{json.dumps(item)}" for key, item in members
    )
    with pytest.raises(codec.BadJson, match="twice"):
        codec.parse(f"[{{{inner}}}]".encode())


@given(st.binary(max_size=40))
def test_no_bytes_raise_anything_but_bad_json(data: bytes) -> None:
    try:
        value = codec.parse(data)
    except codec.BadJson:
        return
    assert codec.parse(codec.dump(value)) == value
