"""The names of variables in the device model (OCPP 2.x part 1 §4): of a component, where it is, and of the variable.

Written ``Component[instance]@evse:connector.Variable[instance]``, as ``OCPPCommCtrlr.HeartbeatInterval``,
``DeviceDataCtrlr.ItemsPerMessage[GetReport]``, ``EVSE@1.Power`` or ``Connector@1:2.AvailabilityState``. Names are the same in
any case.
"""

from __future__ import annotations

import re
from typing import Any, Literal, cast

from msgspec import Struct, structs

from csms.events.redaction import names_a_secret, without_secrets

Attribute = Literal["Actual", "Target", "MinSet", "MaxSet"]
ACTUAL: Attribute = "Actual"
_ATTRIBUTES = frozenset({"Actual", "Target", "MinSet", "MaxSet"})
LONGEST_VALUE = 2500
"""Of an attribute (part 2, ReportingValueSize)."""
_LONGEST_NAME = 50
_LARGEST_ID = 2**31 - 1
_TEXT = re.compile(
    r"(?P<component>[^.@\[\]/]+)(\[(?P<component_instance>[^\[\]]+)\])?(@(?P<evse>[1-9]\d{0,8})(:(?P<connector>[1-9]\d{0,8}))?)?"
    r"\.(?P<variable>[^\[\]/]+)(\[(?P<variable_instance>[^\[\]]+)\])?"
)


class VariableName(Struct, frozen=True, gc=False):
    """Which variable of which component."""

    component: str
    variable: str
    component_instance: str | None = None
    evse_id: int | None = None
    """None where the component is the station's."""
    station_connector_id: int | None = None
    variable_instance: str | None = None

    @property
    def text(self) -> str:
        """The name in one, see the module."""
        return f"{self._component}.{_with_instance(self.variable, self.variable_instance)}"

    @property
    def key(self) -> str:
        """What it is found by: two names are the same variable where their keys are the same."""
        # A name may hold a point, but no slash (identifierString).
        return f"{self._component}/{_with_instance(self.variable, self.variable_instance)}".casefold()

    @property
    def is_secret(self) -> bool:
        """Whether its values must not be kept, by the name of it."""
        return names_a_secret(self.text)

    @property
    def _component(self) -> str:
        place = "" if self.evse_id is None else f"@{self.evse_id}"
        if self.station_connector_id is not None:
            place += f":{self.station_connector_id}"
        return _with_instance(self.component, self.component_instance) + place

    def parts(self) -> dict[str, Any]:
        """Return the parts of the name, as columns of a row have them."""
        return structs.asdict(self)

    def told(self) -> dict[str, Any]:
        """Return the members of an event that say which variable it is about."""
        return {"key": self.text, **{part: value for part, value in self.parts().items() if value is not None}}

    def wire(self) -> dict[str, Any]:
        """Return the members ``component`` and ``variable`` of a message (part 2 §2.16, §2.53)."""
        component: dict[str, Any] = {"name": self.component}
        if self.component_instance is not None:
            component["instance"] = self.component_instance
        if self.evse_id is not None:
            component["evse"] = {"id": self.evse_id}
            if self.station_connector_id is not None:
                component["evse"]["connectorId"] = self.station_connector_id
        variable: dict[str, Any] = {"name": self.variable}
        if self.variable_instance is not None:
            variable["instance"] = self.variable_instance
        return {"component": component, "variable": variable}


def _with_instance(name: str, instance: str | None) -> str:
    return name if instance is None else f"{name}[{instance}]"


def parse(text: str) -> VariableName | None:
    """Return the variable that a text names, None where it names none."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    return of_wire(
        {
            "name": found["component"],
            "instance": found["component_instance"],
            "evse": {"id": int(found["evse"]), "connectorId": int(found["connector"] or 0)} if found["evse"] else None,
        },
        {"name": found["variable"], "instance": found["variable_instance"]},
    )


def of_wire(component: Any, variable: Any) -> VariableName | None:
    """Return the variable that a message tells of, None where it tells of none: stations leave members out."""
    if not isinstance(component, dict) or not isinstance(variable, dict):
        return None
    evse = component.get("evse")
    evse = evse if isinstance(evse, dict) else {}
    try:
        return VariableName(
            component=_name(component.get("name")),
            component_instance=_instance(component.get("instance")),
            evse_id=_id(evse.get("id")),
            station_connector_id=_id(evse.get("connectorId")),
            variable=_name(variable.get("name")),
            variable_instance=_instance(variable.get("instance")),
        )
    except ValueError:
        return None


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_NAME:
        raise ValueError("no name")
    return value


def _instance(value: Any) -> str | None:
    """An empty instance is none (B06.FR.15)."""
    return None if value is None or value == "" else _name(value)


def _id(value: Any) -> int | None:
    """EVSE 0 is the station, as in other messages."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST_ID:
        raise ValueError("no number of an EVSE or a connector")
    return int(value) or None


def attribute_of(value: Any) -> Attribute | None:
    """Return an attribute's type, `ACTUAL` where a message leaves it out, None where it is none."""
    if value is None:
        return ACTUAL
    return cast(Attribute, value) if isinstance(value, str) and value in _ATTRIBUTES else None


def kept_value(name: VariableName, value: str | None, mutability: str | None) -> str | None:
    """Return a value as it may be kept and told: none of a secret, and none that is longer than values can be."""
    if value is None or len(value) > LONGEST_VALUE or mutability == "WriteOnly" or name.is_secret:
        return None
    return str(without_secrets(value))
