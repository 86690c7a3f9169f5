"""The frame fast path: one whole, masked, unfragmented text frame in, one text frame out.

Nearly every message of a charge point is exactly that. Everything else goes through Autobahn's full machinery, and both
ways must behave alike; `tests/websocket/test_fast_path.py` compares them.
"""

from __future__ import annotations

from websockets.speedups import apply_mask

_TEXT_FINAL = 0x81
_COMPRESSED_TEXT_FINAL = 0xC1
_MASKED = 0x80
_SHORT = 126
_MEDIUM = 127
_MASK_BYTES = 4


def whole_text(data: bytes, limit: int) -> bytes | None:
    """Return the payload where `data` is exactly one masked, final text frame of at most `limit` bytes, else None."""
    size = len(data)
    if size < 6 or data[0] != _TEXT_FINAL or not data[1] & _MASKED:
        return None
    length = data[1] & 0x7F
    start = 2 + _MASK_BYTES
    if length == _SHORT:
        if size < 8:
            return None
        length = data[2] << 8 | data[3]
        start = 4 + _MASK_BYTES
        if length < _SHORT:
            return None
    elif length == _MEDIUM:
        if size < 14:
            return None
        length = int.from_bytes(data[2:10])
        start = 10 + _MASK_BYTES
        if length < 0x10000:
            return None
    if size != start + length or length > limit or not length:
        return None
    return apply_mask(data[start:], data[start - _MASK_BYTES : start])


def text_frame(payload: bytes) -> bytes:
    """Return a server's text frame: final, unmasked."""
    length = len(payload)
    if length < _SHORT:
        return bytes((_TEXT_FINAL, length)) + payload
    if length < 0x10000:
        return bytes((_TEXT_FINAL, _SHORT, length >> 8, length & 0xFF)) + payload
    return bytes((_TEXT_FINAL, _MEDIUM)) + length.to_bytes(8) + payload


def compressed_frame(payload: bytes) -> bytes:
    """Return a server's text frame of a message that is compressed: with the bit RSV1 (RFC 7692 §6)."""
    return bytes((_COMPRESSED_TEXT_FINAL,)) + text_frame(payload)[1:]
