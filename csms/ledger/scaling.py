"""Meters whose values have to be multiplied: what an operator says about a charge point's energies and powers."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from csms.ledger.clock import Instant
from csms.ledger.metering import MeterValue, meter_value
from csms.ledger.numbers import exact
from csms.ledger.samples import Sample
from csms.ledger.shapes import REGISTER

_SCALED = ("Energy.", "Power.")
_POWER_FACTOR = "Power.Factor"
_LONGEST_NUMBER = 40


def scaled_meter_value(instant: Instant, samples: list[Sample], factor: Decimal) -> MeterValue:
    """As `meter_value`, with energies and powers multiplied; the samples stay as they came, and so do signed ones."""
    scaled = [_scaled(sample, factor) for sample in samples]
    return MeterValue(instant, samples, meter_value(instant, scaled).contents)


def _scaled(sample: Sample, factor: Decimal) -> Sample:
    """Return a sample with its value multiplied; what is no number that a meter could show is left for `meter_value`."""
    name, text = sample.measurand or REGISTER, sample.value
    if sample.format == "SignedData" or not name.startswith(_SCALED) or name == _POWER_FACTOR:
        return sample
    value = exact(text)
    if value is None:
        return sample
    return replace(sample, value=format((value * factor).normalize(), "f")[:_LONGEST_NUMBER])
