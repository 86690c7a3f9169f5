"""From the sampled values of one reading time to measurands: units, phases, locations; exact decimals.

Values are texts, whatever the version. What is no finite number is dropped and named; signed values are left out of the
arithmetic. Energies become kWh and powers kW, active and reactive, import and export.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from operator import attrgetter

from msgspec import UNSET, Raw, Struct

from csms.events.business import SignedValue
from csms.ledger.clock import Instant
from csms.ledger.numbers import Value, read_all
from csms.ledger.samples import Sample, SignedSample
from csms.ledger.shapes import Shape, shape_of

_TEXT = attrgetter("text")


class Digest(Struct, frozen=True, gc=False):
    """What one reading time says.

    ``measurands`` is the JSON of `csms.events.business.Measurement` by name, nothing where there are none; ``power`` and
    ``register`` are the JSON of what is published of the two, in kW and kWh. ``registers`` are the values of the energy
    register at the outlet in Wh, each with its context; ``intervals`` likewise.
    """

    measurands: bytes
    names: frozenset[str]
    """Of the measurands, as they are published."""
    power: Raw | None
    register: Raw | None
    registers: list[tuple[str | None, Decimal]]
    intervals: list[tuple[str | None, Decimal]]
    signed: list[SignedValue]
    dropped: int


class MeterValue(Struct, frozen=True, gc=False):
    """The sampled values of one reading time, as they came and as they are understood."""

    instant: Instant
    samples: Sequence[Sample]
    contents: Digest


def meter_value(instant: Instant, samples: Sequence[Sample]) -> MeterValue:
    """Read the sampled values of one reading time."""
    return MeterValue(instant, samples, _digest(samples, instant.at))


def _digest(samples: Sequence[Sample], at: datetime) -> Digest:
    shape = shape_of(samples)
    values = read_all([sample.value for sample in samples], shape.exponents)
    dropped = 0
    if shape.signed or None in values:
        signed = [_signed(samples[place], at) for place in shape.signed]
        numbers = [place for place, value in enumerate(values) if value is not None and place not in shape.signed]
        dropped = len(samples) - len(signed) - len(numbers)
        shape, values = shape_of([samples[place] for place in numbers]), [values[place] for place in numbers]
    else:
        signed = []
    return _summarise(shape, values, signed, dropped)  # type: ignore[arg-type]


def _signed(sample: Sample, at: datetime) -> SignedValue:
    how = {}
    if isinstance(sample, SignedSample):
        told = ("signing_method", sample.signing_method), ("encoding_method", sample.encoding_method)
        how = {name: value for name, value in (*told, ("public_key", sample.public_key)) if value}
    return SignedValue(
        timestamp=at, value=sample.value, context=sample.context or UNSET, measurand=sample.measurand or UNSET, **how
    )


def _summarise(shape: Shape, values: list[Value], signed: list[SignedValue], dropped: int) -> Digest:
    registers = [(context, group.value(values)) for context, group in shape.registers]
    intervals = [(context, group.value(values)) for context, group in shape.intervals] if shape.intervals else []
    if not shape.groups:
        return Digest(b"", frozenset(), None, None, registers, intervals, signed, dropped)
    texts = list(map(_TEXT, values))
    if shape.combined:
        texts += [group.text(group.value(values)) for group in shape.combined]
    return Digest(
        shape.template % tuple(map(texts.__getitem__, shape.places)),
        shape.names,
        Raw(texts[shape.power]) if shape.power is not None else None,
        Raw(texts[shape.register]) if shape.register is not None else None,
        registers,
        intervals,
        signed,
        dropped,
    )
