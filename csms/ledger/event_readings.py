"""The meter values inside an event of a transaction (OCPP 2.x): which say where it began, how it went, where it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from csms.ledger.metering import MeterValue
from csms.ledger.shapes import BEGIN, REGISTER

END = "Transaction.End"
_Register = tuple[datetime, Decimal]


class Split(Struct, frozen=True, gc=False):
    """The readings of an event. Registers are Wh, each with its time."""

    opening: Sequence[MeterValue]
    """What the `started` event says already: the register at the beginning, and nothing else."""
    between: Sequence[MeterValue]
    closing: Sequence[MeterValue]
    """The reading that has the register at the end."""
    closing_is_plain: bool
    """Whether it has nothing else."""
    begin: _Register | None
    """The register at the beginning: in context Transaction.Begin, or the first in a Started."""
    end: _Register | None
    """The register at the end: in context Transaction.End, or the last in an Ended."""
    earliest: _Register | None


def split(kind: str, readings: Sequence[MeterValue]) -> Split:
    """Sort the readings of an event."""
    begin = _find(readings, BEGIN, first=True)
    if begin is None and kind == "Started":
        begin = _find(readings, None, first=True)
    end = None
    if kind == "Ended":
        end = _find(readings, END, first=False) or _find(readings, None, first=False)
    opening = [begin[0]] if begin is not None and _is_plain(begin[0]) else []
    closing = [end[0]] if end is not None and (begin is None or end[0] is not begin[0]) else []
    taken = [*opening, *closing]
    all_registers = [
        (value.instant.at, register_wh)
        for value in readings
        for context, register_wh in value.contents.registers
        if register_wh >= 0
    ]
    return Split(
        opening,
        [value for value in readings if not any(value is other for other in taken)],
        closing,
        bool(closing) and _is_plain(closing[0]),
        (begin[0].instant.at, begin[1]) if begin is not None else None,
        (end[0].instant.at, end[1]) if end is not None else None,
        min(all_registers, key=lambda register: register[0]) if all_registers else None,
    )


def _find(readings: Sequence[MeterValue], context: str | None, *, first: bool) -> tuple[MeterValue, Decimal] | None:
    """Return the earliest or the latest reading with the register, and that; with a context only in that one."""
    found = [
        (value, register_wh)
        for value in readings
        for told, register_wh in value.contents.registers
        if register_wh >= 0 and (context is None or told == context)
    ]
    if not found:
        return None
    key = lambda item: item[0].instant.at  # noqa: E731
    return min(found, key=key) if first else max(found, key=key)


def _is_plain(value: MeterValue) -> bool:
    return value.contents.names == {REGISTER} and len(value.contents.registers) == 1
