"""Commands: one way to the charge points for every face of the daemon (HTTP, MQTT, the daemon itself).

A payload is held against the schema of the version that the charge point speaks and nothing more: whether there is a
connector 99 is the charge point's to say. It leaves as it is given, in the order of its members.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from csms.chargepoint.calls import TURN_S
from csms.chargepoint.command_queue import CommandQueue
from csms.chargepoint.new_passwords import NewPasswords
from csms.chargepoint.outcomes import (
    CallRefused,
    Expired,
    InvalidPayload,
    NotConnected,
    Result,
    UnknownAction,
    UnknownChargePoint,
)
from csms.chargepoint.registry import Registry
from csms.chargepoint.session import Session
from csms.chargepoint.shared import Shared
from csms.events.redaction import holds_a_secret
from csms.handlers.command_set import CommandSet, Learner
from csms.handlers.tags import Tags
from csms.ledger import chargepoints
from csms.ledger.authorization import TagInfo
from csms.ocppj import codec
from csms.ocppj.frames import CallError
from csms.ocppj.schemas import BadPayload
from csms.ocppj.versions import SUPPORTED, Version
from csms.store import queries
from csms.store.errors import StoreError

_log = Logger()
TIMEOUT_S = 30.0
LONGEST_TIMEOUT_S = 600
"""What the faces let an operator ask for at most."""
LONGEST = timedelta(seconds=LONGEST_TIMEOUT_S + TURN_S + 60)
"""After it a command has an outcome, whatever that is: its turn and its time are over, with a margin for the ledger."""
_ACCEPTED = "Accepted"
_PENDING = "Pending"

Payload = dict[str, Any]


class Commands:
    """The commands of this daemon's operators."""

    def __init__(
        self,
        shared: Shared,
        registry: Registry,
        command_sets: Mapping[Version, CommandSet],
        tags: Tags,
        new_message_id: Callable[[], str],
        new_passwords: NewPasswords,
    ) -> None:
        self._shared = shared
        self._registry = registry
        self._command_sets = command_sets
        self._tags = tags
        self._new_passwords = new_passwords
        self._queue = CommandQueue(shared, self._send_queued, self._may_send, self._tell_queued)
        self.new_message_id = new_message_id
        self.on_queued_result: Callable[[str, str, str, Result], None] = lambda *_: None
        """Told client id, action, message id and outcome of each command that was queued."""
        self.inspections: dict[str, Callable[[str, Payload], Coroutine[Any, Any, None]]] = {}
        """What is asked of commands beyond their schema, by action: raises `CommandFailed` where one must not be sent."""
        self.conclusions: dict[str, Callable[[str, Payload], None]] = {}
        """Told what a charge point has answered to a command, by action."""

    def actions(self, version_name: str) -> frozenset[str]:
        """Return the actions that a central system can send in a version, none for a version that is not known."""
        for version, command_set in self._command_sets.items():
            if version.name == version_name:
                return command_set.actions
        return frozenset()

    def is_connected(self, client_id: str) -> bool:
        """Tell whether a charge point is connected here."""
        session = self._registry.get(client_id)
        return session is not None and session.is_open

    async def check(self, client_id: str, action: str, payload: Payload) -> None:
        """Raise what `send` would raise about a command that cannot be sent; send nothing.

        :raises UnknownChargePoint: the ledger does not know it.
        :raises UnknownAction: not an action that can be sent in its version.
        :raises InvalidPayload: the payload does not fit the schema of its version.
        :raises NotConnected: it is not connected and the ledger cannot be read.
        """
        session = self._registry.get(client_id)
        version = session.version if session is not None else await self._last_version(client_id)
        if action not in self._command_sets[version].actions:
            raise UnknownAction(f"{action[:50]!r} is no action that can be sent in OCPP {version.name}")
        try:
            self._shared.dispatchers[version].schemas.check_request(action, payload, "strict")
        except BadPayload as error:
            path, _, detail = error.description.partition(": ")
            raise InvalidPayload(path, detail) from None
        try:
            codec.dump(payload)
        except TypeError as error:
            raise InvalidPayload("payload", str(error)) from None
        inspect = self.inspections.get(action)
        if inspect is not None:
            await inspect(client_id, payload)

    async def send(
        self,
        client_id: str,
        action: str,
        payload: Payload,
        *,
        timeout_s: float = TIMEOUT_S,
        message_id: str | None = None,
        on_sent: Callable[[str], None] | None = None,
        expires_at: datetime | None = None,
    ) -> Payload:
        """Send a CALL and return the payload of its CALLRESULT, as it came.

        ``on_sent`` is called with the message id when the CALL is on the wire; after ``expires_at`` it is not sent. What the ledger has to learn from the answer
        is committed before this returns.

        :raises CommandFailed: one of `csms.chargepoint.outcomes`, as `check` and beyond.
        """
        await self.check(client_id, action, payload)
        session = self._session(client_id, action)
        learner = self._command_sets[session.version].learners.get(action)
        judged = None
        named = learner.id_tag(payload) if learner is not None and learner.id_tag is not None else None
        if named is not None:
            # Before: where an authority thinks it over, the start may be here before its verdict.
            judged = await self._judge(client_id, *named)
            session = self._session(client_id, action)
        message_id = message_id if message_id is not None else self.new_message_id()
        left_s = (expires_at - self._shared.now()).total_seconds() if expires_at is not None else None
        if left_s is not None and left_s <= 0:
            raise Expired("the time to expire has passed: nothing was sent")
        if session.state.registered == _PENDING:
            await self._let_send(session, action, payload)
        call = partial(session.call, action, payload, message_id, timeout_s, on_sent, left_s)
        change = self._command_sets[session.version].password
        password = change.given(payload) if change is not None and change.action == action else None
        if change is None or password is None:
            frame = await call()
        else:
            frame = await self._new_passwords.around(client_id, password, change, call)
        if isinstance(frame, CallError):
            raise CallRefused(frame.code, frame.description, frame.details)
        if learner is not None:
            await self._learn(session, action, learner, payload, frame.payload, judged, message_id)
        conclude = self.conclusions.get(action)
        if conclude is not None:
            conclude(client_id, frame.payload)
        return frame.payload

    async def rotate_password(self, client_id: str, timeout_s: float = TIMEOUT_S) -> str:
        """Send a charge point a new password, which nobody else gets to know, and return its word about it.

        Whether that is a yes is `csms.ledger.configuration.TAKEN`'s to say; see `csms.chargepoint.new_passwords`.

        :raises CommandFailed: as `send`; what the charge point says about it is left out, for it may repeat the password.
        """
        session = self._registry.get(client_id)
        version = session.version if session is not None else await self._last_version(client_id)
        change = self._command_sets[version].password
        if change is None:
            raise UnknownAction(f"a password cannot be sent in OCPP {version.name}")
        try:
            request = change.request(self._new_passwords.make())
            response = await self.send(client_id, change.action, request, timeout_s=timeout_s)
        except CallRefused as error:
            raise CallRefused(_word(error.code), "", {}) from None
        return _word(change.answer(response))

    async def queue(self, client_id: str, action: str, payload: Payload, expires_at: datetime) -> str:
        """Have a command wait for a charge point that is offline, and return its message id.

        It is sent when the charge point is back and may be spoken to, once at most, or dropped when it has expired.

        :raises CommandFailed: as `check`; `Expired`; `TooManyCommands`.
        :raises StoreError: the ledger is away.
        """
        await self.check(client_id, action, payload)
        if holds_a_secret(payload):
            raise InvalidPayload(
                "payload", "a secret is not kept, and so it cannot wait: send it when the charge point is there"
            )
        message_id = self.new_message_id()
        await self._queue.add(client_id, action, payload, expires_at, message_id)
        return message_id

    def ready(self, client_id: str) -> None:
        """A charge point may be spoken to: send what waits for it."""
        session = self._registry.get(client_id)
        if session is not None and (session.state.has_queued or self._queue.waits_for(client_id)):
            self._queue.flush(client_id)

    async def sweep(self) -> None:
        """Drop queued commands that have expired, and send those that can be sent."""
        await self._queue.sweep()

    def _send_queued(
        self, client_id: str, action: str, payload: Payload, message_id: str, expires_at: datetime
    ) -> Coroutine[Any, Any, Payload]:
        return self.send(client_id, action, payload, message_id=message_id, expires_at=expires_at)

    def _may_send(self, client_id: str, action: str) -> bool:
        try:
            self._session(client_id, action)
        except NotConnected:
            return False
        return True

    def _tell_queued(self, client_id: str, action: str, message_id: str, result: Result) -> None:
        self.on_queued_result(client_id, action, message_id, result)

    def _session(self, client_id: str, action: str) -> Session:
        """Return the session of a charge point that may be spoken to (OCPP 1.6 §4.2)."""
        session = self._registry.get(client_id)
        if session is None or not session.is_open:
            raise NotConnected(f"{client_id} is not connected")
        registered = session.state.registered
        if registered is None:
            raise NotConnected(f"{client_id} has not booted yet: it must not be spoken to before its BootNotification")
        if registered == _PENDING and action in self._command_sets[session.version].not_while_pending:
            raise NotConnected(f"the registration of {client_id} is Pending: {action} must not be sent")
        if registered not in {_ACCEPTED, _PENDING}:
            raise NotConnected(f"the registration of {client_id} is {registered}: it must not be spoken to")
        return session

    async def _let_send(self, session: Session, action: str, payload: Payload) -> None:
        """Let a Pending charge point send what this command asks it for (OCPP 2.x B02.FR.02)."""
        actions = self._command_sets[session.version].asks_for(action, payload)
        if actions:
            await session.decide(lambda state, _context: chargepoints.ask_for(state, actions))

    async def _last_version(self, client_id: str) -> Version:
        try:
            state = await self._shared.ledger.read(
                queries.charge_point_state, client_id, self._shared.unknown_chargepoints
            )
        except StoreError as error:
            raise NotConnected(f"{client_id} is not connected, and the ledger cannot be read: {error}") from None
        if state.is_new:
            raise UnknownChargePoint(f"{client_id} is not known")
        name = state.charge_point.version
        return next((version for version in SUPPORTED if version.name == name), SUPPORTED[0])

    async def _judge(self, client_id: str, id_tag: str, kind: str | None) -> TagInfo | None:
        """Judge a tag for a start to come, None where it cannot be judged: that keeps no command from its charge point."""
        try:
            judged = self._tags.judge(id_tag, client_id, self._shared.now(), kind=kind)
            return await judged if isinstance(judged, Deferred) else judged
        except StoreError as error:
            _log.warn("{client_id}: a tag was not judged: {error}", client_id=client_id, error=str(error))
            return None

    async def _learn(
        self,
        session: Session,
        action: str,
        learner: Learner,
        request: Payload,
        response: Payload,
        judged: TagInfo | None,
        message_id: str,
    ) -> None:
        ledger, client_id = self._shared.ledger, session.client_id
        try:
            known = await ledger.read(learner.query, client_id) if learner.query is not None else judged
            await self._registry.decide(
                client_id,
                lambda state, context: learner.rule(state, context, request, response, known),
                message_id,
            )
        except Exception:  # noqa: BLE001 - the charge point has done it, whatever becomes of our record of it
            _log.failure("{client_id}: what {action} did was not recorded", client_id=session.client_id, action=action)


def _word(text: str) -> str:
    """Return a word of OCPP as it is; what is none is not repeated."""
    return text if text.isalpha() else "Unknown"
