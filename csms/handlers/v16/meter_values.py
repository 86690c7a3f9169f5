"""From the meterValue member of OCPP 1.6 (§7.33, §7.43) to the ledger's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from csms.handlers.request import Request
from csms.handlers.v16.values import instant
from csms.ledger.metering import MeterValue, Sample, meter_value

_FIELDS = Sample.__struct_fields__


def meter_values(request: Request, members: Sequence[dict[str, Any]]) -> list[MeterValue]:
    """Read the ``meter_value`` or ``transaction_data`` member of a message."""
    values = []
    for member in members:
        at = instant(request, member.get("timestamp"))
        value = meter_value(at, [_sample(sampled) for sampled in member.get("sampled_value", ())])
        if value.contents.dropped:
            request.deviations.append(f"sampledValue: {value.contents.dropped} values are no numbers")
        values.append(value)
    return values


def _sample(sampled: dict[str, Any]) -> Sample:
    try:
        return msgspec.convert(sampled, Sample)
    except msgspec.ValidationError:
        # A number in place of a text, as tolerated by the validation.
        return Sample(**{name: str(sampled[name]) for name in _FIELDS if sampled.get(name) is not None})
