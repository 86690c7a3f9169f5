"""Business events of OCPP 2.x: what a station tells beside transactions and statuses.

`connector_id` is the daemon's flat number, `evse_id` the station's own. What the station tells in structures of the
specification (`needs`, `schedule`, `profile` …) is there as it was on the wire.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, UnsetType

from csms.events.payload import Number, PayloadStruct

Wire = dict[str, Any]


class _Somewhere(PayloadStruct, frozen=True):
    """Something at a connector, or at no certain one."""

    evse_id: int | UnsetType = UNSET
    connector_id: int | UnsetType = UNSET


class ChargingLimitChanged(_Somewhere, frozen=True, kw_only=True):
    """Something other than this daemon limits the station or one of its EVSEs, or does so no longer (`cleared`)."""

    status: Literal["active", "cleared"]
    source: str
    is_grid_critical: bool | UnsetType = UNSET
    is_local_generation: bool | UnsetType = UNSET
    schedules: list[Wire] | UnsetType = UNSET


class ReportedProfile(_Somewhere, frozen=True, kw_only=True):
    """A charging profile that is installed at a station."""

    source: str
    profile: Wire


class ChargingProfilesReported(PayloadStruct, frozen=True):
    """The profiles that GetChargingProfiles asked for, of all parts; not `is_complete` where they were too many."""

    request_id: int
    profiles: list[ReportedProfile]
    is_complete: bool


class EvChargingNeeds(_Somewhere, frozen=True, kw_only=True):
    """An electric vehicle says what it needs; `answer` is what its station was told to expect of this daemon."""

    needs: Wire
    answer: str
    transaction_id: int | UnsetType = UNSET
    max_schedule_tuples: int | UnsetType = UNSET


class EvChargingSchedule(_Somewhere, frozen=True, kw_only=True):
    """The schedule that an electric vehicle will follow, from `time_base` on."""

    time_base: datetime
    schedule: Wire
    transaction_id: int | UnsetType = UNSET
    selected_charging_schedule_id: int | UnsetType = UNSET
    power_tolerance_acceptance: bool | UnsetType = UNSET


class PriorityChargingChanged(PayloadStruct, frozen=True):
    """Priority charging of a transaction was switched on or off."""

    station_transaction_id: str
    activated: bool
    transaction_id: int | UnsetType = UNSET


class DynamicSchedulePulled(PayloadStruct, frozen=True):
    """A station asked for the values of a dynamic charging profile; `update` is what it was answered, where it is known."""

    charging_profile_id: int
    status: str
    update: Wire | UnsetType = UNSET


class DisplayMessagesReported(PayloadStruct, frozen=True):
    """The messages that GetDisplayMessages asked for, of all parts; not `is_complete` where they were too many."""

    request_id: int
    messages: list[Wire]
    is_complete: bool


class CustomerInformationReported(PayloadStruct, frozen=True):
    """What a station knows of a customer came in, of all parts. It is personal: only the ledger keeps it."""

    request_id: int
    parts: int
    is_complete: bool


class DerAlarm(PayloadStruct, frozen=True):
    """An alarm of a distributed energy resource, or the end of one."""

    control_type: str
    timestamp: datetime
    grid_event_fault: str | UnsetType = UNSET
    alarm_ended: bool | UnsetType = UNSET
    extra_info: str | UnsetType = UNSET


class DerControlChanged(PayloadStruct, frozen=True):
    """A DER control started or stopped at a station."""

    control_id: str
    started: bool
    timestamp: datetime
    superseded_ids: list[str] | UnsetType = UNSET


class DerControlsReported(PayloadStruct, frozen=True):
    """The DER controls that GetDERControl asked for, of all parts, each in a member named as its kind."""

    request_id: int
    controls: list[Wire]
    is_complete: bool


class SwappedBattery(_Somewhere, frozen=True, kw_only=True):
    """A battery that was put in or taken out; its states are in percent."""

    serial_number: str
    state_of_charge: Number
    state_of_health: Number
    production_date: str | UnsetType = UNSET
    vendor_info: str | UnsetType = UNSET


class BatterySwapped(PayloadStruct, frozen=True):
    """Batteries were put in or taken out; those of one swap have the same `request_id`."""

    request_id: int
    event: str
    id_tag: str
    batteries: list[SwappedBattery]


class Settlement(PayloadStruct, frozen=True):
    """A payment terminal has settled a transaction, or could not."""

    psp_ref: str
    status: str
    settlement_amount: Number
    settlement_time: datetime
    station_transaction_id: str | UnsetType = UNSET
    transaction_id: int | UnsetType = UNSET
    status_info: str | UnsetType = UNSET
    receipt_id: str | UnsetType = UNSET
    receipt_url: str | UnsetType = UNSET
    vat_number: str | UnsetType = UNSET
    vat_company: Wire | UnsetType = UNSET


class VatNumberAsked(_Somewhere, frozen=True, kw_only=True):
    """A station wants to know whether a VAT number is good; `status` is what it was answered."""

    vat_number: str
    status: str


class FirmwarePublished(PayloadStruct, frozen=True):
    """How a local controller gets on with the firmware that it publishes, in its own words."""

    status: str
    request_id: int | UnsetType = UNSET
    locations: list[str] | UnsetType = UNSET


class EventStreamOpened(PayloadStruct, frozen=True):
    """A station sends the values of a monitor as a stream; `interval` is in seconds."""

    stream_id: int
    variable_monitoring_id: int
    status: str
    interval: int | UnsetType = UNSET
    values: int | UnsetType = UNSET


class StreamValue(PayloadStruct, frozen=True):
    """A value of a stream."""

    timestamp: datetime
    value: str


class EventStreamData(PayloadStruct, frozen=True):
    """Values of a stream; `pending` are those that are still to come."""

    stream_id: int
    pending: int
    values: list[StreamValue]
    variable_monitoring_id: int | UnsetType = UNSET


class EventStreamClosed(PayloadStruct, frozen=True):
    """A station sends the values of a monitor as events again."""

    stream_id: int
    variable_monitoring_id: int | UnsetType = UNSET


Notice = (
    ChargingLimitChanged
    | ChargingProfilesReported
    | EvChargingNeeds
    | EvChargingSchedule
    | PriorityChargingChanged
    | DynamicSchedulePulled
    | DisplayMessagesReported
    | CustomerInformationReported
    | DerAlarm
    | DerControlChanged
    | DerControlsReported
    | BatterySwapped
    | Settlement
    | VatNumberAsked
    | FirmwarePublished
    | EventStreamOpened
    | EventStreamData
    | EventStreamClosed
)

EVENT_TYPES: dict[str, type[PayloadStruct]] = {
    "charging_limit_changed": ChargingLimitChanged,
    "charging_profiles_reported": ChargingProfilesReported,
    "ev_charging_needs": EvChargingNeeds,
    "ev_charging_schedule": EvChargingSchedule,
    "priority_charging_changed": PriorityChargingChanged,
    "dynamic_schedule_pulled": DynamicSchedulePulled,
    "display_messages_reported": DisplayMessagesReported,
    "customer_information_reported": CustomerInformationReported,
    "der_alarm": DerAlarm,
    "der_control_changed": DerControlChanged,
    "der_controls_reported": DerControlsReported,
    "battery_swapped": BatterySwapped,
    "settlement": Settlement,
    "vat_number_asked": VatNumberAsked,
    "firmware_published": FirmwarePublished,
    "event_stream_opened": EventStreamOpened,
    "event_stream_data": EventStreamData,
    "event_stream_closed": EventStreamClosed,
}
TYPE_OF: dict[type[PayloadStruct], str] = {payload: event_type for event_type, payload in EVENT_TYPES.items()}
