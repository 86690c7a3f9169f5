"""CALLs and answers over one socket: the sans-IO machine of `csms.ocppj` with Deferreds and timeouts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from attrs import define
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.ocppj import codec, frames
from csms.ocppj.connection import Connection, Refused, Repeated, Reply, TooManyCalls
from csms.ocppj.frames import Call, CallError
from csms.ocppj.schemas import BadPayload, Schemas
from csms.ocppj.versions import Version
from csms.simulator.waiting import Signal


class CallFailed(Exception):
    """The answer was a CALLERROR (or an answer that cannot be read)."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code


class LinkLost(Exception):
    """The socket closed, or no answer came in time; whether the server got the CALL is not known."""


class Socket(Protocol):
    """What is needed of a WebSocket."""

    def send(self, text: bytes) -> None:
        """Send one text message."""

    def close(self) -> None:
        """Say goodbye and close."""

    def abort(self) -> None:
        """Drop the connection without a word, as a lost uplink does."""


Answer = tuple[bytes, Callable[[], None] | None]
"""The answer to a CALL of the server, and what to do once it is on its way."""


@define(eq=False)
class _Pending:
    waiting: Deferred[dict[str, Any]]
    timer: IDelayedCall | None = None


@define
class Traffic:
    """What went over the sockets of one charge point."""

    calls: int = 0
    answers: int = 0
    errors: int = 0
    timeouts: int = 0
    commands: int = 0
    deviations: int = 0


class Rpc:
    """The CALLs of one socket.

    ``lost`` fires when it can no longer be used, ``went`` when it is closed on both sides, ``quiet`` when no CALL of
    ours waits for its answer.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        version: Version,
        schemas: Schemas,
        new_message_id: Callable[[], str],
        on_call: Callable[[Call], Answer],
        answer_timeout_s: float,
        traffic: Traffic,
    ) -> None:
        self._reactor = reactor
        self.version = version
        self._schemas = schemas
        self._new_message_id = new_message_id
        self._on_call = on_call
        self._answer_timeout_s = answer_timeout_s
        self._traffic = traffic
        self._connection = Connection(version)
        self._pending: dict[str, _Pending] = {}
        self._socket: Socket | None = None
        self._lost_because: str | None = None
        self.lost = Signal(reactor)
        self.quiet = Signal(reactor)
        self.went = Signal(reactor)
        self.gone = False

    def opened(self, socket: Socket) -> None:
        """Take the socket, whose handshake is done."""
        self._socket = socket

    @property
    def alive(self) -> bool:
        """Whether the socket is open."""
        return self._socket is not None

    @property
    def busy(self) -> bool:
        """Whether a CALL of ours waits for its answer."""
        return bool(self._pending)

    def call(self, action: str, payload: dict[str, Any]) -> Deferred[dict[str, Any]]:
        """Send a CALL, after those before it, and fire with the payload of its CALLRESULT.

        The Deferred fails with `CallFailed` or `LinkLost`.
        """
        if self._socket is None:
            return fail(LinkLost(self._lost_because or "not connected"))
        message_id = self._new_message_id()
        try:
            text = self._connection.call(message_id, action, payload)
        except TooManyCalls as error:
            return fail(CallFailed("InternalError", str(error)))
        pending = _Pending(Deferred())
        self._pending[message_id] = pending
        if text is not None:
            self._send_call(message_id, text)
        return pending.waiting

    def received(self, data: bytes) -> None:
        """Take one text message of the server; what comes after we hung up is too late."""
        if self._lost_because is not None:
            return
        try:
            event = self._connection.receive(data)
        except codec.BadUtf8 as error:
            self.close(str(error))
            return
        if isinstance(event, Reply):
            self._settle(event)
        elif isinstance(event, Refused):
            self._log.warn("a frame of the server was refused: {reason}", reason=event.reason)
            if event.text is not None:
                self._send(event.text)
        elif isinstance(event, Call | Repeated):
            self._answer(event)

    def disconnected(self, reason: str) -> None:
        """Note that the socket is gone for good."""
        self.gone = True
        self._lose(reason)
        self.went.fire()

    def _lose(self, reason: str) -> None:
        """Let every CALL without an answer fail."""
        if self._lost_because is not None:
            return
        self._socket = None
        self._lost_because = reason
        pending, self._pending = self._pending, {}
        for item in pending.values():
            if item.timer is not None and item.timer.active():
                item.timer.cancel()
            item.waiting.errback(LinkLost(reason))
        # Not at once: whoever waits for it ends the coroutines of this socket, and one of them may be running now.
        self._reactor.callLater(0, self.lost.fire)
        self.quiet.fire()

    def close(self, reason: str) -> None:
        """Close the socket in an orderly way."""
        socket = self._socket
        self._lose(reason)
        if socket is not None:
            socket.close()

    def abort(self, reason: str) -> None:
        """Drop the socket without a word."""
        socket = self._socket
        self._lose(reason)
        if socket is not None:
            socket.abort()

    def spare(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine of CALLs that nobody waits for; it may end with the socket."""

        def ended(failure: Failure) -> None:
            if not isinstance(failure.value, LinkLost):
                self.fault(failure)

        Deferred.fromCoroutine(coroutine).addErrback(ended)

    def fault(self, failure: Failure) -> None:
        """Report an error of the simulator's own, and drop the socket: it would stand still otherwise."""
        self._log.failure("fault in the simulator", failure)
        self.abort("fault in the simulator")

    # Our CALLs.

    def _send_call(self, message_id: str, text: bytes) -> None:
        self._traffic.calls += 1
        # A CALL that waits for the one before it has not been sent: its time starts when it is.
        self._pending[message_id].timer = self._reactor.callLater(self._answer_timeout_s, self._timed_out, message_id)
        self._send(text)

    def _timed_out(self, message_id: str) -> None:
        self._traffic.timeouts += 1
        self.abort(f"no answer within {self._answer_timeout_s:g} s to message {message_id}")

    def _settle(self, reply: Reply) -> None:
        frame = reply.frame
        pending = self._pending.pop(frame.message_id)
        if pending.timer is not None:
            pending.timer.cancel()
        following = self._connection.next_call()
        if following is not None:
            self._send_call(*following)
        if isinstance(frame, CallError):
            self._traffic.errors += 1
            pending.waiting.errback(CallFailed(frame.code, frame.description))
        else:
            try:
                deviations = self._schemas.check_response(reply.action, frame.payload, "tolerant")
            except BadPayload as error:
                self._traffic.errors += 1
                pending.waiting.errback(CallFailed(error.code, f"the answer does not fit: {error}"))
            else:
                self._traffic.answers += 1
                self._traffic.deviations += len(deviations)
                pending.waiting.callback(frame.payload)
        if not self._pending:
            self.quiet.fire()

    # The server's CALLs.

    def _answer(self, event: Call | Repeated) -> None:
        following: Call | Repeated | None = event
        while following is not None:
            if isinstance(following, Repeated):
                self._send(following.text)
                following = self._connection.next()
                continue
            self._traffic.commands += 1
            effect: Callable[[], None] | None
            try:
                text, effect = self._on_call(following)
            except Exception:  # noqa: BLE001 - reported, and answered as a charge point does
                self._log.failure("answering {action} failed", action=following.action)
                text, effect = frames.encode_error(following.message_id, "InternalError", "simulator fault"), None
            self._send(text)
            following = self._connection.answer(text)
            if effect is not None:
                effect()

    def _send(self, text: bytes) -> None:
        if self._socket is not None:
            self._socket.send(text)
