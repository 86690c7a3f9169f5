"""What all payloads of business events have in common."""

from __future__ import annotations

from msgspec import Struct

Number = int | float


class PayloadStruct(Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """Members are camelCase in JSON; one that may be absent is `UNSET` then."""
