"""From the sampled values of one reading time to measurands: units, phases, locations; exact decimals.

Values are texts, whatever the version. What is no finite number is dropped and named; signed values are left out of the
arithmetic. Energies become kWh and powers kW, active and reactive, import and export.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from msgspec import UNSET, Struct
from msgspec.structs import replace

from csms.events.business import Measurement, SignedValue
from csms.ledger.clock import Instant
from csms.ledger.numbers import kilo, number

REGISTER = "Energy.Active.Import.Register"
INTERVAL = "Energy.Active.Import.Interval"
POWER = "Power.Active.Import"
BEGIN = "Transaction.Begin"

_LARGEST = Decimal(10) ** 13
_LONGEST_NUMBER = 40
_NOWHERE = "?"
_MOST_DECIMALS = 20
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
_SCALED = ("Energy.", "Power.")
_POWER_FACTOR = "Power.Factor"
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


def scaled_meter_value(instant: Instant, samples: list[Sample], factor: Decimal) -> MeterValue:
    """As `meter_value`, of a meter whose energies and powers have to be multiplied; the samples stay as they came."""
    return MeterValue(instant, samples, _digest([_scaled(sample, factor) for sample in samples], instant.at))


def _scaled(sample: Sample, factor: Decimal) -> Sample:
    name = sample.measurand or REGISTER
    value = _number(sample.value)
    if value is None or sample.format == "SignedData" or not name.startswith(_SCALED) or name == _POWER_FACTOR:
        return sample
    return replace(sample, value=format((value * factor).normalize(), "f")[:_LONGEST_NUMBER])


class _Group:
    """The values of one measurand at one location in one context, in its base unit."""

    __slots__ = ("in_kilo", "phases", "plain", "sample", "unit")

    def __init__(self, sample: Sample, unit: str, *, in_kilo: bool) -> None:
        self.sample = sample
        self.unit = unit
        self.in_kilo = in_kilo
        self.plain: Decimal | None = None
        self.phases: dict[str, Decimal] | None = None

    def over_phases(self, name: str) -> Decimal:
        """Return the value over all phases: the unphased one wins; line-to-line never mixes with line-to-neutral."""
        phases = self.phases or {}
        if len(phases) == 1:
            return next(iter(phases.values()))
        for names in (_LINES, _TO_NEUTRAL):
            values = [phases[phase] for phase in names if phase in phases]
            if values:
                return sum(values, Decimal(0)) if name.startswith(_SUMMED) else _mean(values)
        return _mean([phases[phase] for phase in _LINE_TO_LINE if phase in phases] or list(phases.values()))


def _digest(samples: Iterable[Sample], at: datetime) -> Digest:
    groups: dict[tuple[str, str | None, str | None], _Group] = {}
    signed: list[SignedValue] = []
    dropped = 0
    for sample in samples:
        if sample.format == "SignedData":
            signed.append(_signed(sample, at))
            continue
        value = _number(sample.value)
        if value is None:
            dropped += 1
            continue
        name, location = sample.measurand or REGISTER, sample.location
        unit, exponent = _unit(name, sample.unit)
        if exponent:
            value = value.scaleb(exponent)
        key = (name, None if location == "Outlet" else location, sample.context)
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(sample, unit, in_kilo=exponent is not None)
        phase = sample.phase
        if phase is None:
            group.plain = value
        elif group.phases is None:
            group.phases = {phase: value}
        else:
            group.phases[phase] = value
    return _summarise(groups, signed, dropped)


def _signed(sample: Sample, at: datetime) -> SignedValue:
    return SignedValue(
        timestamp=at, value=sample.value, context=sample.context or UNSET, measurand=sample.measurand or UNSET
    )


def _summarise(
    groups: dict[tuple[str, str | None, str | None], _Group], signed: list[SignedValue], dropped: int
) -> Digest:
    measurands: dict[str, Measurement] = {}
    registers: list[tuple[str | None, Decimal]] = []
    intervals: list[tuple[str | None, Decimal]] = []
    plain_location = _plain_locations(groups)
    for (name, location, context), group in groups.items():
        value = group.plain
        if value is None:
            value = group.over_phases(name)
        is_plain = location == plain_location[name]
        if is_plain and group.in_kilo:
            if name == REGISTER:
                registers.append((context, value))
            elif name == INTERVAL:
                intervals.append((context, value))
        published = name if is_plain else f"{name}@{location}"
        # Of several contexts at one time the later one is published; Transaction.Begin is no progress and gives way.
        if published not in measurands or context != BEGIN:
            measurands[published] = _measurement(group, value)
    return Digest(measurands, registers, intervals, signed, dropped)


def _plain_locations(groups: Iterable[tuple[str, str | None, str | None]]) -> dict[str, str | None]:
    """Return which location has a measurand's plain name: the outlet (None here), or the only one there is."""
    plain: dict[str, str | None] = {}
    for name, location, _ in groups:
        if name not in plain or location is None:
            plain[name] = location
        elif plain[name] != location and plain[name] is not None:
            plain[name] = _NOWHERE
    return plain


def _measurement(group: _Group, value: Decimal) -> Measurement:
    publish = kilo if group.in_kilo else number
    phases, sample = group.phases, group.sample
    return Measurement(
        value=publish(value),
        unit=group.unit,
        context=sample.context or UNSET,
        location=sample.location or UNSET,
        phase=UNSET if phases is None or len(phases) > 1 or group.plain is not None else next(iter(phases)),
        phases=UNSET if phases is None else {phase: publish(item) for phase, item in phases.items()},
    )


@lru_cache(maxsize=1024)
def _unit(name: str, unit: str | None) -> tuple[str, int | None]:
    """Return the unit to publish, and the power of ten from the unit as sent to the base unit; None: not in kilo."""
    unit = unit or _default_unit(name)
    in_kilo = _KILO.get(unit)
    return in_kilo if in_kilo is not None else (_SAME_UNIT.get(unit, unit), None)


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
        # A NaN raises when it is compared.
        plausible = -_LARGEST <= value <= _LARGEST and len(text) <= _LONGEST_NUMBER and "_" not in text
        if "e" in text or "E" in text:
            # A million decimals are short to write and long to keep.
            plausible = plausible and int(value.as_tuple().exponent) >= -_MOST_DECIMALS
    except InvalidOperation:
        return None
    return value if plausible else None


def _mean(values: list[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)
