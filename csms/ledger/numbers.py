"""Numbers: from the texts of charge points to exact decimals, and from these to the JSON numbers of events."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache

from msgspec import Struct, json

_THREE = Decimal("0.001")
_LARGEST = Decimal(10) ** 13
_LONGEST_NUMBER = 40
_MOST_DECIMALS = 20
_LONGEST_WHOLE = 13
"""So many digits are below the largest number."""
_encode = json.Encoder().encode


class Value(Struct, frozen=True, gc=False):
    """A value that a charge point gave, in its base unit, and the JSON of how it is published."""

    base: Decimal
    text: bytes


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


def exact(text: str) -> Decimal | None:
    """Return a text as an exact decimal, None where it is no finite number of a size that a meter could show."""
    value = read(text, None)
    return value.base if value is not None else None


def read(text: str, exponent: int | None) -> Value | None:
    """Return a text as a value, None where it is no number.

    ``exponent`` is the power of ten from the unit as sent to the base unit of what is published in kilo; None: it is not.
    """
    return _read(text, exponent) if len(text) <= _LONGEST_NUMBER else None


def read_all(texts: Sequence[str], exponents: Sequence[int | None]) -> list[Value | None]:
    """As `read`, for all values of a message. No text that is too long may be remembered."""
    if max(map(len, texts), default=0) <= _LONGEST_NUMBER:
        return list(map(_read, texts, exponents))
    return list(map(read, texts, exponents))


@lru_cache(maxsize=2048)
def _read(text: str, exponent: int | None) -> Value | None:
    """As `read`. Only what is finite and of a size that a meter could show is a number."""
    if exponent == 0 and len(text) < _LONGEST_WHOLE and text.isascii() and text.isdigit():
        return Value(Decimal(text), _whole_kilo(int(text)))
    try:
        value = Decimal(text)
        # A NaN raises when it is compared.
        plausible = -_LARGEST <= value <= _LARGEST and "_" not in text
        if "e" in text or "E" in text:
            # A million decimals are short to write and long to keep.
            plausible = plausible and int(value.as_tuple().exponent) >= -_MOST_DECIMALS
    except InvalidOperation:
        return None
    if not plausible:
        return None
    if exponent is None:
        return Value(value, _encode(number(value)))
    value = value.scaleb(exponent) if exponent else value
    return Value(value, _encode(kilo(value)))


def _whole_kilo(value: int) -> bytes:
    """As `kilo`, as JSON, for what nearly all registers show: whole Wh."""
    kilos, rest = divmod(value, 1000)
    return (b"%d.%03d" % (kilos, rest)).rstrip(b"0") if rest else b"%d" % kilos
