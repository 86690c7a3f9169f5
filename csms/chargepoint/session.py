"""The session of one charge point on one socket: its messages and ours, one decision in flight.

Texts come in by `receive`, texts go out by the transport's `send_text`. An answer leaves when its decision is committed,
and only then the decision's state takes effect. While the store is away nothing is answered that would have to be
committed: the socket is closed with 1013, and the charge point keeps its queue.
"""

from __future__ import annotations

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.chargepoint.calls import Calls, OnSent
from csms.chargepoint.dispatch import Outcome
from csms.chargepoint.outcomes import NotConnected
from csms.chargepoint.shared import Shared
from csms.chargepoint.transport import CLOSE_BAD_UTF8, Transport
from csms.chargepoint.unanswered import Unanswered
from csms.handlers.request import Request
from csms.ledger.state import ChargePointState
from csms.ocppj import codec, frames
from csms.ocppj.connection import Connection, Queued, Refused, Repeated, Reply, ResultRefused
from csms.ocppj.frames import Call, CallError, CallResult, Send
from csms.ocppj.versions import Version
from csms.store.errors import StoreUnavailable

_log = Logger()
_BOOT = "BootNotification"


class _Waiting(Struct, frozen=True, gc=False):
    """An answer that waits for the commit of its decision."""

    session: Session
    state: ChargePointState
    text: bytes
    action: str
    message_id: str
    error_code: str | None

    def callback(self, result: object) -> None:
        self.session.committed(result, self)


class Session(Unanswered):
    """A charge point on a socket; made by the registry, started by the socket when it is open."""

    __slots__ = ("_calls", "_early", "_following", "_going_on", "_held", "_rpc")

    def __init__(self, shared: Shared, client_id: str, version: Version, state: ChargePointState) -> None:
        super().__init__(shared, client_id, state)
        self._rpc = Connection(version)
        self._calls: Calls | None = None
        self._early: list[bytes] | None = []
        self._going_on = False
        self._following: Call | Repeated | None = None
        self._held: Call | None = None

    @property
    def version(self) -> Version:
        """The version that this socket speaks; another socket of the same charge point may speak another."""
        return self._rpc.version

    @property
    def transport(self) -> Transport | None:
        """The socket, once it is open."""
        return self._transport

    def opened(self, transport: Transport, remote_address: str | None) -> None:
        """The socket is open."""
        self._connect(transport, self.version.name, remote_address)

    @property
    def idle(self) -> bool:
        return not self._rpc.busy

    def _begin(self) -> None:
        early, self._early = self._early or [], None
        for data in early:
            self.receive(data)

    def _resume(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._go_on(held)

    def _silence(self) -> None:
        if self._is_stale:
            self._early = []
        calls, self._calls = self._calls, None
        if calls is not None:
            calls.fail_all()

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
        elif type(event) is Send:
            self._take(event)
        elif type(event) is ResultRefused:
            self._result_refused(event)
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
        if self._in_flight:
            self._held = call  # a decision of ours is being committed
            return
        shared, dispatcher = self._shared, self._dispatcher
        shared.counters.count("calls", call.action if dispatcher.handles(call.action) else "unknown")
        request = Request(self.state, shared.context(call.message_id), call.payload, [])
        try:
            outcome = dispatcher.dispatch(call, request, self._mode)
        except StoreUnavailable as error:
            self._publish_in(call, request)
            self._give_up(error)
            return
        self._publish_in(call, request)
        # The CALL itself is let go here: what waits for a commit is many, and should be small.
        if isinstance(outcome, Outcome):
            self._decided(outcome, call.action, call.message_id)
        else:
            self._in_flight = True
            outcome.addCallbacks(self._decided, self._lost, callbackArgs=(call.action, call.message_id)).addErrback(
                self._broken
            )

    def _decided(self, outcome: Outcome, action: str, message_id: str) -> None:
        decision = outcome.decision
        if decision is None or not decision.is_durable:
            self._in_flight = False
            if decision is not None:
                self.state = decision.state
            self._answer(outcome.text, action, message_id, outcome.error_code)
            return
        self._in_flight = True
        self._shared.ledger.commit_for(
            decision, _Waiting(self, decision.state, outcome.text, action, message_id, outcome.error_code)
        )

    def committed(self, result: object, waiting: _Waiting) -> None:
        """The commit of an answer's decision is done, or failed."""
        try:
            if isinstance(result, Failure):
                self._not_committed(result, waiting.action, waiting.message_id)
            else:
                self._committed(waiting)
        except Exception:  # noqa: BLE001 - whatever it is, it must not keep others from their answers
            self._broken(Failure())

    def _committed(self, waiting: _Waiting) -> None:
        self._in_flight = False
        self.state = waiting.state
        self._answer(waiting.text, waiting.action, waiting.message_id, waiting.error_code)
        if waiting.action == _BOOT and self._closing is None:
            self._shared.tell_ready(self.client_id, booted=True)

    def _not_committed(self, failure: Failure, action: str, message_id: str) -> None:
        if isinstance(failure.value, StoreUnavailable):
            self._lost(failure)
            return
        self._in_flight = False
        _log.failure("{client_id}: {action} was not committed", failure, client_id=self.client_id, action=action)
        text = frames.encode_error(message_id, "InternalError", "the message could not be stored")
        self._answer(text, action, message_id, "InternalError")

    def _answer(self, text: bytes, action: str, message_id: str, error_code: str | None = None) -> None:
        following = self._rpc.answer(text)
        if error_code is not None:
            self._shared.counters.count("call_errors", error_code)
            _log.info(
                "{client_id}: {action} answered {code}",
                client_id=self.client_id,
                action=action[:50],
                code=error_code,
            )
        self._send(text, action, message_id)
        if self._rules:
            self._run_rules()
        if self._closing is not None:
            if not self._in_flight:
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

    @property
    def is_open(self) -> bool:
        """Whether its socket is open, and stands in the ledger."""
        return self._is_open

    def call(
        self,
        action: str,
        payload: object,
        message_id: str,
        timeout_s: float,
        on_sent: OnSent | None = None,
        expires_in_s: float | None = None,
    ) -> Deferred[CallResult | CallError]:
        """Send a CALL; see `Calls.call` for how it can fail.

        :raises NotConnected: the socket is not open.
        """
        if not self._is_open:
            raise NotConnected(f"{self.client_id} is not connected")
        if self._calls is None:
            self._calls = Calls(self._shared.clock, self._rpc, self._send)
        return self._calls.call(action, payload, message_id, timeout_s, on_sent, expires_in_s)

    def _settle_call(self, event: Reply) -> None:
        frame = event.frame
        deviations = self._dispatcher.response_deviations(event.action, frame, self._mode)
        if deviations:
            self._shared.counters.count("deviations")
        self._publish("in", event.action, frame.message_id, frame.raw, deviations)
        if self._mode == "strict" and type(frame) is CallResult:
            self._refuse_result(event.action, frame)
        if self._calls is not None:
            self._calls.settle(event)

    def _refuse_result(self, action: str, result: CallResult) -> None:
        """Tell a charge point that is held to the letter what is wrong with its answer, which is taken all the same."""
        if frames.CALLRESULTERROR not in self.version.message_types:
            return
        fault = self._dispatcher.result_fault(action, result)
        if fault is not None:
            text = frames.encode_result_error(result.message_id, fault.code, fault.description)
            self._send(text, action, result.message_id)
