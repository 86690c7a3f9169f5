"""The two packets of MQTT that there is one of for each message, written and read fast: PUBLISH and its PUBACK (MQTT 5 §3.3, §3.4).

What comes else is read by `incoming`; everything more is paho's.
"""

from __future__ import annotations

from csms.events import topics
from csms.mqtt.feed import Unpublishable

_PUBLISH = 0x30
_RETAIN = 0x01
_PLAIN, _PLAIN_RETAINED = bytes((_PUBLISH,)), bytes((_PUBLISH | _RETAIN,))
_PUBACK = 0x40
_CORRELATION_DATA = b"\x09"
_CONTENT_TYPE_JSON = b"\x03\x00\x10application/json"
_NO_PROPERTIES = b"\x00"
_LONGEST_TEXT = 65535


def publish(topic: str, payload: bytes, *, qos: int, retain: bool, packet_id: int, properties: bytes) -> bytes:
    """Return a PUBLISH; ``properties`` are packed, and empty for MQTT 3.1.1.

    :raises Unpublishable: the topic is empty or too long, or no UTF-8.
    """
    try:
        name = topic.encode()
    except UnicodeEncodeError as error:
        raise Unpublishable(str(error)) from None
    if not 0 < len(name) <= _LONGEST_TEXT:
        # With MQTT 5 an empty topic would be taken for an alias, and the broker hang up.
        raise Unpublishable("the topic is empty or too long")
    size, length = 2 + len(name) + len(properties) + len(payload), len(name).to_bytes(2)
    if not qos:
        head = _PLAIN_RETAINED if retain else _PLAIN
        return b"".join((head, variable_length(size), length, name, properties, payload))
    head = bytes((_PUBLISH | qos << 1 | (_RETAIN if retain else 0),))
    return b"".join((head, variable_length(size + 2), length, name, packet_id.to_bytes(2), properties, payload))


def acknowledgements(data: bytes, start: int) -> tuple[list[tuple[int, int]], int]:
    """Read the whole PUBACKs that stand at a place, until another packet comes.

    Return packet identifiers with their reason codes, and the place after them.
    """
    found: list[tuple[int, int]] = []
    end = len(data)
    while end - start >= 4 and data[start] == _PUBACK:
        size = data[start + 1]
        after = start + 2 + size
        if not 2 <= size <= 4 or after > end:
            break  # with more it tells a reason in words, and is paho's
        found.append((data[start + 2] << 8 | data[start + 3], data[start + 4] if size > 2 else 0))
        start = after
    return found, start


def user_properties(*pairs: tuple[str, str]) -> bytes:
    """Return user properties as they stand in a packet (MQTT 5 §3.3.2.3.7).

    :raises Unpublishable: one holds what no broker takes.
    """
    for text in (text for pair in pairs for text in pair):
        if not topics.is_publishable(text) or len(text.encode()) > _LONGEST_TEXT:
            raise Unpublishable("a property holds what no broker takes")
    return b"".join([user_property(name.encode(), value.encode()) for name, value in pairs])


def user_property(name: bytes, value: bytes) -> bytes:
    """Return one user property, of texts that are known to be publishable."""
    return b"\x26%b%b%b%b" % (len(name).to_bytes(2), name, len(value).to_bytes(2), value)


def all_properties(user: bytes, correlation_data: bytes | None) -> bytes:
    """Return the properties of a PUBLISH of MQTT 5: the content type JSON, user properties, correlation data."""
    if not user and correlation_data is None:
        return _NO_PROPERTIES
    packed = _CONTENT_TYPE_JSON + user
    if correlation_data is not None:
        packed += b"".join((_CORRELATION_DATA, len(correlation_data).to_bytes(2), correlation_data))
    return variable_length(len(packed)) + packed


def variable_length(number: int) -> bytes:
    """Return a number as a variable byte integer (MQTT 5 §1.5.5)."""
    if number < 128:
        return bytes((number,))
    if number < 16384:
        return bytes((number & 127 | 128, number >> 7))
    encoded = bytearray()
    while True:
        number, byte = divmod(number, 128)
        encoded.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(encoded)
