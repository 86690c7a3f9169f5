"""The frames of OCPP-J as values and as text: CALL, CALLRESULT, CALLERROR (1.6 §4.2), CALLRESULTERROR, SEND (2.1 §4.2)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from csms.ocppj import codec
from csms.ocppj.versions import Version

CALL: Final = 2
CALLRESULT: Final = 3
CALLERROR: Final = 4
CALLRESULTERROR: Final = 5
SEND: Final = 6
MESSAGES: Final = frozenset({CALL, SEND})
"""The kinds of frames that name an action; the others answer one."""

ERROR: Final = b"[4,"
"""How a CALLERROR of ours begins."""

NO_MESSAGE_ID: Final = "-1"
"""The message id of a CALLERROR for a frame whose own id cannot be told (OCPP-J 2.0.1 §4.2.3)."""
_LONGEST_ECHOED_ID: Final = 255


class Call(msgspec.Struct, frozen=True, gc=False):
    """A request. ``raw`` is the frame as it was on the wire."""

    message_id: str
    action: str
    payload: dict[str, Any]
    raw: bytes


class CallResult(msgspec.Struct, frozen=True, gc=False):
    """The answer to a CALL. ``raw`` is the frame as it was on the wire."""

    message_id: str
    payload: dict[str, Any]
    raw: bytes


class CallError(msgspec.Struct, frozen=True, gc=False):
    """The refusal of a CALL. ``raw`` is the frame as it was on the wire."""

    message_id: str
    code: str
    description: str
    details: dict[str, Any]
    raw: bytes


class CallResultError(msgspec.Struct, frozen=True, gc=False):
    """The refusal of a CALLRESULT (OCPP-J 2.1 §4.2.3). ``raw`` is the frame as it was on the wire."""

    message_id: str
    code: str
    description: str
    details: dict[str, Any]
    raw: bytes


class Send(msgspec.Struct, frozen=True, gc=False):
    """A message that is never answered (OCPP-J 2.1 §4.2.4). ``raw`` is the frame as it was on the wire."""

    message_id: str
    action: str
    payload: dict[str, Any]
    raw: bytes


Frame = Call | CallResult | CallError | CallResultError | Send


class BadFrame(ValueError):
    """The text is no frame of OCPP-J.

    ``message_id`` and ``code`` are for the CALLERROR to send; ``code`` is None where the standard wants silence.
    """

    def __init__(self, message_id: str, code: str | None, description: str) -> None:
        super().__init__(description)
        self.message_id = message_id
        self.code = code
        self.description = description


def decode(data: bytes, version: Version) -> Frame:
    """Read one frame (OCPP-J 1.6 §4.2, 2.1 §4.2).

    :raises codec.BadUtf8: the bytes are not UTF-8.
    :raises BadFrame: anything else that is no frame.
    """
    try:
        frame = codec.parse(data)
    except codec.BadUtf8:
        raise
    except codec.BadJson as error:
        raise BadFrame(NO_MESSAGE_ID, version.rpc_framework_error, str(error)) from None
    if type(frame) is list and len(frame) == 4 and frame[0] == CALL:
        # Nearly all that comes, and nothing is wrong with it.
        kind, message_id, action, payload = frame
        if (
            type(message_id) is str
            and 0 < len(message_id) <= version.max_message_id
            and type(action) is str
            and type(payload) is dict
            and type(kind) is int
        ):
            return Call(message_id, action, payload, data)
    return _look_closely(frame, data, version)


def _look_closely(frame: Any, data: bytes, version: Version) -> Frame:
    if type(frame) is not list or not frame:
        raise BadFrame(NO_MESSAGE_ID, version.rpc_framework_error, "not an array [MessageTypeId, MessageId, ...]")
    kind, message_id = frame[0], frame[1] if len(frame) > 1 else None
    if type(kind) is not int or kind not in version.message_types:
        code = "MessageTypeNotSupported" if version.unknown_message_type_is_answered else None
        allowed = ", ".join(map(str, sorted(version.message_types)))
        raise BadFrame(_echo(message_id), code, f"unknown message type {str(kind)[:20]}: allowed are {allowed}")
    if type(message_id) is not str or not message_id:
        raise BadFrame(NO_MESSAGE_ID, _code(kind, version.rpc_framework_error), "the message id is no string or empty")
    if len(message_id) > version.max_message_id:
        raise BadFrame(
            _echo(message_id),
            _code(kind, version.rpc_framework_error),
            f"the message id is {len(message_id)} characters long: at most {version.max_message_id} are allowed",
        )
    if kind == CALL:
        if len(frame) != 4 or type(frame[2]) is not str:
            raise BadFrame(message_id, version.format_violation, "a CALL is [2, MessageId, Action, Payload]")
        payload = frame[3] if frame[3] is not None else {}
        if type(payload) is not dict:
            raise BadFrame(message_id, version.format_violation, "the payload of a CALL is an object")
        return Call(message_id, frame[2], payload, data)
    if kind == CALLRESULT:
        payload = frame[2] if len(frame) > 2 and frame[2] is not None else {}
        if type(payload) is not dict or len(frame) > 3:
            raise BadFrame(message_id, None, "a CALLRESULT is [3, MessageId, Payload]")
        return CallResult(message_id, payload, data)
    if kind == SEND:
        if len(frame) != 4 or type(frame[2]) is not str or type(frame[3]) is not dict:
            raise BadFrame(message_id, None, "a SEND is [6, MessageId, Action, Payload]")
        return Send(message_id, frame[2], frame[3], data)
    code, description, details = (*frame[2:], "", "", {})[:3] if len(frame) < 5 else frame[2:5]
    return (CallError if kind == CALLERROR else CallResultError)(
        message_id,
        code if type(code) is str and code else "GenericError",
        description if type(description) is str else "",
        details if type(details) is dict else {},
        data,
    )


def _echo(message_id: object) -> str:
    if type(message_id) is str and 0 < len(message_id) <= _LONGEST_ECHOED_ID:
        return message_id
    return NO_MESSAGE_ID


def _code(kind: int, code: str) -> str | None:
    """Only a CALL is answered: an answer to an answer would go back and forth for ever."""
    return code if kind == CALL else None


def encode_call(message_id: str, action: str, payload: object) -> bytes:
    """Encode a CALL, compact and with the payload's members in the order given."""
    return codec.dump([CALL, message_id, action, payload])


def encode_result(message_id: str, payload: object) -> bytes:
    """Encode a CALLRESULT."""
    return codec.dump([CALLRESULT, message_id, payload])


def encode_error(message_id: str, code: str, description: str, details: dict[str, Any] | None = None) -> bytes:
    """Encode a CALLERROR; the description is cut to 255 characters (OCPP-J 1.6 §4.2.3)."""
    return codec.dump([CALLERROR, message_id, code, description[:255], details or {}])


def encode_result_error(message_id: str, code: str, description: str) -> bytes:
    """Encode a CALLRESULTERROR; the description is cut to 255 characters (OCPP-J 2.1 §4.2.3)."""
    return codec.dump([CALLRESULTERROR, message_id, code, description[:255], {}])
