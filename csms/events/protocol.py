"""Protocol events: every OCPP frame as it was, in both directions, with secrets redacted."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from csms.events import topics
from csms.ocppj import frames

_SECRET_KEYS = frozenset({"authorizationkey", "basicauthpassword"})
_REDACTED = "(redacted)"
_MAY_HOLD_SECRETS = frozenset(
    {
        "ChangeConfiguration",
        "GetConfiguration",
        "GetDiagnostics",
        "GetLog",
        "GetVariables",
        "PublishFirmware",
        "SetNetworkProfile",
        "SetVariables",
        "SignedUpdateFirmware",
        "UpdateFirmware",
    }
)
_URL_PASSWORD = re.compile(r"(://[^/?#:\s]*):[^/?#\s]*@")
"""``ftp://user:password@host/``: the places of uploads and firmware are given so."""
_NO_ERROR = (Raw(b'""'), Raw(b'""'), Raw(b"{}"))
_members = msgspec.json.Decoder(list[Raw])


class ProtocolEvent(Struct, frozen=True, gc=False):
    """One OCPP frame for the protocol stream: ``frame`` is the text as it was on the wire."""

    timestamp: datetime
    client_id: str
    direction: str
    action: str
    message_id: str
    frame: bytes
    deviations: tuple[str, ...] = ()


class ProtocolBody(Struct, frozen=True, rename="camel", kw_only=True):
    """The body of a protocol event; ``payload`` is the raw JSON."""

    timestamp: datetime
    client_id: str
    message_type: str
    request_id: str
    payload: Raw
    direction: str
    gateway_id: str
    deviations: tuple[str, ...] | UnsetType = UNSET


class ErrorPayload(Struct, frozen=True, rename="camel"):
    """The payload of a protocol event about a CALLERROR."""

    error_code: Any
    error_description: Any
    error_details: Any


_encode = msgspec.json.Encoder().encode


def publication(event: ProtocolEvent, gateway_id: str) -> tuple[str, bytes]:
    """Return topic and body of a protocol event."""
    members = _members.decode(event.frame)
    kind = int(bytes(members[0]))
    action = event.action
    if kind == frames.CALL:
        topic, message_type, payload = topics.protocol_message(event.client_id, action), action, members[3]
    else:
        topic = topics.protocol_response(event.client_id, action)
        if kind == frames.CALLRESULT:
            message_type, payload = f"{action}Response", members[2] if len(members) > 2 else Raw(b"{}")
        else:
            message_type, payload = f"{action}Error", _error(members)
    if action in _MAY_HOLD_SECRETS:
        payload = _redact(payload)
    body = ProtocolBody(
        timestamp=event.timestamp,
        client_id=event.client_id,
        message_type=message_type,
        request_id=event.message_id,
        payload=payload,
        direction=event.direction,
        gateway_id=gateway_id,
        deviations=event.deviations or UNSET,
    )
    return topic, _encode(body)


def _error(members: list[Raw]) -> Raw:
    given = members[2:5]
    code, description, details = (*given, *_NO_ERROR[len(given) :])
    return Raw(_encode(ErrorPayload(code, description, details)))


def _redact(payload: Raw) -> Raw:
    """Blank the values of configuration keys and variables that are secrets; other payloads stay as they were."""
    value = msgspec.json.decode(payload)
    clean = without_secrets(value)
    return payload if clean == value else Raw(_encode(clean))


def without_secrets(value: Any) -> Any:
    """Return a copy of a payload with the values of secrets, and passwords in URLs, blanked."""
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    if isinstance(value, str):
        return _URL_PASSWORD.sub(rf"\1:{_REDACTED}@", value)
    if not isinstance(value, dict):
        return value
    is_secret = any(
        isinstance(item, str) and item.lower() in _SECRET_KEYS
        for item in (
            value.get("key"),
            (value.get("variable") or {}).get("name") if isinstance(value.get("variable"), dict) else None,
        )
    )
    return {
        name: _REDACTED
        if (is_secret and name in {"value", "attributeValue"}) or name.lower() in _SECRET_KEYS
        else without_secrets(item)
        for name, item in value.items()
    }
