"""Exact decimals in requests: JSON numbers within bounds."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from msgspec import Meta

from csms.api.problems import unprocessable

Amount = Annotated[float, Meta(ge=0, le=1_000_000)]
DECIMALS = 6


def exact(path: str, value: float) -> Decimal:
    """Return a JSON number as the decimal that it was written as.

    :raises Problem: 422, it has too many decimals.
    """
    # The shortest text that is this float is the one that was written, with up to 15 digits.
    decimal = Decimal(repr(value))
    if round(decimal, DECIMALS) != decimal:
        raise unprocessable(path, f"{DECIMALS} decimals are allowed")
    return decimal
