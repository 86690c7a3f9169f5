"""Protocol events: every OCPP frame as it was, in both directions, with secrets redacted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from csms.events import topics
from csms.events.redaction import frame_without_secrets, redacted
from csms.ocppj import frames

_SUFFIXES = {
    frames.CALL: "",
    frames.CALLRESULT: "Response",
    frames.CALLERROR: "Error",
    frames.CALLRESULTERROR: "ResponseError",
    frames.SEND: "",
}
"""What a message type has behind its action, by the kind of frame."""
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
    """The payload of a protocol event about a CALLERROR or a CALLRESULTERROR."""

    error_code: Any
    error_description: Any
    error_details: Any


_encode = msgspec.json.Encoder().encode


def publication(event: ProtocolEvent, gateway_id: str) -> tuple[str, bytes]:
    """Return topic and body of a protocol event."""
    action = event.action
    kind, _, payload = parts(frame_without_secrets(action, event.frame))
    if kind in frames.MESSAGES:
        topic, message_type = topics.protocol_message(event.client_id, action), action
    else:
        topic, message_type = topics.protocol_response(event.client_id, action), action + _SUFFIXES[kind]
    body = ProtocolBody(
        timestamp=event.timestamp,
        client_id=event.client_id,
        message_type=message_type,
        request_id=event.message_id,
        payload=payload,
        direction=event.direction,
        gateway_id=gateway_id,
        deviations=tuple(map(redacted, event.deviations)) if event.deviations else UNSET,
    )
    return topic, _encode(body)


def parts(frame: bytes | Raw) -> tuple[int, Raw, Raw]:
    """Return a frame's kind, its message id, and its payload as it is on the wire; of an error its three parts."""
    members = _members.decode(frame)
    kind, message_id = int(bytes(members[0])), members[1]
    if kind in frames.MESSAGES:
        return kind, message_id, members[3]
    if kind == frames.CALLRESULT:
        return kind, message_id, members[2] if len(members) > 2 else Raw(b"{}")
    return kind, message_id, _error(members)


def _error(members: list[Raw]) -> Raw:
    given = members[2:5]
    code, description, details = (*given, *_NO_ERROR[len(given) :])
    return Raw(_encode(ErrorPayload(code, description, details)))
