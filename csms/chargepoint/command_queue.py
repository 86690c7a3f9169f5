"""Commands for charge points that are offline: sent when one is back and may be spoken to, or dropped when they expire.

A command is taken out of the store just before it is sent: it is sent once at most, whatever ends in between.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from functools import partial
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.outcomes import CommandFailed, Expired, NotConnected, Result, TooManyCommands
from csms.chargepoint.shared import Shared
from csms.ocppj import codec
from csms.store import queued_commands as store
from csms.store.errors import StoreError
from csms.store.queued_commands import QueuedCommand

MOST_FOR_ONE = 100
"""How many commands may wait for one charge point."""
_log = Logger()

Send = Callable[[str, str, dict[str, Any], str, datetime], Coroutine[Any, Any, dict[str, Any]]]
"""``send(client_id, action, payload, message_id, expires_at)``, as `Commands.send`."""
Tell = Callable[[str, str, str, Result], None]


class CommandQueue:
    """The commands that wait. ``may_send(client_id, action)`` says whether a charge point takes a command now."""

    def __init__(self, shared: Shared, send: Send, may_send: Callable[[str, str], bool], tell: Tell) -> None:
        self._shared = shared
        self._send = send
        self._may_send = may_send
        self._tell = tell
        self._flushing: set[str] = set()
        self._again: set[str] = set()
        self._waiting: set[str] = set()

    async def add(
        self, client_id: str, action: str, payload: dict[str, Any], expires_at: datetime, message_id: str
    ) -> None:
        """Have a command wait; where the charge point takes it now it is sent at once.

        :raises Expired: its time is over already.
        :raises TooManyCommands: too many wait for this charge point.
        :raises StoreError: the ledger is away.
        """
        ledger, now = self._shared.ledger, self._shared.now()
        if expires_at <= now:
            raise Expired(f"expired at {expires_at.isoformat()}")
        if await ledger.read(store.count_queued, client_id) >= MOST_FOR_ONE:
            raise TooManyCommands(f"{MOST_FOR_ONE} commands wait for {client_id} already")
        command = QueuedCommand(
            message_id=message_id,
            client_id=client_id,
            action=action,
            payload=codec.dump(payload),
            created_at=now,
            expires_at=expires_at,
        )
        await ledger.write(partial(store.put_queued, command=command))
        self._waiting.add(client_id)
        self.flush(client_id)

    def waits_for(self, client_id: str) -> bool:
        """Tell whether a command was queued here for a charge point, perhaps after its session began."""
        return client_id in self._waiting

    def flush(self, client_id: str) -> None:
        """Send what waits for a charge point, one after the other."""
        if client_id in self._flushing:
            self._again.add(client_id)  # what came last may have come after its last look
            return
        self._flushing.add(client_id)
        done = Deferred.fromCoroutine(self._flush(client_id))
        done.addErrback(lambda failure: _log.failure("{client_id}: the queue failed", failure, client_id=client_id))
        done.addBoth(self._flushed, client_id)

    def _flushed(self, _result: object, client_id: str) -> None:
        self._flushing.discard(client_id)
        if client_id in self._again:
            self._again.discard(client_id)
            self.flush(client_id)

    async def sweep(self) -> None:
        """Drop what has expired; send what waits for charge points that are here (it may have come by another daemon)."""
        ledger = self._shared.ledger
        if not ledger.available:
            return
        for command in await ledger.read(store.queued_until, self._shared.now()):
            await self._drop(command)
        for client_id in await ledger.read(store.charge_points_with_queued):
            self.flush(client_id)

    async def _flush(self, client_id: str) -> None:
        tried: set[str] = set()
        while True:
            waiting = await self._shared.ledger.read(store.queued_for, client_id)
            (self._waiting.add if waiting else self._waiting.discard)(client_id)
            waiting = [command for command in waiting if command.message_id not in tried]
            if not waiting:
                return
            for command in waiting:
                tried.add(command.message_id)
                if command.expires_at <= self._shared.now():
                    await self._drop(command)
                elif self._may_send(client_id, command.action):
                    await self._send_one(command)

    async def _drop(self, command: QueuedCommand) -> None:
        if await self._take(command):
            self._told(command, Expired(f"expired at {command.expires_at.isoformat()}"))

    async def _take(self, command: QueuedCommand) -> bool:
        taken: bool = await self._shared.ledger.write(partial(store.take_queued, message_id=command.message_id))
        return taken

    async def _send_one(self, command: QueuedCommand) -> None:
        if not await self._take(command):
            return
        payload = msgspec.json.decode(command.payload)
        result: Result
        try:
            result = await self._send(
                command.client_id, command.action, payload, command.message_id, command.expires_at
            )
        except (NotConnected, TooManyCommands) as error:
            # Nothing was sent.
            try:
                await self._shared.ledger.write(partial(store.put_queued, command=command))
            except StoreError:
                self._told(command, error)
            return
        except CommandFailed as error:
            result = error
        self._told(command, result)

    def _told(self, command: QueuedCommand, result: Result) -> None:
        try:
            self._tell(command.client_id, command.action, command.message_id, result)
        except Exception:  # noqa: BLE001 - the fault of whoever listens must not stop the queue
            _log.failure("telling the result of {message_id} failed", message_id=command.message_id)
