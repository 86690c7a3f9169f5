"""From exact decimals to the JSON numbers of events."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_THREE = Decimal("0.001")


def number(value: Decimal) -> int | float:
    """Return a decimal as a JSON number: an integer where it is one."""
    nearest = float(value)
    return int(value) if nearest.is_integer() and value == int(value) else nearest


def rounded(value: Decimal, digits: int) -> int | float:
    """Return a decimal as a JSON number, rounded half up to `digits` decimals at most."""
    return number(value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def kilo(value: Decimal) -> int | float:
    """Return Wh as kWh, or W as kW, to three decimals at most."""
    return number(value.scaleb(-3).quantize(_THREE, ROUND_HALF_UP))
