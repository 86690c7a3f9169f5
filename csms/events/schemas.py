"""JSON Schemas of what is published, made from the structures that are encoded: ``python -m csms.events.schemas DIRECTORY``.

One file for each kind of message, complete in itself. What is named ``required`` is always there; further members may be
added, so none is forbidden.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import UNSET, Meta, Struct

from csms.events import business, certificates, notices, protocol, topics

EVENTS: dict[str, type[Struct]] = {
    "started": business.Started,
    "completed": business.Completed,
    "orphan_stop": business.OrphanStop,
    "start_refused": business.StartRefused,
    "meter_reading": business.MeterReading,
    "status_changed": business.StatusChanged,
    "session_cost": business.SessionCost,
    "connected": business.Connected,
    "disconnected": business.Disconnected,
    "booted": business.Booted,
    "login_refused": business.LoginRefused,
    "password_changed": business.PasswordChanged,
    "reservation_changed": business.ReservationChanged,
    "configuration_changed": business.ConfigurationChanged,
    "variable_event": business.VariableEvent,
    "report_completed": business.ReportCompleted,
    "firmware_status": business.FirmwareStatus,
    "diagnostics_status": business.DiagnosticsStatus,
    **certificates.EVENT_TYPES,
    **notices.EVENT_TYPES,
}
"""The payload of each event type. Security events are named by charge points: they share one schema."""

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_UUID7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_TIME = {"type": "string", "format": "date-time", "pattern": "Z$"}
_NUMBER = {"anyOf": [{"type": "integer"}, {"type": "number"}]}


def all_schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by the names of their files without the suffix."""
    schemas = {
        event_type: _schema(_envelope(event_type, payload), _business_topic(payload, event_type))
        for event_type, payload in EVENTS.items()
    }
    security = business.SecurityEvent
    schemas["security_event"] = _schema(_envelope(None, security), _business_topic(security, "{event}"))
    schemas["protocol_event"] = _schema(
        protocol.ProtocolBody, "ocpp/messages/{clientId}/{action}", "ocpp/responses/{clientId}/{action}"
    )
    schemas["charge_point_state"] = _schema(business.ChargePointNow, "csms/state/{clientId}")
    schemas["gateway_status"] = _schema(business.GatewayStatus, "csms/gateways/{gatewayId}/status")
    return {name: {**schema, "title": name} for name, schema in schemas.items()}


def text(schema: dict[str, Any]) -> str:
    """Return a schema as the text of its file."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def _business_topic(payload: type[Struct], event_type: str) -> str:
    return f"csms/{topics.FAMILIES[payload]}/{{clientId}}/{event_type}"


def _envelope(event_type: str | None, payload: type[Struct]) -> type[Struct]:
    """Return `BusinessEvent` with the one kind of payload that this event has."""
    types: dict[str, Any] = {**get_type_hints(business.BusinessEvent, include_extras=True), "payload": payload}
    if event_type is not None:
        types["event_type"] = Literal[event_type]
        types["event_id"] = Annotated[str, Meta(pattern=f"^{event_type}_{_UUID7}$")]
    fields = [
        (field.name, types[field.name], msgspec.field(default=field.default))
        for field in msgspec.structs.fields(business.BusinessEvent)
    ]
    envelope = msgspec.defstruct("BusinessEvent", fields, rename="camel", kw_only=True)
    envelope.__doc__ = payload.__doc__
    return envelope


def _schema(root: type[Struct], *on_topics: str) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([root], ref_template="#/$defs/{name}")
    for name, component in components.items():
        homes = (business, certificates, notices, protocol)
        structure = root if name == root.__name__ else next(vars(home)[name] for home in homes if name in vars(home))
        _be_exact(component, structure)
    body = components.pop(root.__name__)
    description = f"{(root.__doc__ or '').strip()} Topic: {' and '.join(on_topics)}"
    return {"$schema": _DIALECT, **body, "description": description, **({"$defs": components} if components else {})}


def _be_exact(component: dict[str, Any], structure: type[Struct]) -> None:
    """Say what msgspec's schemas are silent about: which members an encoder always writes, and how times look."""
    properties = component["properties"]
    for field in msgspec.structs.fields(structure):
        member = properties[field.encode_name]
        member.pop("default", None)
        if field.type is datetime or datetime in get_args(field.type):
            properties[field.encode_name] = _TIME
        elif member == _NUMBER:
            properties[field.encode_name] = {"type": "number"}
        elif member.get("additionalProperties") == _NUMBER:
            member["additionalProperties"] = {"type": "number"}
    component["required"] = [
        field.encode_name for field in msgspec.structs.fields(structure) if field.default is not UNSET
    ]


def main(arguments: list[str]) -> None:
    """Write the files into a directory; those of schemas that are gone are removed."""
    (directory,) = map(Path, arguments)
    directory.mkdir(parents=True, exist_ok=True)
    schemas = all_schemas()
    for name, schema in schemas.items():
        (directory / f"{name}.json").write_text(text(schema), encoding="utf-8")
    for path in directory.glob("*.json"):
        if path.stem not in schemas:
            path.unlink()


if __name__ == "__main__":
    main(sys.argv[1:])
