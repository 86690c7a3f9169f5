"""From the sampled values of one reading time to measurands: units, phases, locations; exact decimals.

Values are texts, whatever the version. What is no finite number is dropped and named; signed values are left out of the
arithmetic. Energies become kWh and powers kW, active and reactive, import and export.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation

from msgspec import UNSET, Struct

from csms.events.business import Measurement, SignedValue
from csms.ledger.clock import Instant
from csms.ledger.numbers import kilo, rounded

REGISTER = "Energy.Active.Import.Register"
INTERVAL = "Energy.Active.Import.Interval"
POWER = "Power.Active.Import"
BEGIN = "Transaction.Begin"

_LARGEST = Decimal(10) ** 13
_KILO: dict[str, tuple[str, int]] = {
    # unit as sent: unit as published, power of ten from the unit as sent to the base unit
    "Wh": ("kWh", 0),
    "kWh": ("kWh", 3),
    "varh": ("kvarh", 0),
    "kvarh": ("kvarh", 3),
    "VAh": ("kVAh", 0),
    "kVAh": ("kVAh", 3),
    "W": ("kW", 0),
    "kW": ("kW", 3),
    "VA": ("kVA", 0),
    "kVA": ("kVA", 3),
    "var": ("kvar", 0),
    "kvar": ("kvar", 3),
}
_SAME_UNIT = {"Celcius": "Celsius"}
_DEFAULT_UNITS = {
    "Current": "A",
    "Voltage": "V",
    "Frequency": "Hz",
    "SoC": "Percent",
    "Temperature": "Celsius",
    "RPM": "RPM",
}
_SUMMED = ("Energy.", "Power.Active", "Power.Reactive", "Current.Import", "Current.Export")
_TO_NEUTRAL = ("L1-N", "L2-N", "L3-N")
_LINES = ("L1", "L2", "L3")
_LINE_TO_LINE = ("L1-L2", "L2-L3", "L3-L1")


class Sample(Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """One sampled value, as texts; the defaults are those of OCPP 1.6 §7.43."""

    value: str
    context: str | None = None
    format: str | None = None
    measurand: str | None = None
    phase: str | None = None
    location: str | None = None
    unit: str | None = None


class Digest(Struct, frozen=True, gc=False):
    """What one reading time says.

    ``registers`` are the values of the energy register at the outlet in Wh, each with its context; ``intervals`` likewise.
    """

    measurands: dict[str, Measurement]
    registers: list[tuple[str | None, Decimal]]
    intervals: list[tuple[str | None, Decimal]]
    signed: list[SignedValue]
    dropped: int


class MeterValue(Struct, frozen=True, gc=False):
    """The sampled values of one reading time, as they came and as they are understood."""

    instant: Instant
    samples: list[Sample]
    contents: Digest


def meter_value(instant: Instant, samples: list[Sample]) -> MeterValue:
    """Read the sampled values of one reading time."""
    return MeterValue(instant, samples, _digest(samples, instant.at))


class _Group:
    """The values of one measurand at one location in one context."""

    __slots__ = ("context", "location", "name", "phases", "plain", "unit")

    def __init__(self, name: str, sample: Sample) -> None:
        self.name = name
        self.location = sample.location
        self.context = sample.context
        self.unit: str | None = sample.unit
        self.plain: Decimal | None = None
        self.phases: dict[str, Decimal] = {}

    def value(self) -> Decimal:
        """Return the value over all phases: the unphased one wins; line-to-line never mixes with line-to-neutral."""
        if self.plain is not None:
            return self.plain
        phases = self.phases
        for names in (_LINES, _TO_NEUTRAL):
            values = [phases[name] for name in names if name in phases]
            if values:
                return sum(values, Decimal(0)) if self.name.startswith(_SUMMED) else _mean(values)
        return _mean([phases[name] for name in _LINE_TO_LINE if name in phases] or list(phases.values()))


def _digest(samples: Iterable[Sample], at: datetime) -> Digest:
    groups: dict[tuple[str, str | None, str | None], _Group] = {}
    signed: list[SignedValue] = []
    dropped = 0
    for sample in samples:
        if sample.format == "SignedData":
            signed.append(
                SignedValue(
                    timestamp=at,
                    value=sample.value,
                    context=sample.context or UNSET,
                    measurand=sample.measurand or UNSET,
                )
            )
            continue
        value = _number(sample.value)
        if value is None:
            dropped += 1
            continue
        name = sample.measurand or REGISTER
        exponent = _KILO.get(sample.unit or _default_unit(name), ("", 0))[1]
        if exponent:
            value = value.scaleb(exponent)
        key = (name, None if sample.location in (None, "Outlet") else sample.location, sample.context)
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(name, sample)
        if sample.phase is None:
            group.plain = value
        else:
            group.phases[sample.phase] = value
    return _summarise(groups, signed, dropped)


def _summarise(
    groups: dict[tuple[str, str | None, str | None], _Group], signed: list[SignedValue], dropped: int
) -> Digest:
    measurands: dict[str, Measurement] = {}
    registers: list[tuple[str | None, Decimal]] = []
    intervals: list[tuple[str | None, Decimal]] = []
    for (name, location, context), group in groups.items():
        value = group.value()
        if location is None:
            if name == REGISTER:
                registers.append((context, value))
            elif name == INTERVAL:
                intervals.append((context, value))
        published = name if location is None else f"{name}@{location}"
        # Of several contexts at one time the later one is published; Transaction.Begin is no progress and gives way.
        if published not in measurands or context != BEGIN:
            measurands[published] = _measurement(group, value)
    return Digest(measurands, registers, intervals, signed, dropped)


def _measurement(group: _Group, value: Decimal) -> Measurement:
    unit = group.unit or _default_unit(group.name)
    in_kilo = _KILO.get(unit)
    publish = kilo if in_kilo else _as_given
    phases = group.phases
    return Measurement(
        value=publish(value),
        unit=in_kilo[0] if in_kilo else _SAME_UNIT.get(unit, unit),
        context=group.context or UNSET,
        location=group.location or UNSET,
        phase=next(iter(phases)) if len(phases) == 1 and group.plain is None else UNSET,
        phases={name: publish(item) for name, item in phases.items()} if phases else UNSET,
    )


def _as_given(value: Decimal) -> int | float:
    return rounded(value, 6)


def _default_unit(name: str) -> str:
    if name.startswith("Energy."):
        return "varh" if "Reactive" in name else "Wh"
    if name.startswith("Power.") and name != "Power.Factor":
        return "var" if "Reactive" in name else "W"
    return _DEFAULT_UNITS.get(name.partition(".")[0], "")


def _number(text: str) -> Decimal | None:
    """Return a text as an exact decimal, None where it is no finite number of a size that a meter could show."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if "_" in text or not value.is_finite() or abs(value) > _LARGEST:
        return None
    return value


def _mean(values: list[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)
