"""Business events: what billing, dashboards and analytics subscribe to. Field names and units are promises to them.

Energy is in kWh, power in kW, `meterStart`, `meterStop` and `currentMeter` in Wh, durations in minutes. A field that may be
absent is `UNSET` then. Times are UTC. `evse_id`, `station_connector_id`, `station_transaction_id` and `station_status` are
what a station of OCPP 2.x says itself: they are absent where it speaks 1.6.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from csms.events.certificates import CertificateEvent
from csms.events.notices import Notice
from csms.events.payload import Number as Number  # noqa: PLC0414 - it is known from here, too
from csms.events.payload import PayloadStruct as _Payload

Quality = Literal["good", "estimated", "clock_suspect"]


class Started(_Payload, frozen=True):
    """A transaction started."""

    transaction_id: int
    connector_id: int
    id_tag: str
    meter_start: Number
    start_time: datetime
    status: Literal["started"] = "started"
    current_meter: Number | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    station_transaction_id: str | UnsetType = UNSET


class SignedValue(_Payload, frozen=True):
    """A signed meter value, byte for byte as the charge point gave it."""

    timestamp: datetime
    value: str
    context: str | UnsetType = UNSET
    measurand: str | UnsetType = UNSET
    signing_method: str | UnsetType = UNSET
    encoding_method: str | UnsetType = UNSET
    public_key: str | UnsetType = UNSET


class Completed(_Payload, frozen=True):
    """A transaction completed."""

    transaction_id: int
    connector_id: int
    id_tag: str
    meter_start: Number
    meter_stop: Number
    start_time: datetime
    stop_time: datetime
    energy_used: Number
    duration: Number
    reason: str
    quality: Quality
    status: Literal["completed"] = "completed"
    current_meter: Number | UnsetType = UNSET
    signed_data: list[SignedValue] | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    station_transaction_id: str | UnsetType = UNSET


class OrphanStop(_Payload, frozen=True):
    """A StopTransaction for a transaction that is not known here: kept, but of no session."""

    transaction_id: int
    stop_time: datetime
    meter_stop: Number
    id_tag: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Measurement(_Payload, frozen=True):
    """One measurand at one time."""

    value: Number
    unit: str
    context: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    phase: str | UnsetType = UNSET
    phases: dict[str, Number] | UnsetType = UNSET


class StartRefused(_Payload, frozen=True):
    """A start that was refused because the charge point is not accepted yet; it is kept, and may come again.

    Where it does not, the energy that flowed meanwhile is of no transaction.
    """

    connector_id: int
    id_tag: str
    start_time: datetime
    registration: str
    meter_start: Number | UnsetType = UNSET


class MeterReading(_Payload, frozen=True):
    """The meter values of one reading time."""

    connector_id: int
    timestamp: datetime
    measurands: dict[str, Measurement]
    transaction_id: int | UnsetType = UNSET
    current_power: Number | UnsetType = UNSET
    total_energy: Number | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    station_transaction_id: str | UnsetType = UNSET


class StatusChanged(_Payload, frozen=True):
    """A connector's status or error code changed; connector 0 is the station."""

    connector_id: int
    status: str
    previous_status: str | UnsetType = UNSET
    transaction_id: int | UnsetType = UNSET
    error_code: str | UnsetType = UNSET
    info: str | UnsetType = UNSET
    vendor_id: str | UnsetType = UNSET
    vendor_error_code: str | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    station_transaction_id: str | UnsetType = UNSET
    station_status: str | UnsetType = UNSET


class CostBreakdown(_Payload, frozen=True):
    """The parts of a cost before it is rounded."""

    energy: Number
    time: Number
    session: Number


class SessionCost(_Payload, frozen=True):
    """The cost of a completed session."""

    transaction_id: int
    connector_id: int
    id_tag: str
    start_time: datetime
    end_time: datetime
    energy_consumed: Number
    duration: Number
    estimated_cost: Number
    currency: str
    pricing_model: str
    energy_rate: Number
    time_rate: Number
    breakdown: CostBreakdown
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    station_transaction_id: str | UnsetType = UNSET


class Connected(_Payload, frozen=True):
    """A charge point opened its socket."""

    version: str
    remote_address: str | UnsetType = UNSET


class Disconnected(_Payload, frozen=True):
    """A charge point's socket is gone; `reason` says how the daemon knows."""

    reason: str
    connected_since: datetime | UnsetType = UNSET


class Booted(_Payload, frozen=True):
    """A charge point sent BootNotification; `status` is what it was answered."""

    status: str
    vendor: str
    model: str
    serial_number: str | UnsetType = UNSET
    firmware_version: str | UnsetType = UNSET


class SecurityEvent(_Payload, frozen=True):
    """A security event that a charge point told of."""

    timestamp: datetime
    tech_info: str | UnsetType = UNSET


class LoginRefused(_Payload, frozen=True):
    """Somebody was refused who said that he is this charge point: `count` times from `since` on, the last one from there.

    `reason` is `noPassword`, `wrongPassword`, `tooManyAttempts`, `noTls`, `noCertificate`, `wrongCertificate` (it names another, or is another
    operator's), `revokedCertificate`, `expiredCertificate`, `noRevocationList` (an authority of its chain has none that is valid), `badCertificate`,
    `unknown` (charge point) or `inUse` (its socket is alive, and the other one did not prove who he is); of several, the last one's. Where TLS
    refused a certificate it is its own word whom it names. Refusals that are too many for events of their own, or of
    nobody who could be named, are counted in one of the charge point `:others`, which there cannot be.
    """

    reason: str
    count: int
    since: datetime
    remote_address: str | UnsetType = UNSET


class PasswordChanged(_Payload, frozen=True):
    """The password of a charge point was set or removed by the operator, or it has come back with a new one (`renewed`)."""

    change: Literal["set", "removed", "renewed"]


class ReservationChanged(_Payload, frozen=True):
    """A reservation was made, replaced or refused, is used, is cancelled or has expired.

    `reason` is the charge point's word where it refused one, and says why one was cancelled that nobody cancelled.
    `idTagStatus` is how the tag was judged when it was reserved.
    """

    reservation_id: int
    connector_id: int
    id_tag: str
    expiry_date: datetime
    status: Literal["ACTIVE", "USED", "CANCELLED", "EXPIRED", "REJECTED"]
    parent_id_tag: str | UnsetType = UNSET
    id_tag_status: str | UnsetType = UNSET
    previous_status: str | UnsetType = UNSET
    transaction_id: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class ConfigurationChanged(_Payload, frozen=True):
    """A configuration key has another value than was last known, or did not take the one that the operator wants.

    `status` is the charge point's answer where it was told to change it. The value of a secret is never there. Of OCPP 2.x
    `key` is the name of a variable, whose parts stand beside it; `attribute` is there where it is not `Actual`.
    """

    key: str
    value: str | UnsetType = UNSET
    previous_value: str | UnsetType = UNSET
    wanted: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    component: str | UnsetType = UNSET
    component_instance: str | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    variable: str | UnsetType = UNSET
    variable_instance: str | UnsetType = UNSET
    attribute: str | UnsetType = UNSET


class VariableEvent(_Payload, frozen=True):
    """A variable that is monitored changed, crossed a threshold or is told of again and again (OCPP 2.x NotifyEvent).

    `key` is its name, whose parts stand beside it. `cleared` says whether it is back to normal.
    """

    key: str
    component: str
    variable: str
    timestamp: datetime
    trigger: str
    station_event_id: int
    cleared: bool
    value: str | UnsetType = UNSET
    component_instance: str | UnsetType = UNSET
    variable_instance: str | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    connector_id: int | UnsetType = UNSET
    transaction_id: int | UnsetType = UNSET
    station_transaction_id: str | UnsetType = UNSET
    severity: int | UnsetType = UNSET
    monitor_id: int | UnsetType = UNSET
    notification_type: str | UnsetType = UNSET
    cause: int | UnsetType = UNSET
    tech_code: str | UnsetType = UNSET
    tech_info: str | UnsetType = UNSET


class ReportCompleted(_Payload, frozen=True):
    """A report of the device model (`variables`) or of its monitors (`monitors`) is there as a whole.

    `action` is what asked for it, `status` what the charge point answered that.
    """

    request_id: int
    report: Literal["variables", "monitors"]
    parts: int
    action: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    generated_at: datetime | UnsetType = UNSET


class FirmwareStatus(_Payload, frozen=True):
    """How a firmware update goes, in the charge point's words."""

    status: str
    request_id: int | UnsetType = UNSET


class DiagnosticsStatus(_Payload, frozen=True):
    """How an upload of diagnostics or of a log goes, in the charge point's words."""

    status: str
    request_id: int | UnsetType = UNSET


Payload = (
    Started
    | Completed
    | OrphanStop
    | StartRefused
    | MeterReading
    | StatusChanged
    | SessionCost
    | Connected
    | Disconnected
    | Booted
    | SecurityEvent
    | LoginRefused
    | PasswordChanged
    | ReservationChanged
    | ConfigurationChanged
    | VariableEvent
    | ReportCompleted
    | FirmwareStatus
    | DiagnosticsStatus
    | CertificateEvent
    | Notice
)


class BusinessEvent(Struct, frozen=True, rename="camel", kw_only=True, gc=False):
    """The envelope. `event_id` names the event for ever; `sequence` grows by one for each charge point.

    `causation_id` is the OCPP message id, null where no message caused the event.
    """

    timestamp: datetime
    client_id: str
    event_type: str
    event_id: str
    payload: Payload
    sequence: int
    gateway_id: str
    causation_id: str | None
    supersedes: str | UnsetType = UNSET


class ConnectorState(_Payload, frozen=True):
    """A connector in the retained state."""

    connector_id: int
    status: str
    error_code: str | UnsetType = UNSET
    transaction_id: int | UnsetType = UNSET
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    station_status: str | UnsetType = UNSET


class RunningTransaction(_Payload, frozen=True):
    """A running transaction in the retained state."""

    transaction_id: int
    connector_id: int
    id_tag: str
    start_time: datetime
    evse_id: int | UnsetType = UNSET
    station_connector_id: int | UnsetType = UNSET
    station_transaction_id: str | UnsetType = UNSET


class ChargePointNow(_Payload, frozen=True):
    """The retained state of a charge point: what is true now.

    `position` is the event log's when it was read: a state with a smaller one is older.
    """

    client_id: str
    timestamp: datetime
    online: bool
    gateway_id: str
    position: int
    connectors: list[ConnectorState]
    transactions: list[RunningTransaction]
    version: str | UnsetType = UNSET
    vendor: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    firmware_version: str | UnsetType = UNSET


class GatewayStatus(Struct, frozen=True, rename="camel"):
    """Birth and will of a daemon."""

    online: bool
    gateway_id: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    timestamp: datetime | UnsetType = UNSET


encode = msgspec.json.Encoder().encode
"""Encode an event as the bytes that are stored, and published as they are for ever."""
