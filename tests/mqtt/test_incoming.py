"""PUBLISH and SUBACK as brokers send them; whatever else they send is malformed, and nothing worse."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.mqtt.incoming import MalformedPacket, Message, decode_publish, decode_suback
from csms.mqtt.packets import all_properties, correlation_data, user_properties

QOS_0, QOS_1, RETAINED = 0x30, 0x32, 0x33


def text(value):
    encoded = value if isinstance(value, bytes) else value.encode()
    return len(encoded).to_bytes(2) + encoded


def with_properties(data):
    return bytes((len(data),)) + data


def test_a_message_of_3_1_1():
    packet = text("csms/commands/CP1/Reset") + b"\x12\x34" + b"{}"
    assert decode_publish(QOS_1, packet, is_v5=False) == (Message("csms/commands/CP1/Reset", b"{}"), 0x1234)


def test_a_message_of_qos_0_has_no_packet_id():
    assert decode_publish(QOS_0, text("a") + b"{}", is_v5=False) == (Message("a", b"{}"), None)


def test_a_retained_message_says_so():
    message, _ = decode_publish(RETAINED, bytearray(text("a") + b"\0\1"), is_v5=False)
    assert message == Message("a", b"", retained=True)


def test_of_the_properties_those_of_request_and_response_are_kept():
    properties = (
        b"\x01\x01" + b"\x02\0\0\0\x09" + b"\x03" + text("application/json") + b"\x26" + text("k") + text("\ufeff")
        + b"\x08" + text("replies/1") + b"\x09" + text(b"\0\xff") + b"\x0b\x80\x01" + b"\x23\0\1"
    )  # fmt: skip
    packet = text("a") + b"\0\1" + with_properties(properties) + b"{}"
    message, packet_id = decode_publish(QOS_1, packet, is_v5=True)
    assert message == Message("a", b"{}", response_topic="replies/1", correlation_data=b"\0\xff")
    assert packet_id == 1


def test_what_the_daemon_packs_it_can_read():
    packed = all_properties(user_properties(("id", "x" * 300)) + correlation_data(b"\0\1"))
    message, _ = decode_publish(QOS_0, text("a") + packed + b"{}", is_v5=True)
    assert message == Message("a", b"{}", correlation_data=b"\0\1")


@pytest.mark.parametrize(
    "packet", [text(b"\xff") + b"\0\1\0{}", text("a") + b"\0\1" + with_properties(b"\x08" + text(b"\xff"))]
)
def test_topics_that_are_not_utf_8_are_of_nobody(packet):
    assert decode_publish(QOS_1, packet, is_v5=True) == (None, 1)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0",
        b"\0\5a",
        text("a"),
        text("a") + b"\0\1",
        text("a") + b"\0\1\5",
        text("a") + b"\0\1\1\x7f",
        text("a") + b"\0\1" + b"\xff" * 5,
    ],
)
def test_what_is_cut_off_or_unknown_is_malformed(packet):
    with pytest.raises(MalformedPacket):
        decode_publish(QOS_1, packet, is_v5=True)


def test_a_qos_that_was_not_asked_for_is_malformed():
    with pytest.raises(MalformedPacket):
        decode_publish(0x34, text("a") + b"\0\1", is_v5=False)


@given(st.integers(0, 15), st.binary(max_size=60), st.booleans())
def test_no_bytes_do_anything_else(flags, packet, is_v5):
    for decode in (
        lambda: decode_publish(0x30 | flags, packet, is_v5=is_v5),
        lambda: decode_suback(packet, is_v5=is_v5),
    ):
        with suppress(MalformedPacket):
            decode()


def test_subacks():
    assert decode_suback(b"\0\7\0\x01\x87", is_v5=True) == (7, b"\x01\x87")
    assert decode_suback(b"\0\7\x01\x80", is_v5=False) == (7, b"\x01\x80")
    assert decode_suback(b"\0\7", is_v5=False) == (7, b"")
    with pytest.raises(MalformedPacket):
        decode_suback(b"\0", is_v5=False)
