"""The device model of a simulated charging station (OCPP 2.x, part 1 §4 and the appendices): a small one. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from attrs import define
from ocpp.v201.enums import AttributeEnumType as Attribute
from ocpp.v201.enums import DataEnumType as DataType
from ocpp.v201.enums import GetVariableStatusEnumType as GetStatus
from ocpp.v201.enums import MutabilityEnumType as Mutability
from ocpp.v201.enums import SetVariableStatusEnumType as SetStatus

from csms import __version__
from csms.simulator.behaviour import Behaviour
from csms.simulator.station import Station
from csms.simulator.v2.messages import Payload

_PASSWORD_LENGTHS: Final = range(16, 41)
"""A00.FR.205"""
_Key = tuple[str, ...]


@define(eq=False)
class Variable:
    """One variable with its Actual attribute.

    ``read`` and ``write`` are where its value lives elsewhere; without them it lives in ``value``.
    ``takes`` says whether it can be changed to a value, where the type does not say it all.
    """

    component: str
    name: str
    value: str = ""
    data_type: DataType = DataType.string
    mutability: Mutability = Mutability.read_only
    unit: str | None = None
    instance: str | None = None
    evse_id: int | None = None
    values: tuple[str, ...] | None = None
    read: Callable[[], str] | None = None
    write: Callable[[str], None] | None = None
    takes: Callable[[str], bool] | None = None

    @property
    def now(self) -> str:
        """The value now."""
        return self.value if self.read is None else self.read()

    def change(self, value: str) -> SetStatus:
        """Change the value, if it may be changed to that."""
        if self.mutability is Mutability.read_only or not self._takes(value):
            return SetStatus.rejected
        if self.write is not None:
            self.write(value)
        else:
            self.value = value
        return SetStatus.accepted

    def _takes(self, value: str) -> bool:
        if self.takes is not None:
            return self.takes(value)
        if self.values is not None:
            return value in self.values
        if self.mutability is Mutability.write_only:
            return len(value) in _PASSWORD_LENGTHS
        if self.data_type is DataType.integer:
            return value.isdecimal()
        return self.data_type is not DataType.boolean or value in ("true", "false")

    def report(self) -> Payload:
        """Return it as a ReportDataType."""
        attribute: Payload = {"type": Attribute.actual.value, "mutability": self.mutability.value}
        if self.mutability is not Mutability.write_only:
            attribute["value"] = self.now
        characteristics: Payload = {"dataType": self.data_type.value, "supportsMonitoring": True}
        if self.mutability is Mutability.write_only:
            characteristics["maxLimit"] = _PASSWORD_LENGTHS[-1]
        if self.unit is not None:
            characteristics["unit"] = self.unit
        if self.values is not None:
            characteristics["valuesList"] = ",".join(self.values)
        return {
            **self.names(),
            "variableAttribute": [attribute],
            "variableCharacteristics": characteristics,
        }

    def names(self) -> Payload:
        """Return the members that name it."""
        component: Payload = {"name": self.component}
        if self.evse_id is not None:
            component["evse"] = {"id": self.evse_id}
        variable = {"name": self.name} if self.instance is None else {"name": self.name, "instance": self.instance}
        return {"component": component, "variable": variable}


class DeviceModel:
    """All variables of one station; they are found by their names, whatever the case (part 1 §4)."""

    def __init__(self, variables: list[Variable]) -> None:
        self._variables = {(*_component(item.names()), *_variable(item.names())): item for item in variables}
        self._components = {key[:-2] for key in self._variables}

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._variables.values())

    def find(self, named: Payload) -> Variable | GetStatus:
        """Return the variable that ``component`` and ``variable`` name, or why there is none."""
        component = _component(named)
        if component not in self._components:
            return GetStatus.unknown_component
        return self._variables.get((*component, *_variable(named)), GetStatus.unknown_variable)

    def matching(self, wanted: list[Payload] | None) -> list[Variable]:
        """Return the variables of a report: those of all given components (with the variables, where given), or all."""
        if wanted is None:
            return list(self)
        return [item for item in self if any(_matches(item.names(), one) for one in wanted)]

    def get(self, asked: Payload) -> Payload:
        """Answer one getVariableData."""
        found, kind = self.find(asked), asked.get("attributeType", Attribute.actual.value)
        result: Payload = {"component": asked["component"], "variable": asked["variable"], "attributeType": kind}
        if isinstance(found, GetStatus):
            status = found
        elif kind != Attribute.actual:
            status = GetStatus.not_supported_attribute_type
        elif found.mutability is Mutability.write_only:
            status = GetStatus.rejected
        else:
            return {**result, "attributeStatus": GetStatus.accepted.value, "attributeValue": found.now}
        return {**result, "attributeStatus": status.value}

    def set(self, asked: Payload) -> Payload:
        """Answer one setVariableData."""
        found, kind = self.find(asked), asked.get("attributeType", Attribute.actual.value)
        if isinstance(found, GetStatus):
            status = SetStatus(found.value)
        elif kind != Attribute.actual:
            status = SetStatus.not_supported_attribute_type
        else:
            status = found.change(asked["attributeValue"])
        return {
            "component": asked["component"],
            "variable": asked["variable"],
            "attributeType": kind,
            "attributeStatus": status.value,
        }


def _component(named: Payload) -> _Key:
    component: dict[str, Any] = named["component"]
    evse: dict[str, Any] = component.get("evse") or {}
    return component["name"].lower(), str(component.get("instance", "")).lower(), str(evse.get("id", ""))


def _variable(named: Payload) -> _Key:
    return named["variable"]["name"].lower(), str(named["variable"].get("instance", "")).lower()


def _matches(names: Payload, wanted: Payload) -> bool:
    """Return whether a variable is one of those wanted; what is left out there (EVSE, instance, variable) is any."""
    mine, theirs = _component(names), _component(wanted)
    if mine[0] != theirs[0] or any(word not in ("", own) for own, word in zip(mine[1:], theirs[1:], strict=True)):
        return False
    if "variable" not in wanted:
        return True
    own, word = _variable(names), _variable(wanted)
    return own[0] == word[0] and word[1] in ("", own[1])


def make(
    station: Station,
    behaviour: Behaviour,
    client_id: str,
    *,
    availability: Callable[[int], str],
    new_password: Callable[[str], None],
    now: Callable[[], str],
) -> DeviceModel:
    """Make the device model of a station; ``availability`` says the state of an EVSE."""

    def interval(name: str) -> tuple[Callable[[], str], Callable[[str], None]]:
        return lambda: f"{getattr(station, name):g}", lambda value: setattr(station, name, float(value))

    integer, boolean, members = DataType.integer, DataType.boolean, DataType.member_list
    changeable = Mutability.read_write
    read_heartbeat, write_heartbeat = interval("heartbeat_interval_s")
    read_samples, write_samples = interval("sample_interval_s")
    variables = [
        Variable("ChargingStation", "Model", behaviour.model),
        Variable("ChargingStation", "VendorName", behaviour.vendor),
        Variable("ChargingStation", "SerialNumber", client_id),
        Variable("Controller", "FirmwareVersion", __version__),
        Variable("ClockCtrlr", "DateTime", data_type=DataType.date_time, read=now),
        Variable("ClockCtrlr", "TimeSource", "Heartbeat", DataType.sequence_list, values=("Heartbeat",)),
        Variable(
            "OCPPCommCtrlr", "HeartbeatInterval", "", integer, changeable, "s",
            read=read_heartbeat, write=write_heartbeat,
        ),
        Variable("OCPPCommCtrlr", "WebSocketPingInterval", "0", integer, changeable, "s"),
        Variable("OCPPCommCtrlr", "OfflineThreshold", "60", integer, changeable, "s"),
        Variable(
            "OCPPCommCtrlr", "NetworkConfigurationPriority", "1", DataType.sequence_list, changeable,
            takes=lambda value: {slot.strip() for slot in value.split(",")} <= {str(s) for s in station.network_slots},
        ),
        Variable(
            "OCPPCommCtrlr", "MessageAttempts", str(behaviour.transaction_message_attempts), integer,
            instance="TransactionEvent",
        ),
        Variable(
            "OCPPCommCtrlr", "MessageAttemptInterval", f"{behaviour.retry_interval_s:g}", DataType.decimal,
            unit="s", instance="TransactionEvent",
        ),
        Variable("OCPPCommCtrlr", "FileTransferProtocols", "HTTPS", members),
        Variable("SecurityCtrlr", "Identity", client_id),
        Variable(
            "SecurityCtrlr", "BasicAuthPassword", "", DataType.string, Mutability.write_only, write=new_password
        ),
        Variable("SecurityCtrlr", "SecurityProfile", "1", integer),
        Variable("SecurityCtrlr", "OrganizationName", behaviour.vendor, mutability=changeable),
        Variable("AuthCtrlr", "AuthorizeRemoteStart", "true", boolean),
        Variable("AuthCtrlr", "OfflineTxForUnknownIdEnabled", "true", boolean),
        Variable("AuthCtrlr", "LocalPreAuthorize", "false", boolean, changeable),
        Variable("LocalAuthListCtrlr", "Entries", "0", integer),
        Variable("LocalAuthListCtrlr", "Enabled", "true", boolean),
        Variable("TxCtrlr", "StopTxOnInvalidId", "true", boolean),
        Variable("TxCtrlr", "TxStartPoint", "Authorized", members, values=("Authorized",)),
        Variable("TxCtrlr", "TxStopPoint", "Authorized", members, values=("Authorized",)),
        Variable(
            "SampledDataCtrlr", "TxUpdatedInterval", "", integer, changeable, "s",
            read=read_samples, write=write_samples,
        ),
        Variable(
            "SampledDataCtrlr", "SignReadings", "true" if behaviour.signed_readings else "false", boolean
        ),
        Variable("DeviceDataCtrlr", "ItemsPerMessage", "20", integer, instance="GetVariables"),
        Variable("DeviceDataCtrlr", "ItemsPerMessage", "20", integer, instance="SetVariables"),
        Variable("DeviceDataCtrlr", "ItemsPerMessage", "20", integer, instance="GetReport"),
    ]  # fmt: skip
    for evse_id in range(1, station.connectors + 1):
        variables += [
            Variable(
                "EVSE", "AvailabilityState", data_type=DataType.option_list, evse_id=evse_id,
                values=("Available", "Occupied", "Reserved", "Unavailable", "Faulted"),
                read=partial(availability, evse_id),
            ),
            Variable("EVSE", "SupplyPhases", str(behaviour.phases), integer, evse_id=evse_id),
            Variable("EVSE", "Power", "0", DataType.decimal, unit="W", evse_id=evse_id),
        ]  # fmt: skip
    return DeviceModel(variables)
