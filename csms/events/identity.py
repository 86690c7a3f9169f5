"""Names of events: `{eventType}_{UUIDv7}` (RFC 9562 §5.7), so that they sort by time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def event_id(event_type: str, now: datetime, random_bits: Callable[[int], int]) -> str:
    """Return a new event id; `random_bits(n)` gives n random bits."""
    entropy = random_bits(74)
    version, variant, node = entropy >> 62 | 0x7000, entropy >> 48 & 0x3FFF | 0x8000, entropy & 0xFFFF_FFFF_FFFF
    return f"{event_type}_{_milliseconds(now)}-{version:04x}-{variant:04x}-{node:012x}"


@lru_cache(maxsize=4)
def _milliseconds(now: datetime) -> str:
    """Return the first two parts of an id: events of one message have them in common."""
    digits = f"{((now - _EPOCH) // _MILLISECOND) & 0xFFFF_FFFF_FFFF:012x}"
    return f"{digits[:8]}-{digits[8:]}"
