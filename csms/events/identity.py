"""Names of events: `{eventType}_{UUIDv7}` (RFC 9562 §5.7), so that they sort by time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def event_id(event_type: str, now: datetime, random_bits: Callable[[int], int]) -> str:
    """Return a new event id; `random_bits(n)` gives n random bits."""
    milliseconds = ((now - _EPOCH) // _MILLISECOND) & 0xFFFF_FFFF_FFFF
    entropy = random_bits(74)
    number = milliseconds << 80 | 7 << 76 | (entropy >> 62) << 64 | 1 << 63 | entropy & 0x3FFF_FFFF_FFFF_FFFF
    digits = f"{number:032x}"
    return f"{event_type}_{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
