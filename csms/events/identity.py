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
    high, low = entropy >> 62, entropy & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    return (
        f"{event_type}_{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-{0x7000 | high:04x}"
        f"-{low >> 48:04x}-{low & 0xFFFF_FFFF_FFFF:012x}"
    )
