"""Commands over MQTT: from a message to the charge point, and back to a result.

The commands of one charge point are carried out one after the other, in the order of their arrival; those of different ones
side by side. Nothing is carried out twice (see `request_memory`), and each command gets a result that says what became of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.outcomes import CommandFailed, Expired, NotConnected, Result, TooManyCommands
from csms.mqtt import command_messages
from csms.mqtt.command_messages import Answer, BadRequest, Command, Incoming, ReplyTo
from csms.mqtt.request_memory import RequestMemory
from csms.store.errors import StoreError

_log = Logger()
_MAX_WAITING = 20
"""Commands in hand for one charge point."""
_MAX_IN_HAND = 2000
_MAX_BYTES = 32 * 1024 * 1024


class Sender(Protocol):
    """The one path of commands, as it is used here; see `csms.chargepoint.commands`."""

    async def send(
        self, client_id: str, action: str, payload: dict[str, Any], *, timeout_s: float, expires_at: datetime | None
    ) -> dict[str, Any]:
        """Send a CALL and return the payload of its CALLRESULT; raises `CommandFailed`."""

    async def queue(self, client_id: str, action: str, payload: dict[str, Any], expires_at: datetime) -> str:
        """Have it sent when the charge point may be spoken to, and return its message id; raises `CommandFailed`."""


class Answers(Protocol):
    """Where results go."""

    def answer(self, client_id: str, action: str, answer: Answer, addresses: Sequence[ReplyTo]) -> None:
        """Publish a result on the charge point's topic, and on others that requests named."""


@define(eq=False)
class MqttCommands:
    """Takes commands from the feed; everything here runs on the reactor's thread."""

    _sender: Sender
    _answers: Answers
    _memory: RequestMemory
    _now: Callable[[], datetime]
    _in_hand: dict[str, Command] = field(factory=dict)
    """By request id, until they are answered."""
    _lines: dict[str, deque[Command]] = field(factory=dict)
    """By charge point; the first of a line is being carried out."""
    _bytes: int = 0
    _outcomes: int = 0
    """Results of queued commands that are on their way."""
    _queueing: dict[str, Command] = field(factory=dict)
    """By message id, until the ledger knows that they are queued."""

    @property
    def is_busy(self) -> bool:
        """Whether results are still to come."""
        return bool(self._in_hand or self._outcomes)

    def take(self, batch: list[Incoming]) -> None:
        """Take commands; each gets a result, but for those that nobody waits for any more."""
        for incoming in batch:
            try:
                self._take(incoming)
            except Exception:  # noqa: BLE001 - one command must not stop the others
                _log.failure("{client_id}: a command could not be taken", client_id=incoming.client_id)

    def _take(self, incoming: Incoming) -> None:
        try:
            command = command_messages.parse(incoming)
        except BadRequest as bad:
            if not incoming.message.retained:
                refusal = command_messages.refused(bad.request_id, "BadRequest", str(bad))
                self._answers.answer(incoming.client_id, incoming.action, refusal, ())
            return
        if incoming.message.retained and (command.expires_at is None or command.has_expired(self._now())):
            # It comes again at each subscription; who left it there meant it for a moment that is over.
            return
        same = self._in_hand.get(command.request_id)
        line = self._lines.get(command.client_id)
        if same is not None:
            if same.fingerprint == command.fingerprint:
                same.answer_also(command)
            else:
                self._answer(command, command_messages.is_another(command))
        elif (
            (line is not None and len(line) >= _MAX_WAITING)
            or len(self._in_hand) >= _MAX_IN_HAND
            or self._bytes + command.size > _MAX_BYTES
        ):
            self._answer(command, command_messages.refused(command.request_id, "Busy", "too many commands wait"))
        else:
            self._line_up(command, line)

    def _line_up(self, command: Command, line: deque[Command] | None) -> None:
        self._in_hand[command.request_id] = command
        self._bytes += command.size
        if line is not None:
            line.append(command)
            return
        self._lines[command.client_id] = deque((command,))
        _run(self._work_off(command.client_id))

    async def _work_off(self, client_id: str) -> None:
        line = self._lines[client_id]
        while line:
            command = line[0]
            try:
                answer = await self._carry_out(command)
            except StoreError as error:
                answer = command_messages.refused(command.request_id, "Busy", f"nothing was sent: {error}")
            except Exception:  # noqa: BLE001 - a fault of ours must not stop the line
                _log.failure("{client_id}: a command failed", client_id=client_id)
                answer = command_messages.failed(command, CommandFailed("internal error"))
            line.popleft()
            del self._in_hand[command.request_id]
            self._bytes -= command.size
            if answer is not None:
                self._answer(command, answer)
        del self._lines[client_id]

    def _answer(self, command: Command, answer: Answer) -> None:
        try:
            self._answers.answer(command.client_id, command.action, answer, command.addresses)
        except Exception:  # noqa: BLE001 - nor must one result stop the others
            _log.failure("{client_id}: a result could not be given", client_id=command.client_id)

    async def _carry_out(self, command: Command) -> Answer | None:
        """Return the answer, or None where it will come from elsewhere.

        :raises StoreError: nothing was sent, as it cannot be told whether it was before.
        """
        now = self._now()
        seen = await self._memory.claim(command, now)
        if seen is not None:
            return await self._memory.first_answer(command, seen, now)
        if command.has_expired(now):
            return command_messages.failed(command, Expired("the time to expire has passed: nothing was sent"))
        return await self._send(command)

    async def _send(self, command: Command) -> Answer | None:
        try:
            answer = await self._outcome(command)
        except TooManyCommands as outcome:
            # As with every Busy: it may be tried again under the same request id.
            await self._memory.forget(command)
            return command_messages.failed(command, outcome)
        except StoreError:
            await self._memory.forget(command)
            raise
        except CommandFailed as outcome:
            answer = command_messages.failed(command, outcome)
        if answer is not None:
            await self._memory.settle(command, answer)
        return answer

    async def _outcome(self, command: Command) -> Answer | None:
        """Send a command, or have it wait where it says for how long: then the answer comes by `queued_result`.

        :raises CommandFailed: there is no answer of the charge point.
        :raises StoreError: nothing was sent.
        """
        client_id, action, payload = command.client_id, command.action, command.payload
        if command.has_expired(self._now()):
            raise Expired("the time to expire passed before its turn: nothing was sent")
        try:
            response = await self._sender.send(
                client_id, action, payload, timeout_s=command.timeout_s, expires_at=command.expires_at
            )
            return command_messages.succeeded(command, response)
        except NotConnected:
            if command.expires_at is None:
                raise
        message_id = await self._sender.queue(client_id, action, payload, command.expires_at)
        self._queueing[message_id] = command
        try:
            await self._memory.put_off(command, message_id, command.expires_at, self._now())
        except StoreError as error:
            _log.warn(
                "{client_id}: a queued command is known to this run only: {error}",
                client_id=client_id,
                error=str(error),
            )
        else:
            self._queueing.pop(message_id, None)
        return None

    def queued_result(self, client_id: str, action: str, message_id: str, outcome: Result) -> None:
        """Take the outcome of a queued command, and publish it if the command came from here."""
        self._outcomes += 1
        _run(self._queued_result(client_id, action, message_id, outcome)).addBoth(self._one_outcome_less)

    def _one_outcome_less(self, _result: None) -> None:
        self._outcomes -= 1

    async def _queued_result(self, client_id: str, action: str, message_id: str, outcome: Result) -> None:
        command = self._queueing.pop(message_id, None)
        if command is None:
            command = await self._memory.queued(client_id, action, message_id, self._now())
        if command is None:
            return
        if isinstance(outcome, CommandFailed):
            answer = command_messages.failed(command, outcome)
        else:
            answer = command_messages.succeeded(command, outcome)
        await self._memory.settle_queued(command, message_id, answer)
        self._answer(command, answer)


def _run(coroutine: Coroutine[Any, Any, None]) -> Deferred[None]:
    running = Deferred.fromCoroutine(coroutine)
    return running.addErrback(lambda failure: _log.failure("a command failed", failure))
