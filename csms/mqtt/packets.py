"""The two packets of MQTT that there is one of for each message, written and read fast: PUBLISH and its PUBACK (MQTT 5 §3.3, §3.4).

What comes else is read by `incoming`; everything more is paho's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from functools import lru_cache

from csms.events import topics
from csms.mqtt.feed import Outgoing, Unpublishable

_PUBLISH = 0x30
_PUBACK = 0x40
_acknowledgement = struct.Struct(">BBH").unpack_from
_CORRELATION_DATA = b"\x09"
_CONTENT_TYPE_JSON = b"\x03\x00\x10application/json"
_NO_PROPERTIES = b"\x00"
_USER_PROPERTY = b"\x26"
_LONGEST_TEXT = 65535
_MARGIN_BYTES = 1024
"""For a broker that counts more than the standard does; it would hang up, again and again."""


def publishes(
    messages: Iterable[Outgoing],
    next_packet_id: Callable[[], int],
    *,
    qos: int,
    retain: bool,
    is_v5: bool,
    largest: float,
) -> tuple[bytes, list[int | Unpublishable]]:
    """Return the PUBLISH of each message, one behind the other, and their packet ids: 0 with QoS 0.

    What can never be published is left out, and has the reason in place of its packet id: the topic is empty or too long, or
    no UTF-8, or the packet is larger than the broker takes.
    """
    first = bytes((_PUBLISH | qos << 1 | retain,))
    fixed, most = 4 if qos else 2, largest - _MARGIN_BYTES
    packet_id, number = 0, b""
    no_properties = _NO_PROPERTIES if is_v5 else b""
    packed: list[bytes] = []
    outcomes: list[int | Unpublishable] = []
    for topic, payload, properties in messages:
        try:
            name = topic.encode()
            if not 0 < len(name) <= _LONGEST_TEXT:
                # With MQTT 5 an empty topic would be taken for an alias, and the broker hang up.
                raise Unpublishable("the topic is empty or too long")
            about = all_properties(properties) if properties and is_v5 else no_properties
            size = fixed + len(name) + len(about) + len(payload)
            if size > most:
                raise Unpublishable(f"{size} bytes are more than the broker takes")
        except ValueError as error:
            outcomes.append(Unpublishable(str(error)))
            continue
        if qos:
            packet_id = next_packet_id()
            number = packet_id.to_bytes(2)
        packed += (first, variable_length(size), len(name).to_bytes(2), name, number, about, payload)
        outcomes.append(packet_id)
    return b"".join(packed), outcomes


def acknowledgements(data: bytes, start: int) -> tuple[list[tuple[int, int]], int]:
    """Read the whole PUBACKs that stand at a place, until another packet comes.

    Return packet identifiers with their reason codes, and the place after them.
    """
    found: list[tuple[int, int]] = []
    end = len(data)
    while end - start >= 4:
        kind, size, packet_id = _acknowledgement(data, start)
        after = start + 2 + size
        if kind != _PUBACK or not 2 <= size <= 4 or after > end:
            break  # with more it tells a reason in words, and is paho's
        found.append((packet_id, data[start + 4] if size > 2 else 0))
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
    return property_name(name) + len(value).to_bytes(2) + value


def property_name(name: bytes) -> bytes:
    """Return the name of a user property; behind it stands the value's length in two bytes, and the value."""
    return _USER_PROPERTY + len(name).to_bytes(2) + name


def correlation_data(data: bytes) -> bytes:
    """Return correlation data as they stand in a packet (MQTT 5 §3.3.2.3.6)."""
    return b"".join((_CORRELATION_DATA, len(data).to_bytes(2), data))


def all_properties(packed: bytes) -> bytes:
    """Return the properties of a PUBLISH of MQTT 5: the content type JSON before what was packed, or none at all."""
    if not packed:
        return _NO_PROPERTIES
    return b"".join((variable_length(len(_CONTENT_TYPE_JSON) + len(packed)), _CONTENT_TYPE_JSON, packed))


@lru_cache(maxsize=4096)
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
