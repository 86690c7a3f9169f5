"""The payloads that a charge point sends (OCPP 1.6 §4), built with the `ocpp` library's own classes. Pure."""

from __future__ import annotations

from random import Random
from typing import Any

from ocpp.v16 import call
from ocpp.v16.datatypes import MeterValue, SampledValue
from ocpp.v16.enums import (
    ChargePointErrorCode,
    ChargePointStatus,
    Location,
    Measurand,
    Phase,
    ReadingContext,
    Reason,
    UnitOfMeasure,
)

from csms import __version__
from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import V16
from csms.simulator.curve import VOLTAGE_V, ChargingCurve, Reading

_LINES = (Phase.l1, Phase.l2, Phase.l3)
_LINES_TO_NEUTRAL = (Phase.l1_n, Phase.l2_n, Phase.l3_n)


def wire(message: object) -> dict[str, Any]:
    """Return a call or call_result of the `ocpp` library with the member names of the wire, without what is None."""
    payload: dict[str, Any] = schemas_of(V16).keys.to_camel(vars(message))
    return payload


def boot_notification(vendor: str, model: str, client_id: str) -> dict[str, Any]:
    """Build BootNotification.req (§6.7)."""
    return wire(
        call.BootNotification(
            charge_point_model=model[:20],
            charge_point_vendor=vendor[:20],
            charge_point_serial_number=client_id[:25],
            firmware_version=__version__[:50],
        )
    )


def status_notification(connector_id: int, status: ChargePointStatus, timestamp: str) -> dict[str, Any]:
    """Build StatusNotification.req (§6.47)."""
    return wire(
        call.StatusNotification(
            connector_id=connector_id,
            error_code=ChargePointErrorCode.no_error,
            status=status,
            timestamp=timestamp,
        )
    )


def authorize(id_tag: str) -> dict[str, Any]:
    """Build Authorize.req (§6.1)."""
    return wire(call.Authorize(id_tag=id_tag))


def start_transaction(
    connector_id: int, id_tag: str, meter_start_wh: int, timestamp: str, reservation_id: int | None
) -> dict[str, Any]:
    """Build StartTransaction.req (§6.45)."""
    return wire(
        call.StartTransaction(
            connector_id=connector_id,
            id_tag=id_tag,
            meter_start=meter_start_wh,
            timestamp=timestamp,
            reservation_id=reservation_id,
        )
    )


def stop_transaction(id_tag: str | None, meter_stop_wh: int, timestamp: str, reason: Reason) -> dict[str, Any]:
    """Build StopTransaction.req (§6.49) without its transactionId, which the queue adds.

    Local is what a missing reason means, and many charge points leave it out; here it is always said.
    """
    payload = wire(
        call.StopTransaction(
            meter_stop=meter_stop_wh, timestamp=timestamp, transaction_id=0, reason=reason, id_tag=id_tag
        )
    )
    del payload["transactionId"]
    return payload


def meter_values(connector_id: int, timestamp: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Build MeterValues.req (§6.31) without its transactionId, which the queue adds."""
    value = MeterValue(timestamp=timestamp, sampled_value=samples)
    return wire(call.MeterValues(connector_id=connector_id, meter_value=[vars(value)]))


def samples(
    reading: Reading, register_wh: int, curve: ChargingCurve, random: Random, context: ReadingContext
) -> list[dict[str, Any]]:
    """Return a reading as SampledValues: register, power, current and voltage of each phase, state of charge.

    Names are snake_case here; `meter_values` gives them the names of the wire.
    """
    taken = [
        register_sample(register_wh, context),
        _sample(f"{reading.power_w:.1f}", context, Measurand.power_active_import, UnitOfMeasure.w),
    ]
    voltages = [VOLTAGE_V + random.uniform(-2.5, 2.5) for _ in range(curve.phases)]
    for phase, voltage in zip(_LINES, voltages, strict=False):
        ampere = reading.power_w / curve.phases / voltage
        taken.append(_sample(f"{ampere:.2f}", context, Measurand.current_import, UnitOfMeasure.a, phase))
    for phase, voltage in zip(_LINES_TO_NEUTRAL, voltages, strict=False):
        taken.append(_sample(f"{voltage:.1f}", context, Measurand.voltage, UnitOfMeasure.v, phase))
    soc = SampledValue(
        value=f"{reading.soc_percent:.1f}",
        context=context,
        measurand=Measurand.soc,
        location=Location.ev,
        unit=UnitOfMeasure.percent,
    )
    return [*taken, vars(soc)]


def register_sample(register_wh: int, context: ReadingContext) -> dict[str, Any]:
    """Return the meter's register as a SampledValue."""
    return _sample(str(register_wh), context, Measurand.energy_active_import_register, UnitOfMeasure.wh)


def _sample(
    value: str, context: ReadingContext, measurand: Measurand, unit: UnitOfMeasure, phase: Phase | None = None
) -> dict[str, Any]:
    sample = SampledValue(
        value=value, context=context, measurand=measurand, phase=phase, location=Location.outlet, unit=unit
    )
    return dict(vars(sample))
