"""PUBLISH and PUBACK against paho's own writing and the bytes of the standard."""

from __future__ import annotations

from itertools import count
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers

from csms.mqtt import packets
from csms.mqtt.feed import Unpublishable

TEXTS = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=["Cc", "Cs"]), max_size=300)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=5))
def test_properties_are_packed_as_paho_packs_them(pairs):
    theirs = Properties(PacketTypes.PUBLISH)
    theirs.ContentType = "application/json"
    theirs.UserProperty = pairs
    assert packets.all_properties(packets.user_properties(*pairs)) == theirs.pack()


def test_correlation_data_are_packed_as_paho_packs_them():
    theirs = Properties(PacketTypes.PUBLISH)
    theirs.ContentType = "application/json"
    theirs.CorrelationData = b"\0\xff"
    assert packets.all_properties(packets.correlation_data(b"\0\xff")) == theirs.pack()


def test_no_properties_are_one_byte():
    assert packets.all_properties(b"") == b"\0"


@pytest.mark.parametrize("text", ["\x00", "a\x1fb", "\ufdd0", "x" * 65536], ids=ascii)
def test_a_property_that_no_broker_takes_is_unpublishable(text):
    with pytest.raises(Unpublishable):
        packets.user_properties(("id", text))


@given(st.integers(0, 268_435_455))
def test_lengths_are_written_as_paho_writes_them(number):
    assert packets.variable_length(number) == VariableByteIntegers.encode(number)


def publishes(*messages, qos=0, retain=False, is_v5=False, largest=inf):
    packet_ids = count(258)
    terms = {"qos": qos, "retain": retain, "is_v5": is_v5, "largest": largest}
    return packets.publishes(messages, lambda: next(packet_ids), **terms)


def test_a_publish_has_its_parts_in_order():
    """MQTT 5 §3.3: flags, length, topic, packet identifier, properties, payload."""
    first, second = b"\x33\x0a\x00\x03a/b\x01\x02\x00{}", b"\x33\x08\x00\x01c\x01\x03\x00[]"
    both = publishes(("a/b", b"{}", b""), ("c", b"[]", b""), qos=1, retain=True, is_v5=True)
    assert both == (first + second, [258, 259])
    assert publishes(("a", b"", b"")) == (b"\x30\x03\x00\x01a", [0])
    assert publishes(("a", b"x" * 200, b"")) == (b"\x30\xcb\x01\x00\x01a" + b"x" * 200, [0])
    assert publishes() == (b"", [])


def test_properties_go_with_mqtt_5_only():
    named = packets.user_properties(("id", "1"))
    assert publishes(("a", b"", named)) == publishes(("a", b"", b""))
    packed, _ = publishes(("a", b"{}", named), is_v5=True)
    assert packed == bytes((0x30, len(packed) - 2)) + b"\x00\x01a" + packets.all_properties(named) + b"{}"


@pytest.mark.parametrize("topic", ["", "x" * 65536, "\ud800"], ids=["empty", "long", "surrogate"])
@pytest.mark.parametrize("qos", [0, 1])
def test_a_topic_that_cannot_be_is_unpublishable_and_the_others_go_out(topic, qos):
    packed, (first, refused, last) = publishes(("a", b"1", b""), (topic, b"2", b""), ("c", b"3", b""), qos=qos)
    assert (packed, [first, last]) == publishes(("a", b"1", b""), ("c", b"3", b""), qos=qos)
    assert isinstance(refused, Unpublishable)


def test_what_the_broker_would_not_take_is_unpublishable_and_the_others_go_out():
    """Not up to the last byte."""
    packed, outcomes = publishes(("a", b"1", b""), ("b", b"2" * 9000, b""), ("c", b"3" * 8000, b""), largest=10_000)
    assert packed == b"".join(publishes(message)[0] for message in (("a", b"1", b""), ("c", b"3" * 8000, b"")))
    assert [str(outcome) for outcome in outcomes] == ["0", "9003 bytes are more than the broker takes", "0"]


ACKS = b"\x40\x02\x00\x01" + b"\x40\x03\x01\x00\x10" + b"\x40\x04\xff\xff\x97\x00"


def test_acknowledgements_are_read_up_to_another_packet():
    """MQTT 5 §3.4: without a reason code it is success."""
    found = [(1, 0), (256, 0x10), (65535, 0x97)]
    assert packets.acknowledgements(ACKS, 0) == (found, len(ACKS))
    assert packets.acknowledgements(b"??" + ACKS + b"\xd0\x00", 2) == (found, len(ACKS) + 2)
    assert packets.acknowledgements(ACKS, 4) == (found[1:], len(ACKS))


@pytest.mark.parametrize("cut", range(len(ACKS)))
def test_a_part_of_an_acknowledgement_is_left_for_the_next_time(cut):
    found, place = packets.acknowledgements(ACKS[:cut], 0)
    rest, end = packets.acknowledgements(ACKS, place)
    assert found + rest == [(1, 0), (256, 0x10), (65535, 0x97)]
    assert end == len(ACKS)


def test_one_that_gives_a_reason_in_words_is_left_to_paho():
    assert packets.acknowledgements(b"\x40\x09\x00\x01\x97\x05\x1f\x00\x02no", 0) == ([], 0)
