"""From the meterValue member of OCPP 2.x (MeterValueType, SampledValueType) to the ledger's.

A value is a number there, and its unit may have a multiplier, a power of ten. A signed value comes beside the number that it
signs: the one counts, the other is kept byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from msgspec import Struct

from csms.handlers.request import Request
from csms.handlers.wire import instant
from csms.ledger.metering import MeterValue, meter_value
from csms.ledger.samples import Sample, SignedSample
from csms.ledger.scaling import scaled_meter_value

_LARGEST_MULTIPLIER = 20
_NO_NUMBER = ""


class _Unit(Struct, gc=False):
    unit: str | None = None
    multiplier: int | float | None = None


class _Signature(Struct, rename="camel", gc=False):
    signed_meter_data: str
    signing_method: str | None = None
    encoding_method: str | None = None
    public_key: str | None = None


class _Sampled(Struct, rename="camel", gc=False):
    value: int | float | str
    context: str | None = None
    measurand: str | None = None
    phase: str | None = None
    location: str | None = None
    unit_of_measure: _Unit | None = None
    signed_meter_value: _Signature | None = None


class _WireMeterValue(Struct, rename="camel", gc=False):
    timestamp: str
    sampled_value: list[_Sampled]


_WireMeterValues = list[_WireMeterValue]


def meter_values(request: Request, members: Sequence[dict[str, Any]]) -> list[MeterValue]:
    """Read the ``meterValue`` member of a message, as it is on the wire."""
    values = []
    factor = request.state.charge_point.meter_factor
    # Not strict: a number in place of a text is let pass by the validation, and is that text.
    for wire in msgspec.convert(members, _WireMeterValues, strict=False):
        at = instant(request, wire.timestamp)
        samples: list[Sample] = []
        for sampled in wire.sampled_value:
            samples.append(_sample(sampled))
            if sampled.signed_meter_value is not None:
                samples.append(_signed(sampled, sampled.signed_meter_value))
        value = meter_value(at, samples) if factor is None else scaled_meter_value(at, samples, factor)
        if value.contents.dropped:
            request.deviations.append(f"sampledValue: {value.contents.dropped} values are no numbers")
        values.append(value)
    return values


def _sample(sampled: _Sampled) -> Sample:
    unit = sampled.unit_of_measure
    return Sample(
        value=_text(sampled.value, (unit.multiplier or 0) if unit is not None else 0),
        context=sampled.context,
        measurand=sampled.measurand,
        phase=sampled.phase,
        location=sampled.location,
        unit=unit.unit if unit is not None else None,
    )


def _signed(sampled: _Sampled, signature: _Signature) -> SignedSample:
    return SignedSample(
        value=signature.signed_meter_data,
        context=sampled.context,
        format="SignedData",
        measurand=sampled.measurand,
        phase=sampled.phase,
        location=sampled.location,
        signing_method=signature.signing_method or None,
        encoding_method=signature.encoding_method or None,
        public_key=signature.public_key or None,
    )


def _text(value: float | str, multiplier: float) -> str:
    """Return a value as an exact decimal text in its unit; one with an impossible multiplier is no number."""
    text = value if isinstance(value, str) else repr(value)
    if not multiplier and "e" not in text:
        return text
    if abs(multiplier) > _LARGEST_MULTIPLIER or multiplier != int(multiplier):
        return _NO_NUMBER
    try:
        return format(Decimal(text).scaleb(int(multiplier)), "f")
    except InvalidOperation:
        return _NO_NUMBER
