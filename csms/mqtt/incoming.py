"""What comes from the broker, decoded: PUBLISH, SUBACK and UNSUBACK of MQTT 3.1.1 and 5.

paho would end the connection at a text that the standard allows (U+FEFF in any property, by anybody who may publish), and do
so again at each reconnect where that message is retained. Of the properties only those of request and response are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

_RESPONSE_TOPIC = 0x08
_CORRELATION_DATA = 0x09
_NUMBERS = {0x01: 1, 0x02: 4, 0x23: 2}
"""Properties of a fixed size: payload format, message expiry, topic alias."""
_TEXTS = frozenset({0x03, _RESPONSE_TOPIC, _CORRELATION_DATA})
_SUBSCRIPTION = 0x0B
_USER_PROPERTY = 0x26
_QOS = 0x06
_RETAIN = 0x01


class MalformedPacket(ValueError):
    """The bytes are no such packet."""


@frozen
class Message:
    """A message that the broker delivered."""

    topic: str
    payload: bytes
    retained: bool = False
    """Whether it lay at the broker before the subscription."""
    response_topic: str | None = None
    correlation_data: bytes | None = None


def decode_publish(first: int, packet: bytes | bytearray, *, is_v5: bool) -> tuple[Message | None, int | None]:
    """Decode a PUBLISH by its first byte and what follows the length; return it with its packet id, if it has one.

    The message is None where a topic is not UTF-8: nobody can have meant us.

    :raises MalformedPacket: it is no PUBLISH of QoS 0 or 1, which is what is subscribed to.
    """
    qos = (first & _QOS) >> 1
    if qos > 1:
        raise MalformedPacket("a QoS that was not subscribed to")
    topic, at = _binary(packet, 0)
    packet_id = None
    if qos:
        packet_id, at = _number(packet, at, 2)
    found: dict[int, bytes] = {}
    if is_v5:
        length, at = _variable(packet, at)
        end = at + length
        if end > len(packet):
            raise MalformedPacket("properties longer than the packet")
        found = dict(_properties(packet[at:end]))
        at = end
    try:
        response_topic = found[_RESPONSE_TOPIC].decode() if _RESPONSE_TOPIC in found else None
        text = topic.decode()
    except UnicodeDecodeError:
        return None, packet_id
    message = Message(text, bytes(packet[at:]), bool(first & _RETAIN), response_topic, found.get(_CORRELATION_DATA))
    return message, packet_id


def decode_suback(packet: bytes | bytearray, *, is_v5: bool) -> tuple[int, bytes]:
    """Decode a SUBACK or UNSUBACK; return its packet id and the reason codes (none in an UNSUBACK of 3.1.1).

    :raises MalformedPacket: it is neither.
    """
    packet_id, at = _number(packet, 0, 2)
    if is_v5:
        length, at = _variable(packet, at)
        at += length
    return packet_id, bytes(packet[at:])


def _properties(data: bytes | bytearray) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, at = data[at], at + 1
        if kind in _TEXTS:
            value, at = _binary(data, at)
            yield kind, value
        elif kind == _USER_PROPERTY:
            _, at = _binary(data, at)
            _, at = _binary(data, at)
        elif kind == _SUBSCRIPTION:
            _, at = _variable(data, at)
        elif kind in _NUMBERS:
            _, at = _number(data, at, _NUMBERS[kind])
        else:
            raise MalformedPacket(f"property {kind} is none of PUBLISH")


def _number(data: bytes | bytearray, at: int, size: int) -> tuple[int, int]:
    end = at + size
    if end > len(data):
        raise MalformedPacket("the packet ends too early")
    return int.from_bytes(data[at:end]), end


def _binary(data: bytes | bytearray, at: int) -> tuple[bytes, int]:
    length, at = _number(data, at, 2)
    end = at + length
    if end > len(data):
        raise MalformedPacket("the packet ends too early")
    return bytes(data[at:end]), end


def _variable(data: bytes | bytearray, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 28, 7):
        byte, at = _number(data, at, 1)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise MalformedPacket("a length of more than four bytes")
