"""``/chargepoints/{clientId}/commands/{action}``: an OCPP request for a charge point, and what became of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any

from attrs import define
from msgspec import UNSET, Meta, UnsetType
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from csms.api.idempotency import HEADER as IDEMPOTENCY_KEY
from csms.api.idempotency import Idempotency, uninterrupted
from csms.api.parameters import Time, utc
from csms.api.ports import Commands as CommandsPort
from csms.api.problems import Problem, unprocessable
from csms.api.routes import Answer, Asked, Body, Exchange, Header, Route, Shown
from csms.chargepoint import outcomes
from csms.chargepoint.commands import LONGEST_TIMEOUT_S, TIMEOUT_S

_RESPOND_ASYNC = re.compile(r"(^|,)\s*respond-async\s*($|[,;])", re.IGNORECASE)
_PREFER = Header(
    "Prefer",
    "With `respond-async` the answer is 202 as soon as the request is on the wire (RFC 7240)",
    {"type": "string", "enum": ["respond-async"]},
)
_log = Logger()
_APPLIED = (("preference-applied", "respond-async"),)


class CommandQuery(Asked, frozen=True):
    """How long to wait for the answer, and until when to keep a command for a charge point that is offline."""

    timeout: Annotated[float, Meta(gt=0, le=LONGEST_TIMEOUT_S, description="Seconds to wait for the answer")] = (
        TIMEOUT_S
    )
    expires_at: (
        Annotated[Time, Meta(description="Until then the command is kept for a charge point that is offline")]
        | UnsetType
    ) = UNSET


class CommandAnswer(Shown, frozen=True):
    """The charge point's answer: the payload of its CALLRESULT."""

    message_id: str
    response: dict[str, Any]


class CommandSent(Shown, frozen=True):
    """A command that is on the wire, or kept until the charge point is back."""

    message_id: str


@define(eq=False)
class Commands:
    """Commands of operators."""

    _commands: CommandsPort
    _idempotency: Idempotency
    _now: Callable[[], datetime]

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        return [
            Route(
                "POST", "/chargepoints/{clientId}/commands/{action}", "sendCommand",
                "Send an OCPP request to a charge point; the body is its payload",
                self.send, {200: CommandAnswer, 202: CommandSent}, query=CommandQuery, body=Body(dict[str, Any]),
                problems=(404, 409, 422, 502, 503, 504), headers=(_PREFER, IDEMPOTENCY_KEY), role="operate",
            )
        ]  # fmt: skip

    async def send(self, exchange: Exchange) -> Answer:
        """Send a command, once for each Idempotency-Key."""
        expires_at = utc(exchange.query.expires_at)
        command = _Command(
            self._commands,
            exchange.path["clientId"],
            exchange.path["action"],
            exchange.body,
            exchange.query.timeout,
            expires_at,
        )

        async def work() -> Answer:
            if expires_at is not None and expires_at <= self._now():
                raise unprocessable("expiresAt", "the command has expired: it was not sent")
            return await (command.sent() if _prefers_async(exchange.request) else command.answered())

        # A client that goes away does not take back what is on the wire.
        return await uninterrupted(self._idempotency.once(exchange, work))


@define(eq=False)
class _Command:
    _commands: CommandsPort
    _client_id: str
    _action: str
    _payload: dict[str, Any]
    _timeout_s: float
    _expires_at: datetime | None
    _is_on_wire: bool = False

    async def answered(self) -> Answer:
        """Send, and wait for the answer."""
        message_id = self._commands.new_message_id()
        try:
            response = await self._send(message_id)
        except outcomes.NotConnected as error:
            return await self._queue(error)
        except outcomes.CommandFailed as error:
            raise problem_of(error, message_id) from None
        return Answer(CommandAnswer(message_id=message_id, response=response))

    async def sent(self) -> Answer:
        """Send, and wait only until it is on the wire."""
        message_id = self._commands.new_message_id()
        on_wire: Deferred[None] = Deferred()

        def is_on_wire(_message_id: str) -> None:
            if not on_wire.called:
                on_wire.callback(None)

        def failed(failure: Any) -> None:
            # What becomes of it after it was sent is in the message log.
            if not on_wire.called:
                on_wire.errback(failure)

        Deferred.fromCoroutine(self._send(message_id, is_on_wire)).addCallbacks(is_on_wire, failed)
        try:
            await on_wire
        except outcomes.NotConnected as error:
            return await self._queue(error)
        except outcomes.CommandFailed as error:
            raise problem_of(error, message_id) from None
        return Answer(CommandSent(message_id=message_id), 202, headers=_APPLIED)

    async def _send(self, message_id: str, on_sent: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
        def is_on_wire(message_id: str) -> None:
            self._is_on_wire = True
            on_sent(message_id)

        try:
            return await self._commands.send(
                self._client_id,
                self._action,
                self._payload,
                timeout_s=self._timeout_s,
                message_id=message_id,
                on_sent=is_on_wire,
                expires_at=self._expires_at,
            )
        except outcomes.CommandFailed:
            raise
        except Exception:
            if not self._is_on_wire:
                raise
            _log.failure("{client_id}: a command failed after it was sent", client_id=self._client_id)
            members = {"outcome": outcomes.CommandFailed.status, "messageId": message_id}
            detail = "the daemon failed after the command was sent: whether it was done is not known"
            raise Problem(500, detail, members=members) from None

    async def _queue(self, error: outcomes.NotConnected) -> Answer:
        """Keep the command for later, if the operator said until when."""
        if self._expires_at is None:
            raise problem_of(error, None)
        try:
            message_id = await self._commands.queue(self._client_id, self._action, self._payload, self._expires_at)
        except outcomes.CommandFailed as refused:
            raise problem_of(refused, None) from None
        return Answer(CommandSent(message_id=message_id), 202)


def _prefers_async(request: IRequest) -> bool:
    prefer = b",".join(request.requestHeaders.getRawHeaders(b"prefer") or [])
    return _RESPOND_ASYNC.search(prefer.decode("latin-1")) is not None


def problem_of(error: outcomes.CommandFailed, message_id: str | None) -> Problem:
    """Return the problem of a command that failed; ``outcome`` is the word that results over MQTT use."""
    outcome: dict[str, Any] = {"outcome": error.status}
    sent = {**outcome, "messageId": message_id}
    match error:
        case outcomes.UnknownChargePoint():
            return Problem(404, "there is no such charge point", members=outcome)
        case outcomes.UnknownAction():
            return Problem(404, "there is no such action that a central system can send to it", members=outcome)
        case outcomes.InvalidPayload():
            return Problem(422, f"{error.path}: {error.detail}", members={**outcome, "path": error.path})
        case outcomes.Expired():
            return Problem(422, "the command has expired: it was not sent", members={**outcome, "path": "expiresAt"})
        case outcomes.CallRefused():
            said = {"errorCode": error.code, "errorDescription": error.description, "errorDetails": error.details}
            return Problem(502, f"the charge point answered {error}", members={**sent, **said})
        case outcomes.CallTimedOut():
            return Problem(504, "the charge point did not answer in time", members=sent)
        case outcomes.ConnectionLost():
            return Problem(504, "the connection was lost before the answer came", members=sent)
        case outcomes.TooManyCommands():
            return Problem(503, f"nothing was sent: {error}", members=outcome, headers=[("retry-after", "5")])
    return Problem(503, f"nothing was sent: {error}", members=outcome)
