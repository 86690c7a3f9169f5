"""Our CALLs on one socket: one outstanding, the others wait for their turn.

Each is answered, or times out alone, or is lost with the socket. Its time runs from when it is on the wire; one whose turn
does not come is given up without having been sent.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from csms.chargepoint.outcomes import (
    CallTimedOut,
    CommandFailed,
    ConnectionLost,
    Expired,
    NotConnected,
    TooManyCommands,
)
from csms.ocppj.connection import Connection, Reply, TooManyCalls
from csms.ocppj.frames import CallError, CallResult

TURN_S = 60.0
"""How long a CALL waits for its turn at most: behind a silent charge point it would wait for hours."""
_log = Logger()

Send = Callable[[bytes, str, str], None]
"""Sends a text; action and message id are for the protocol stream."""
OnSent = Callable[[str], None]


@attrs.define(eq=False)
class _Waiting:
    done: Deferred[CallResult | CallError]
    action: str
    timeout_s: float
    on_sent: OnSent | None
    timer: IDelayedCall | None = None

    def stop_timer(self) -> None:
        if self.timer is not None and self.timer.active():
            self.timer.cancel()


class Calls:
    """The CALLs of one socket; made for the first of them."""

    __slots__ = ("_clock", "_rpc", "_send", "_waiting")

    def __init__(self, clock: IReactorTime, rpc: Connection, send: Send) -> None:
        self._clock = clock
        self._rpc = rpc
        self._send = send
        self._waiting: dict[str, _Waiting] = {}

    def call(
        self,
        action: str,
        payload: object,
        message_id: str,
        timeout_s: float,
        on_sent: OnSent | None,
        expires_in_s: float | None = None,
    ) -> Deferred[CallResult | CallError]:
        """Send a CALL, or queue it until those before it are settled, or until it has expired.

        The Deferred fails with `CallTimedOut`, `ConnectionLost`, `TooManyCommands`, `Expired` or `NotConnected`.

        :raises TooManyCommands: too many wait already.
        :raises ValueError: a CALL with this message id waits already.
        """
        if message_id in self._waiting:
            raise ValueError(f"message id {message_id!r} is in use")
        try:
            text = self._rpc.call(message_id, action, payload)
        except TooManyCalls as error:
            raise TooManyCommands(str(error)) from None
        waiting = self._waiting[message_id] = _Waiting(Deferred(), action, timeout_s, on_sent)
        if text is not None:
            self._put_on_wire(message_id, waiting, text)
        else:
            fault: CommandFailed
            turn_s, fault = TURN_S, TooManyCommands(f"its turn did not come within {TURN_S:g} s")
            if expires_in_s is not None and expires_in_s < TURN_S:
                turn_s, fault = expires_in_s, Expired("the time to expire passed before its turn: nothing was sent")
            waiting.timer = self._clock.callLater(turn_s, self._fail, message_id, fault)
        return waiting.done

    def settle(self, event: Reply) -> None:
        """Take the answer to the CALL that is outstanding."""
        waiting = self._waiting.pop(event.frame.message_id)
        waiting.stop_timer()
        self._next()
        waiting.done.callback(event.frame)

    def fail_all(self) -> None:
        """The socket is gone: what was on the wire is lost, what waited was never sent."""
        outstanding = self._rpc.outstanding
        waiting, self._waiting = self._waiting, {}
        for message_id, item in waiting.items():
            item.stop_timer()
            item.done.errback(
                ConnectionLost(message_id)
                if message_id == outstanding
                else NotConnected("the connection was lost before its turn")
            )

    def _put_on_wire(self, message_id: str, waiting: _Waiting, text: bytes) -> None:
        waiting.stop_timer()
        waiting.timer = self._clock.callLater(waiting.timeout_s, self._fail, message_id, CallTimedOut(message_id))
        self._send(text, waiting.action, message_id)
        if waiting.on_sent is not None:
            try:
                waiting.on_sent(message_id)
            except Exception:  # noqa: BLE001 - the fault of whoever asked must not stop the CALLs of others
                _log.failure("telling that {message_id} is on the wire failed", message_id=message_id)

    def _fail(self, message_id: str, error: CommandFailed) -> None:
        self._rpc.expire(message_id)
        waiting = self._waiting.pop(message_id)
        self._next()
        waiting.done.errback(error)

    def _next(self) -> None:
        following = self._rpc.next_call()
        if following is not None:
            message_id, text = following
            self._put_on_wire(message_id, self._waiting[message_id], text)
