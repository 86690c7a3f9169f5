"""The session of one charge point on one socket: RPC state, ledger state, one decision in flight.

Texts come in by `receive`, texts go out by the transport's `send_text`. An answer leaves when its decision is committed,
and only then the decision's state takes effect. While the store is away nothing is answered that would have to be
committed: the socket is closed with 1013, and the charge point keeps its queue.
"""

from __future__ import annotations

from typing import Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.chargepoint.dispatch import Dispatcher, Outcome
from csms.chargepoint.shared import Shared
from csms.events.protocol import ProtocolEvent
from csms.handlers.request import Request
from csms.ledger import chargepoints
from csms.ledger.state import ChargePointState
from csms.ocppj import codec, frames
from csms.ocppj.connection import Connection, Queued, Refused, Repeated, Reply
from csms.ocppj.frames import Call, CallError, CallResult
from csms.ocppj.schemas import Mode
from csms.ocppj.versions import Version
from csms.store.errors import StoreUnavailable

_log = Logger()
CLOSE_BAD_UTF8 = 1007
CLOSE_POLICY = 1008
CLOSE_INTERNAL_ERROR = 1011
CLOSE_TRY_AGAIN_LATER = 1013
_VALIDATION_MODES: dict[str, Mode] = {"strict": "strict", "tolerant": "tolerant", "off": "off"}


class Transport(Protocol):
    """The socket, as a session sees it."""

    def send_text(self, text: bytes) -> None:
        """Send a text message."""

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake."""

    def is_alive(self) -> Deferred[bool]:
        """Ask the other side for a sign of life; fires soon, with False where there was none."""

    def hold(self, reason: str) -> None:
        """Stop reading from the socket for a reason."""

    def unhold(self, reason: str) -> None:
        """Read on, unless there is another reason not to."""


class CallTimedOut(Exception):
    """No answer to a CALL of ours came in time; the connection lives on."""


class ConnectionGone(Exception):
    """The socket went away before the answer to a CALL of ours came."""


@attrs.define(eq=False)
class _Waiting:
    done: Deferred[CallResult | CallError]
    timeout_s: float
    timer: IDelayedCall | None = None


class Session:
    """A charge point on a socket; made by the registry, started by the socket when it is open."""

    __slots__ = (
        "_calls", "_closing", "_early", "_following", "_going_on", "_in_flight", "_is_stale", "_mode", "_recipients", "_rpc", "_shared", "_transport", "client_id", "ended", "state"
    )  # fmt: skip

    def __init__(self, shared: Shared, client_id: str, version: Version, state: ChargePointState) -> None:
        self._shared = shared
        self._rpc = Connection(version)
        self._transport: Transport | None = None
        self._in_flight = False
        self._closing: str | None = None
        self._calls: dict[str, _Waiting] | None = None
        self._early: list[bytes] | None = []
        self._going_on = False
        self._is_stale = False
        self._following: Call | Repeated | None = None
        self._mode: Mode = _VALIDATION_MODES.get(state.charge_point.validation or "", shared.validation)
        self._recipients: list[Deferred[None]] | None = None
        self.client_id = client_id
        self.state = state
        self.ended = False

    @property
    def version(self) -> Version:
        """The version that this socket speaks; another socket of the same charge point may speak another."""
        return self._rpc.version

    @property
    def transport(self) -> Transport | None:
        """The socket, once it is open."""
        return self._transport

    # The life of the socket.

    def opened(self, transport: Transport, remote_address: str | None) -> None:
        """The socket is open: commit that, and read no message before it is."""
        self._transport = transport
        decision = chargepoints.connect(
            self.state, self._shared.context(None), version=self.version.name, remote_address=remote_address
        )
        transport.hold("opening")
        self._in_flight = True
        self._shared.ledger.commit(decision).addCallbacks(self._connected, self._lost, callbackArgs=(decision.state,))

    def _connected(self, _result: None, state: ChargePointState) -> None:
        self._in_flight = False
        self.state = state
        if self._closing is not None:
            self._leave(self._closing)
            return
        early, self._early = self._early or [], None
        for data in early:
            self.receive(data)
        if self._transport is not None:
            self._transport.unhold("opening")

    def closed(self, reason: str) -> Deferred[None]:
        """The socket is gone; fires when that is committed and nothing of this session is in flight any more."""
        gone: Deferred[None] = Deferred()
        if self.ended:
            gone.callback(None)
            return gone
        self._recipients = [*(self._recipients or ()), gone]
        if self._closing is None:
            self._closing = reason
            self._fail_calls()
            if not self._in_flight:
                self._leave(reason)
        return gone

    def _leave(self, reason: str) -> None:
        decision = chargepoints.disconnect(self.state, self._shared.context(None), reason=reason)
        if self._is_stale or not decision.is_durable:
            # Of a stale state the registry's next look at the ledger tells the end.
            self._end()
            return
        self._in_flight = True
        # Where it cannot be committed the registry's next look at the ledger makes up for it.
        self._shared.ledger.commit(decision).addErrback(self._not_recorded).addBoth(lambda _: self._end())

    def _not_recorded(self, failure: Failure) -> None:
        _log.warn(
            "{client_id}: the disconnection was not committed: {error}",
            client_id=self.client_id,
            error=failure.getErrorMessage(),
        )

    def _end(self) -> None:
        self._in_flight = False
        self.ended = True
        recipients, self._recipients = self._recipients or [], None
        for recipient in recipients:
            recipient.callback(None)

    @property
    def idle(self) -> bool:
        """Whether no message of the charge point is being handled."""
        return not self._rpc.busy

    def close(self, code: int, reason: str) -> None:
        """Close the socket from our side."""
        if self._transport is not None:
            self._transport.close(code, reason)

    # The charge point's messages.

    def receive(self, data: bytes) -> None:
        """Take a text message."""
        if self._early is not None:
            self._early.append(data)
            return
        try:
            event = self._rpc.receive(data)
        except codec.BadUtf8:
            _log.warn("{client_id}: a message is not UTF-8", client_id=self.client_id)
            self.close(CLOSE_BAD_UTF8, "not UTF-8")
            return
        if type(event) is Call:
            self._handle(event)
        elif type(event) is Repeated:
            self._go_on(event)
        elif type(event) is Reply:
            self._settle_call(event)
        elif type(event) is Refused:
            self._refuse(event)
        elif type(event) is Queued and event.full and self._transport is not None:
            self._transport.hold("queue")

    def _go_on(self, event: Call | Repeated | None) -> None:
        """Handle what waits, one after the other; a loop, because hundreds may wait."""
        self._going_on = True
        try:
            while event is not None:
                self._following = None
                if isinstance(event, Repeated):
                    self._repeat(event)
                    event = self._rpc.next()
                else:
                    self._handle(event)
                    event = self._following
        finally:
            self._going_on = False
        if self._transport is not None and not self._rpc.waiting:
            self._transport.unhold("queue")

    def _handle(self, call: Call) -> None:
        shared = self._shared
        context = shared.context(call.message_id)
        shared.counters.count("calls", call.action if self._dispatcher.handles(call.action) else "unknown")
        request = Request(self.state, context, call.payload, [])
        try:
            outcome = self._dispatcher.dispatch(call, request, self._mode)
        except StoreUnavailable as error:
            self._publish_in(call, request)
            self._give_up(error)
            return
        self._publish_in(call, request)
        if isinstance(outcome, Outcome):
            self._decided(outcome, call)
        else:
            self._in_flight = True
            outcome.addCallbacks(self._decided, self._lost, callbackArgs=(call,)).addErrback(self._broken)

    @property
    def _dispatcher(self) -> Dispatcher:
        return self._shared.dispatchers[self._rpc.version]

    def _decided(self, outcome: Outcome, call: Call) -> None:
        decision = outcome.decision
        if decision is None or not decision.is_durable:
            self._in_flight = False
            if decision is not None:
                self.state = decision.state
            self._answer(outcome, call)
            return
        self._in_flight = True
        self._shared.ledger.commit(decision).addCallbacks(
            self._committed, self._not_committed, callbackArgs=(outcome, call), errbackArgs=(call,)
        ).addErrback(self._broken)

    def _committed(self, _result: None, outcome: Outcome, call: Call) -> None:
        self._in_flight = False
        if outcome.decision is not None:
            self.state = outcome.decision.state
        self._answer(outcome, call)

    def _not_committed(self, failure: Failure, call: Call) -> None:
        if isinstance(failure.value, StoreUnavailable):
            self._lost(failure)
            return
        self._in_flight = False
        _log.failure("{client_id}: {action} was not committed", failure, client_id=self.client_id, action=call.action)
        text = frames.encode_error(call.message_id, "InternalError", "the message could not be stored")
        self._answer(Outcome(text, None, "InternalError"), call)

    def _lost(self, failure: Failure) -> None:
        self._in_flight = False
        # Whether the commit happened is not known, so nothing may be decided from this state any more.
        self._is_stale = True
        self._give_up(failure.value)
        if self._closing is not None:
            self._leave(self._closing)

    def _broken(self, failure: Failure) -> None:
        """A fault of ours: log it, and let the charge point come back with a fresh session."""
        self._in_flight, self._is_stale = False, True
        _log.failure("{client_id}: the session broke", failure, client_id=self.client_id)
        if self._closing is not None:
            self._end()
        self.close(CLOSE_INTERNAL_ERROR, "internal error")

    def _give_up(self, error: BaseException | None) -> None:
        """Leave a message without an answer: the charge point keeps it, and sends it again on its next socket."""
        if self._closing is None:
            _log.warn(
                "{client_id}: closing, nothing can be stored: {error}", client_id=self.client_id, error=str(error)
            )
        self.close(CLOSE_TRY_AGAIN_LATER, "try again later")

    def _answer(self, outcome: Outcome, call: Call) -> None:
        following = self._rpc.answer(outcome.text)
        if outcome.error_code is not None:
            self._shared.counters.count("call_errors", outcome.error_code)
            _log.info(
                "{client_id}: {action} answered {code}",
                client_id=self.client_id,
                action=call.action[:50],
                code=outcome.error_code,
            )
        self._send(outcome.text, call.action, call.message_id)
        if self._closing is not None:
            self._leave(self._closing)
        elif self._going_on:
            self._following = following
        elif following is not None:
            self._go_on(following)

    def _repeat(self, event: Repeated) -> None:
        self._publish("in", event.call.action, event.call.message_id, event.call.raw, ())
        self._send(event.text, event.call.action, event.call.message_id)

    def _refuse(self, event: Refused) -> None:
        self._shared.counters.count("bad_frames")
        _log.warn("{client_id}: {reason}", client_id=self.client_id, reason=event.reason)
        if event.text is not None and self._transport is not None and self._closing is None:
            self._transport.send_text(event.text)

    def _send(self, text: bytes, action: str, message_id: str) -> None:
        if self._transport is not None and self._closing is None:
            self._transport.send_text(text)
            self._publish("out", action, message_id, text, ())

    # Our messages.

    def call(self, action: str, payload: object, message_id: str, timeout_s: float) -> Deferred[CallResult | CallError]:
        """Send a CALL, or queue it until the one before it is settled.

        Fails with `CallTimedOut` where no answer comes in time after it was sent; the connection stays. Fails with
        `ConnectionGone` where the socket goes away.
        """
        if self._transport is None or self._closing is not None:
            raise ConnectionGone(self.client_id)
        waiting = _Waiting(Deferred(), timeout_s)
        text = self._rpc.call(message_id, action, payload)
        if self._calls is None:
            self._calls = {}
        self._calls[message_id] = waiting
        if text is not None:
            self._send_call(message_id, action, text)
        return waiting.done

    def _send_call(self, message_id: str, action: str, text: bytes) -> None:
        waiting = (self._calls or {})[message_id]
        waiting.timer = self._shared.clock.callLater(waiting.timeout_s, self._time_out, message_id)
        self._send(text, action, message_id)

    def _time_out(self, message_id: str) -> None:
        self._rpc.expire(message_id)
        waiting = (self._calls or {}).pop(message_id)
        self._next_call()
        waiting.done.errback(CallTimedOut(message_id))

    def _settle_call(self, event: Reply) -> None:
        frame = event.frame
        waiting = (self._calls or {}).pop(frame.message_id)
        if waiting.timer is not None and waiting.timer.active():
            waiting.timer.cancel()
        self._publish("in", event.action, frame.message_id, frame.raw, ())
        self._next_call()
        waiting.done.callback(frame)

    def _next_call(self) -> None:
        following = self._rpc.next_call()
        if following is not None:
            message_id, text = following
            self._send_call(message_id, codec.parse(text)[2], text)

    def _fail_calls(self) -> None:
        calls, self._calls = self._calls or {}, None
        for waiting in calls.values():
            if waiting.timer is not None and waiting.timer.active():
                waiting.timer.cancel()
            waiting.done.errback(ConnectionGone(self.client_id))

    # The protocol stream.

    def _publish_in(self, call: Call, request: Request) -> None:
        if request.deviations:
            self._shared.counters.count("deviations")
        self._publish("in", call.action, call.message_id, call.raw, tuple(request.deviations))

    def _publish(self, direction: str, action: str, message_id: str, frame: bytes, deviations: tuple[str, ...]) -> None:
        publish = self._shared.publish_protocol_event
        if publish is not None:
            publish(ProtocolEvent(self._shared.now(), self.client_id, direction, action, message_id, frame, deviations))
