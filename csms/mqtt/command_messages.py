"""Commands and results as they travel: `{"requestId", "payload", "expiresAt"?, "timeout"?}` and `{"requestId", "status", …}`."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any

import msgspec
import orjson
from attrs import define, field, frozen

from csms.chargepoint.commands import LONGEST_TIMEOUT_S, TIMEOUT_S
from csms.chargepoint.outcomes import CallRefused, CommandFailed, InvalidPayload
from csms.events import topics
from csms.mqtt.incoming import Message
from csms.ocppj import codec

MAX_COMMAND_BYTES = 1024 * 1024
"""As much as a charge point's own messages may have by default; the largest command is a list of id tags."""
_LONGEST_REQUEST_ID = 255
_MAX_ADDRESSES = 8
_Time = Annotated[datetime, msgspec.Meta(tz=True)]


class BadRequest(Exception):
    """A command that is not understood; ``request_id`` is None where it could not be read."""

    def __init__(self, request_id: str | None, reason: str) -> None:
        super().__init__(reason)
        self.request_id = request_id


@frozen
class Incoming:
    """A message on a command topic of a charge point that is held here."""

    client_id: str
    action: str
    """As it stands in the topic."""
    message: Message


@frozen
class ReplyTo:
    """Where a request of MQTT 5 wants its answer besides."""

    topic: str
    correlation_data: bytes | None


@define(eq=False)
class Command:
    """A command that was understood."""

    client_id: str
    action: str
    request_id: str
    payload: dict[str, Any]
    expires_at: datetime | None
    size: int
    addresses: list[ReplyTo] = field(factory=list)
    timeout_s: float = TIMEOUT_S
    """How long the charge point has to answer."""

    @property
    def fingerprint(self) -> str:
        """Tells whether another command under the same request id is the same command."""
        payload = orjson.dumps(self.payload, option=orjson.OPT_SORT_KEYS)
        return sha256(b"\0".join((self.client_id.encode(), self.action.encode(), payload))).hexdigest()

    def has_expired(self, now: datetime) -> bool:
        """Tell whether it must not be sent any more."""
        return self.expires_at is not None and self.expires_at <= now

    def answer_also(self, other: Command) -> None:
        """Have the answer sent where a repetition of this command wants it."""
        for address in other.addresses:
            if address not in self.addresses and len(self.addresses) < _MAX_ADDRESSES:
                self.addresses.append(address)


def parse(incoming: Incoming) -> Command:
    """Read a command.

    :raises BadRequest: it is not understood.
    """
    message = incoming.message
    if len(message.payload) > MAX_COMMAND_BYTES:
        raise BadRequest(None, f"more than {MAX_COMMAND_BYTES} bytes")
    try:
        body = codec.parse(message.payload)
    except codec.BadJson as error:
        raise BadRequest(None, str(error)) from None
    if not isinstance(body, dict):
        raise BadRequest(None, "not a JSON object")
    request_id = _request_id(body)
    payload = body.get("payload")
    if not isinstance(payload, dict):
        raise BadRequest(request_id, "payload: a JSON object is needed")
    return Command(
        client_id=incoming.client_id,
        action=incoming.action,
        request_id=request_id,
        payload=payload,
        expires_at=_expires_at(body, request_id),
        size=len(message.payload),
        addresses=_addresses(message, request_id),
        timeout_s=_timeout_s(body, request_id),
    )


def _request_id(body: dict[str, Any]) -> str:
    request_id = body.get("requestId")
    if not isinstance(request_id, str):
        raise BadRequest(None, "requestId: a text is needed")
    if not 0 < len(request_id) <= _LONGEST_REQUEST_ID or not topics.is_publishable(request_id):
        raise BadRequest(
            None, f"requestId: 1 to {_LONGEST_REQUEST_ID} characters without control characters are needed"
        )
    return request_id


def _expires_at(body: dict[str, Any], request_id: str) -> datetime | None:
    text = body.get("expiresAt")
    if text is None:
        return None
    try:
        return msgspec.convert(text, _Time).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError):
        raise BadRequest(request_id, "expiresAt: a time by RFC 3339 with its zone is needed") from None


def _timeout_s(body: dict[str, Any], request_id: str) -> float:
    timeout_s = body.get("timeout")
    if timeout_s is None:
        return TIMEOUT_S
    if type(timeout_s) not in {int, float} or not 0 < timeout_s <= LONGEST_TIMEOUT_S:
        raise BadRequest(request_id, f"timeout: seconds are needed, more than 0 and at most {LONGEST_TIMEOUT_S}")
    return float(timeout_s)


def _addresses(message: Message, request_id: str) -> list[ReplyTo]:
    if message.response_topic is None:
        return []
    if not topics.is_response_topic(message.response_topic):
        raise BadRequest(request_id, "the response topic is none that may be answered to")
    return [ReplyTo(message.response_topic, message.correlation_data)]


@frozen
class Answer:
    """What became of a command: one word, and the result that says so."""

    status: str
    body: bytes
    is_refusal: bool = False
    """Whether the command was not even taken."""


def succeeded(command: Command, response: dict[str, Any]) -> Answer:
    """Return the answer of the charge point."""
    return Answer("ok", codec.dump({"requestId": command.request_id, "status": "ok", "response": response}))


def failed(command: Command, outcome: CommandFailed) -> Answer:
    """Return why there is no answer of the charge point, with what is known of it."""
    error: dict[str, Any] = {"description": str(outcome)}
    if isinstance(outcome, CallRefused):
        error = {"code": outcome.code, "description": outcome.description, "details": outcome.details}
    elif isinstance(outcome, InvalidPayload):
        error = {"path": outcome.path, "description": outcome.detail}
    elif (message_id := getattr(outcome, "message_id", None)) is not None:
        error["messageId"] = message_id
    return _without_response(command.request_id, outcome.status, error)


def refused(request_id: str | None, status: str, reason: str) -> Answer:
    """Return that a command was not taken."""
    return _without_response(request_id, status, {"description": reason}, is_refusal=True)


def lost(command: Command) -> Answer:
    """Return that nobody knows any more what became of a command."""
    reason = "the daemon ended before the answer came: whether the charge point took it is not known"
    return _without_response(command.request_id, "ConnectionLost", {"description": reason})


def is_another(command: Command) -> Answer:
    """Return that a request id was used for another command before."""
    return refused(command.request_id, "BadRequest", "requestId: it was used for another command")


def _without_response(
    request_id: str | None, status: str, error: dict[str, Any], *, is_refusal: bool = False
) -> Answer:
    body = codec.dump({"requestId": request_id, "status": status, "error": error})
    return Answer(status, body, is_refusal)
