"""The payloads that a charging station sends outside of transactions (OCPP 2.0.1 and 2.1, part 2), and sampled values. Pure.

They are built with the names of the wire. Where 2.0.1 and 2.1 differ, what is said fits both.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from ocpp.v16.enums import ChargePointStatus
from ocpp.v201.enums import ConnectorStatusEnumType as ConnectorStatus
from ocpp.v201.enums import LocationEnumType as Location
from ocpp.v201.enums import MeasurandEnumType as Measurand
from ocpp.v201.enums import PhaseEnumType as Phase

from csms import __version__
from csms.simulator.curve import VOLTAGE_V, ChargingCurve, Reading

Payload = dict[str, Any]

CONNECTOR_ID: Final = 1
"""Each EVSE of a simulated station has one connector."""
TOKEN_TYPE: Final = "Local"  # noqa: S105 - no password
"""The type of the id tokens that a station reads itself: a name of the simulation, no card's number."""
_KILO: Final = 3
_LINES = (Phase.l1, Phase.l2, Phase.l3)
_LINES_TO_NEUTRAL = (Phase.l1_n, Phase.l2_n, Phase.l3_n)
_STATUSES = {
    ChargePointStatus.available: ConnectorStatus.available,
    ChargePointStatus.reserved: ConnectorStatus.reserved,
    ChargePointStatus.unavailable: ConnectorStatus.unavailable,
    ChargePointStatus.faulted: ConnectorStatus.faulted,
}


def connector_status(status: ChargePointStatus) -> str:
    """Return the connectorStatus for a status of 1.6: with a car it is Occupied, whatever that does."""
    return str(_STATUSES.get(status, ConnectorStatus.occupied).value)


def boot_notification(vendor: str, model: str, client_id: str, reason: str) -> Payload:
    """Build BootNotificationRequest (2.0.1 §1.7.1)."""
    station = {
        "vendorName": vendor[:50],
        "model": model[:20],
        "serialNumber": client_id[:25],
        "firmwareVersion": __version__[:50],
    }
    return {"reason": reason, "chargingStation": station}


def status_notification(evse_id: int, status: ChargePointStatus, timestamp: str) -> Payload:
    """Build StatusNotificationRequest (2.0.1 §1.60.1)."""
    return {
        "timestamp": timestamp,
        "connectorStatus": connector_status(status),
        "evseId": evse_id,
        "connectorId": CONNECTOR_ID,
    }


def id_token(text: str, kind: str | None = None) -> Payload:
    """Build an IdTokenType."""
    return {"idToken": text, "type": kind or TOKEN_TYPE}


def authorize(text: str, kind: str | None = None) -> Payload:
    """Build AuthorizeRequest (2.0.1 §1.6.1)."""
    return {"idToken": id_token(text, kind)}


def meter_value(timestamp: str, samples: Sequence[Payload]) -> list[Payload]:
    """Return the samples of one moment as the meterValue of a message."""
    return [{"timestamp": timestamp, "sampledValue": list(samples)}]


def meter_values(evse_id: int, timestamp: str, samples: Sequence[Payload]) -> Payload:
    """Build MeterValuesRequest (2.0.1 §1.34.1)."""
    return {"evseId": evse_id, "meterValue": meter_value(timestamp, samples)}


def samples(reading: Reading, register_wh: int, curve: ChargingCurve, random: Random, context: str) -> list[Payload]:
    """Return a reading as SampledValues: register, power (in kilowatts, by the multiplier), current and voltage, charge."""
    taken = [
        register_sample(register_wh, context),
        _sample(reading.power_w / 1000, 4, context, Measurand.power_active_import, "W", multiplier=_KILO),
    ]
    voltages = [VOLTAGE_V + random.uniform(-2.5, 2.5) for _ in range(curve.phases)]
    for phase, voltage in zip(_LINES, voltages, strict=False):
        ampere = reading.power_w / curve.phases / voltage
        taken.append(_sample(ampere, 2, context, Measurand.current_import, "A", phase=phase))
    for phase, voltage in zip(_LINES_TO_NEUTRAL, voltages, strict=False):
        taken.append(_sample(voltage, 1, context, Measurand.voltage, "V", phase=phase))
    soc = _sample(reading.soc_percent, 1, context, Measurand.soc, "Percent")
    return [*taken, {**soc, "location": Location.ev.value}]


def register_sample(register_wh: int, context: str) -> Payload:
    """Return the meter's register as a SampledValue: whole watt-hours."""
    return _sample(register_wh, 0, context, Measurand.energy_active_import_register, "Wh")


def _sample(
    value: float,
    decimals: int,
    context: str,
    measurand: Measurand,
    unit: str,
    *,
    phase: Phase | None = None,
    multiplier: int | None = None,
) -> Payload:
    sample: Payload = {
        # A number, not a string as in 1.6.
        "value": round(value, decimals) if decimals else value,
        "context": context,
        "measurand": measurand.value,
        "location": Location.outlet.value,
        "unitOfMeasure": {"unit": unit} if multiplier is None else {"unit": unit, "multiplier": multiplier},
    }
    return sample if phase is None else {**sample, "phase": phase.value}
