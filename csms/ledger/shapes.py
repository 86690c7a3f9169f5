"""What the samples of a reading time mean, but for their values: measurands, units, phases, locations.

A charge point's messages are nearly all of one or two shapes, so each is worked out once: which samples belong together, and the
JSON of what is published with places for the values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter

from msgspec import Struct, json

from csms.ledger.numbers import Value, kilo, number
from csms.ledger.samples import Sample

REGISTER = "Energy.Active.Import.Register"
INTERVAL = "Energy.Active.Import.Interval"
POWER = "Power.Active.Import"
BEGIN = "Transaction.Begin"

_MAX_SHAPES = 512
_LONGEST_REMEMBERED_SHAPE = 8192
_NOWHERE = "?"
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
_encode = json.Encoder().encode
_WHAT_IT_IS = attrgetter("measurand", "unit", "phase", "context", "location", "format")


class Group(Struct, gc=False):
    """The samples of one measurand at one location in one context: what they are is the same in each message.

    ``plain`` and ``phases`` are places in the list of samples, the latest where one is there twice.
    """

    measurand: str
    published: str
    is_plain: bool
    unit: str
    exponent: int | None
    """The power of ten from the unit as sent to the base unit; None: not published in kilo."""
    context: str | None
    location: str | None
    plain: int | None = None
    phases: dict[str, int] = {}

    @property
    def one(self) -> int | None:
        """The sample that alone says the group's value, if one does."""
        if self.plain is None and len(self.phases) == 1:
            return next(iter(self.phases.values()))
        return self.plain

    def value(self, values: list[Value]) -> Decimal:
        """Return the group's value in the base unit."""
        one = self.one
        return values[one].base if one is not None else _over_phases(self, values)

    def text(self, value: Decimal) -> bytes:
        """Return the JSON of a value as it is published."""
        return _encode(number(value) if self.exponent is None else kilo(value))


class Shape(Struct, gc=False):
    """What the samples of a message mean, but for their values."""

    groups: list[Group]
    exponents: list[int | None]
    """Of each sample."""
    signed: dict[int, None]
    """The places of signed values, in order."""
    template: bytes = b""
    """The JSON of what is published, with %b where a value belongs."""
    places: list[int] = []
    """Which values belong there, by the places of samples; beyond these are `combined`."""
    combined: list[Group] = []
    """What is published over a group's phases."""
    power: int | None = None
    """The place of the published power, and of the published energy register; as `places`."""
    register: int | None = None
    names: frozenset[str] = frozenset()
    registers: list[tuple[str | None, Group]] = []
    """Those that count as energy, with their context: the register at the outlet, and intervals."""
    intervals: list[tuple[str | None, Group]] = []


_shapes: dict[tuple[tuple[str | None, ...], ...], Shape] = {}


def shape_of(samples: Sequence[Sample]) -> Shape:
    """Return the shape of a message; a charge point's messages are nearly all of one or two shapes."""
    key = tuple(map(_WHAT_IT_IS, samples))
    shape = _shapes.get(key)
    if shape is None:
        shape = _find_shape(samples)
        if sum(len(text) for texts in key for text in texts if text) <= _LONGEST_REMEMBERED_SHAPE:
            if len(_shapes) >= _MAX_SHAPES:
                _shapes.clear()
            _shapes[key] = shape
    return shape


def _find_shape(samples: Sequence[Sample]) -> Shape:
    groups: dict[tuple[str, str | None, str | None], Group] = {}
    exponents: list[int | None] = []
    signed: dict[int, None] = {}
    for place, sample in enumerate(samples):
        name, location = sample.measurand or REGISTER, sample.location
        unit, exponent = _unit(name, sample.unit)
        exponents.append(exponent)
        if sample.format == "SignedData":
            signed[place] = None
            continue
        key = (name, None if location == "Outlet" else location, sample.context)
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(
                name, name, is_plain=True, unit=unit, exponent=exponent, context=sample.context, location=location
            )
        if sample.phase is None:
            group.plain = place
        else:
            group.phases[sample.phase] = place
    plain_location = _plain_locations(groups)
    for (name, location, _context), group in groups.items():
        if location != plain_location[name]:
            group.is_plain, group.published = False, f"{name}@{location}"
    shape = Shape(list(groups.values()), exponents, signed)
    _make_template(shape)
    return shape


def _make_template(shape: Shape) -> None:
    """Write down what is published but for the values: the members of `csms.events.business.Measurement`, by name."""
    published: dict[str, Group] = {}
    for group in shape.groups:
        # Of several contexts at one time the later one is published; Transaction.Begin is no progress and gives way.
        if group.context != BEGIN or group.published not in published:
            published[group.published] = group
    count = len(shape.exponents)
    combined: list[Group] = []
    places: list[int] = []
    members = []
    for name, group in published.items():
        place = group.one
        if place is None:
            place = count + len(combined)
            combined.append(group)
        if name == POWER:
            shape.power = place
        elif name == REGISTER:
            shape.register = place
        members.append(_member(name, group))
        places += [place, *group.phases.values()]
    shape.template, shape.places, shape.combined = b"{%b}" % b",".join(members), places, combined
    shape.names = frozenset(published)
    metered = [group for group in shape.groups if group.is_plain and group.exponent is not None]
    shape.registers = [(group.context, group) for group in metered if group.measurand == REGISTER]
    shape.intervals = [(group.context, group) for group in metered if group.measurand == INTERVAL]


def _member(name: str, group: Group) -> bytes:
    """Return the JSON of a published measurand, with %b for its value and for that of each of its phases."""
    only_phase = next(iter(group.phases)) if len(group.phases) == 1 and group.plain is None else None
    about = {"unit": group.unit, "context": group.context, "location": group.location, "phase": only_phase}
    members = [b'"value":%b']
    members += [b"%b:%b" % (_literal(key), _literal(text)) for key, text in about.items() if text or key == "unit"]
    if group.phases:
        members.append(b'"phases":{%b}' % b",".join(b"%b:%%b" % _literal(phase) for phase in group.phases))
    return b"%b:{%b}" % (_literal(name), b",".join(members))


def _literal(text: str | None) -> bytes:
    """Return the JSON of a text as it stands in a template."""
    return _encode(text).replace(b"%", b"%%")


def _over_phases(group: Group, values: list[Value]) -> Decimal:
    """Return the value over all phases: line-to-line never mixes with line-to-neutral."""
    phases = {phase: values[place].base for phase, place in group.phases.items()}
    for names in (_LINES, _TO_NEUTRAL):
        found = [phases[phase] for phase in names if phase in phases]
        if found:
            return sum(found, Decimal(0)) if group.measurand.startswith(_SUMMED) else _mean(found)
    return _mean([phases[phase] for phase in _LINE_TO_LINE if phase in phases] or list(phases.values()))


def _plain_locations(groups: Iterable[tuple[str, str | None, str | None]]) -> dict[str, str | None]:
    """Return which location has a measurand's plain name: the outlet (None here), or the only one there is."""
    plain: dict[str, str | None] = {}
    for name, location, _ in groups:
        if name not in plain or location is None:
            plain[name] = location
        elif plain[name] != location and plain[name] is not None:
            plain[name] = _NOWHERE
    return plain


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


def _mean(values: list[Decimal]) -> Decimal:
    return sum(values, Decimal(0)) / len(values)
