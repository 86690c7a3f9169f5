"""From the meterValue member of OCPP 1.6 (§7.33, §7.43) to the ledger's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from csms.handlers.request import Request
from csms.handlers.wire import instant
from csms.ledger.metering import MeterValue, meter_value
from csms.ledger.samples import Sample
from csms.ledger.scaling import scaled_meter_value

_FIELDS = {field.name: field.encode_name for field in msgspec.structs.fields(Sample)}


class _WireMeterValue(Struct, rename="camel", gc=False):
    timestamp: str
    sampled_value: list[Sample]


_WireMeterValues = list[_WireMeterValue]


def meter_values(request: Request, members: Sequence[dict[str, Any]]) -> list[MeterValue]:
    """Read the ``meterValue`` or ``transactionData`` member of a message, as it is on the wire."""
    values = []
    factor = request.state.charge_point.meter_factor
    for wire in _convert(members):
        at = instant(request, wire.timestamp)
        value = (
            meter_value(at, wire.sampled_value)
            if factor is None
            else scaled_meter_value(at, wire.sampled_value, factor)
        )
        if value.contents.dropped:
            request.deviations.append(f"sampledValue: {value.contents.dropped} values are no numbers")
        values.append(value)
    return values


def _convert(members: Sequence[dict[str, Any]]) -> list[_WireMeterValue]:
    try:
        return msgspec.convert(members, _WireMeterValues)
    except msgspec.ValidationError:
        # Numbers in place of texts, as tolerated by the validation.
        return [
            _WireMeterValue(str(member["timestamp"]), [_sample(sampled) for sampled in member["sampledValue"]])
            for member in members
        ]


def _sample(sampled: dict[str, Any]) -> Sample:
    return Sample(**{name: str(sampled[key]) for name, key in _FIELDS.items() if sampled.get(key) is not None})
