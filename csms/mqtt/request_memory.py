"""Which requests were taken, and what became of them: kept in the ledger, so that a restart forgets nothing.

A request is claimed before anything is sent, and settled with its result before that is published. It is remembered for an
hour, or for an hour after the time that its command expires: a retained command comes again at each subscription until then.
Secrets are not kept: a result that is given again says ``(redacted)`` in their place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol

import msgspec
import orjson
from attrs import define, field
from sqlalchemy import Connection
from twisted.logger import Logger

from csms.chargepoint.commands import LONGEST
from csms.events.redaction import answer_without_secrets
from csms.mqtt import command_messages
from csms.mqtt.command_messages import Answer, Command, ReplyTo
from csms.ocppj import codec
from csms.store import seen_requests
from csms.store.errors import StoreError
from csms.store.seen_requests import Arrears, Claim, Seen

_log = Logger()
FACE = "mqtt"
QUEUE_FACE = "mqtt-queue"
"""Under it stands, by message id, which request a queued command is."""
DONE, QUEUED = 200, 202


class Requests(Protocol):
    """The part of the store that is needed here."""

    def write(self, job: Callable[[Connection], Any]) -> Awaitable[Any]:
        """Have a function write in the next commit; fails with `StoreError`."""

    def read(self, query: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
        """Run a query on a reader's thread; fails with `StoreError`."""


class _Queued(msgspec.Struct):
    request_id: str
    addresses: list[tuple[str, bytes | None]]


@define(eq=False)
class RequestMemory:
    """Used on the reactor's thread."""

    _store: Requests
    _gateway_id: str
    _arrears: Arrears = field(factory=Arrears)

    async def claim(self, command: Command, now: datetime) -> Seen | None:
        """Take a request, or return what is known of it; one whose command has expired is not taken.

        :raises StoreError: it cannot be told whether it was seen before.
        """
        request_id = command.request_id
        claim = Claim(self._gateway_id, now).encode()

        def job(connection: Connection) -> Seen | None:
            if command.has_expired(now):
                return seen_requests.find(connection, FACE, request_id, now)
            fingerprint, until = command.fingerprint, command.expires_at
            return seen_requests.claim(connection, FACE, request_id, fingerprint, now, until=until, body=claim)

        seen: Seen | None = await self._store.write(self._arrears.before(request_id, job))
        self._arrears.clear(request_id)
        return seen

    async def first_answer(self, command: Command, seen: Seen, now: datetime) -> Answer | None:
        """Return the answer to give again to a request that was seen before, None while there is none."""
        if seen.fingerprint != command.fingerprint:
            return command_messages.is_another(command)
        if seen.status == DONE:
            return Answer("Repeated", seen.body or b"")
        if seen.status == QUEUED:
            await self._answer_also(command, (seen.body or b"").decode(), now)
            return None
        claim = seen.claim
        if claim is None or not claim.is_over(self._gateway_id, now, LONGEST):
            # Another daemon carries it out just now: the charge point is moving from there to here.
            return None
        answer = command_messages.lost(command)
        await self.settle(command, answer)
        return answer

    async def settle(self, command: Command, answer: Answer) -> None:
        """Keep the answer to a request, without its secrets."""
        body = _without_secrets(command, answer)
        await self._keep(
            command.request_id,
            lambda connection: seen_requests.settle(connection, FACE, command.request_id, DONE, body),
        )

    async def forget(self, command: Command) -> None:
        """Let a request be taken again: nothing was sent."""
        await self._keep(
            command.request_id, lambda connection: seen_requests.release(connection, FACE, command.request_id)
        )

    async def _keep(self, request_id: str, job: Callable[[Connection], None]) -> None:
        try:
            await self._store.write(job)
        except StoreError as error:
            _log.warn("what became of a command cannot be kept: {error}", error=str(error))
            self._arrears.add(request_id, job)
        else:
            self._arrears.clear(request_id)

    # Commands for charge points that may not be spoken to yet.

    async def put_off(self, command: Command, message_id: str, expires_at: datetime, now: datetime) -> None:
        """Keep which request a queued command is.

        :raises StoreError: it is not kept.
        """
        body = _queued(command)

        def job(connection: Connection) -> None:
            seen_requests.claim(connection, QUEUE_FACE, message_id, "", now, until=expires_at, body=body)
            seen_requests.settle(connection, FACE, command.request_id, QUEUED, message_id.encode())

        try:
            await self._store.write(job)
        except StoreError:
            self._arrears.add(command.request_id, job)
            raise

    async def _answer_also(self, command: Command, message_id: str, now: datetime) -> None:
        """Have the answer to a queued command sent where a repetition of it wants it."""
        if not command.addresses:
            return

        def job(connection: Connection) -> None:
            first = _command_of(
                seen_requests.find(connection, QUEUE_FACE, message_id, now), command.client_id, command.action
            )
            if first is not None:
                first.answer_also(command)
                seen_requests.settle(connection, QUEUE_FACE, message_id, QUEUED, _queued(first))

        await self._store.write(job)

    async def queued(self, client_id: str, action: str, message_id: str, now: datetime) -> Command | None:
        """Return the command behind a message id, as far as an answer needs it; None where it did not come by MQTT.

        :raises StoreError: it cannot be told.
        """
        seen: Seen | None = await self._store.read(seen_requests.find, QUEUE_FACE, message_id, now)
        return _command_of(seen, client_id, action)

    async def settle_queued(self, command: Command, message_id: str, answer: Answer) -> None:
        """Keep the answer to a request that was put off, without its secrets."""
        body = _without_secrets(command, answer)

        def job(connection: Connection) -> None:
            seen_requests.settle(connection, FACE, command.request_id, DONE, body)
            seen_requests.release(connection, QUEUE_FACE, message_id)

        await self._keep(command.request_id, job)


def _queued(command: Command) -> bytes:
    addresses = [(address.topic, address.correlation_data) for address in command.addresses]
    return msgspec.json.encode(_Queued(command.request_id, addresses))


def _command_of(seen: Seen | None, client_id: str, action: str) -> Command | None:
    if seen is None:
        return None
    queued = msgspec.json.decode(seen.body or b"", type=_Queued)
    addresses = [ReplyTo(topic, data) for topic, data in queued.addresses]
    return Command(client_id, action, queued.request_id, {}, None, 0, addresses)


def _without_secrets(command: Command, answer: Answer) -> bytes:
    said = orjson.loads(answer.body)
    kept = answer_without_secrets(command.payload, said)
    return answer.body if kept == said else codec.dump(kept)
