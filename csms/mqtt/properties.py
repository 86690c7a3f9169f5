"""The properties of a PUBLISH of MQTT 5, packed once and fast (MQTT 5 §2.2.2)."""

from __future__ import annotations

from collections.abc import Sequence

from csms.events import topics
from csms.mqtt.feed import Unpublishable

_USER_PROPERTY = 0x26
_CONTENT_TYPE = 0x03
_CORRELATION_DATA = 0x09
_LONGEST_TEXT = 65535


class PackedProperties:
    """MQTT 5 properties as bytes: content type, user properties, correlation data. paho asks only for ``pack``."""

    def __init__(self, properties: Sequence[tuple[str, str]], correlation_data: bytes | None = None) -> None:
        packed = bytearray((_CONTENT_TYPE,)) + _text("application/json")
        if correlation_data is not None:
            packed.append(_CORRELATION_DATA)
            packed += len(correlation_data).to_bytes(2) + correlation_data
        for name, value in properties:
            packed.append(_USER_PROPERTY)
            packed += _text(name) + _text(value)
        self._bytes = _variable_length(len(packed)) + packed

    def pack(self) -> bytes:
        return bytes(self._bytes)


def _text(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > _LONGEST_TEXT or not topics.is_publishable(text):
        raise Unpublishable("a property holds what no broker takes")
    return len(encoded).to_bytes(2) + encoded


def _variable_length(number: int) -> bytes:
    encoded = bytearray()
    while True:
        number, byte = divmod(number, 128)
        encoded.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(encoded)
