"""A connected charge point as the ledger sees it: it comes, one thing after the other is decided about it, it goes.

One decision is in flight at a time, whoever asked for it: the charge point's messages (see `csms.chargepoint.session`) and
the rules of others take turns. A decision's state takes effect when it is committed.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.chargepoint.shared import Shared
from csms.chargepoint.transport import CLOSE_INTERNAL_ERROR, CLOSE_TRY_AGAIN_LATER, Transport
from csms.ledger import chargepoints
from csms.ledger.decision import Decision, Rule
from csms.ledger.state import ChargePointState
from csms.ocppj.schemas import Mode
from csms.store.errors import StoreUnavailable

_log = Logger()


class SessionLeft(Exception):
    """The end of this session is told to the ledger already: decide by the store, or on the next session."""


class Presence:
    """The side of a session that faces the ledger."""

    __slots__ = (
        "_closing", "_in_flight", "_is_open", "_is_stale", "_leaving", "_mode", "_recipients", "_rules", "_shared", "_transport", "client_id", "ended", "state"
    )  # fmt: skip

    def __init__(self, shared: Shared, client_id: str, state: ChargePointState) -> None:
        self._shared = shared
        self._transport: Transport | None = None
        self._in_flight = False
        self._is_open = False
        self._is_stale = False
        self._closing: str | None = None
        self._leaving = False
        self._mode: Mode = shared.mode(state.charge_point)
        self._recipients: list[Deferred[None]] | None = None
        self._rules: deque[tuple[Rule[Any], str | None, Deferred[Any]]] | None = None
        self.client_id = client_id
        self.state = state
        self.ended = False

    # What the side that faces the charge point does.

    @property
    def idle(self) -> bool:
        """Whether no message of the charge point is being handled."""
        raise NotImplementedError

    def _begin(self) -> None:
        """Take the messages that came before the connection was committed."""
        raise NotImplementedError

    def _resume(self) -> None:
        """Take the message that had to wait for a decision of others."""
        raise NotImplementedError

    def _silence(self) -> None:
        """Take no message any more, and let our CALLs fail."""
        raise NotImplementedError

    # The life of the socket.

    def _connect(self, transport: Transport, version: str, remote_address: str | None) -> None:
        """The socket is open: commit that, and read no message before it is."""
        self._transport = transport
        decision = chargepoints.connect(
            self.state, self._shared.context(None), version=version, remote_address=remote_address
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
        self._is_open = True
        self._run_rules()
        self._begin()
        if self._transport is not None:
            self._transport.unhold("opening")
        if state.registered is not None:
            self._shared.tell_ready(self.client_id, booted=False)

    def closed(self, reason: str) -> Deferred[None]:
        """The socket is gone; fires when that is committed and nothing of this session is in flight any more."""
        gone: Deferred[None] = Deferred()
        if self.ended:
            gone.callback(None)
            return gone
        self._recipients = [*(self._recipients or ()), gone]
        if self._closing is None:
            self._closing = reason
            self._is_open = False
            self._silence()
            if not self._in_flight:
                self._leave(reason)
        return gone

    def _leave(self, reason: str) -> None:
        if not self._is_stale:
            # Among them may be what a charge point answered last: that is not to be lost with its socket.
            self._run_rules()
            if self._in_flight:
                return
        self._leaving = True
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

    def close(self, code: int, reason: str) -> None:
        """Close the socket from our side."""
        if self._transport is not None:
            self._transport.close(code, reason)

    # The decisions of others.

    def decide(self, rule: Rule[Any], message_id: str | None = None) -> Deferred[Any]:
        """Decide something between the charge point's messages; fires with the answer when it is committed.

        ``message_id`` is the CALL that caused it. Fails with `SessionLeft` where the end of this session is being committed
        already, with `StoreUnavailable` where the ledger is away, and with what the rule raises.
        """
        if self.ended or self._leaving or self._is_stale:
            return fail(SessionLeft(self.client_id))
        done: Deferred[Any] = Deferred()
        if self._rules is None:
            self._rules = deque()
        self._rules.append((rule, message_id, done))
        if self._is_open and self.idle and not self._in_flight:
            self._run_rules()
        return done

    @property
    def decisions_waiting(self) -> int:
        """How many decisions of others wait for their turn."""
        return len(self._rules) if self._rules else 0

    def _run_rules(self) -> None:
        """Decide what waits, up to the first that has to be committed."""
        while self._rules and not self._in_flight:
            rule, message_id, done = self._rules.popleft()
            try:
                decision = rule(self.state, self._shared.context(message_id))
            except Exception:  # noqa: BLE001 - whoever asked is told
                done.errback()
                continue
            if decision.is_durable:
                self._in_flight = True
                self._shared.ledger.commit(decision).addCallbacks(
                    self._ruled, self._not_ruled, callbackArgs=(decision, done), errbackArgs=(done,)
                ).addErrback(self._broken)
            else:
                self._take_over(decision, done)

    def _take_over(self, decision: Decision[Any], done: Deferred[Any]) -> None:
        self.state = decision.state
        self._mode = self._shared.mode(self.state.charge_point)
        done.callback(decision.answer)

    def _ruled(self, _result: None, decision: Decision[Any], done: Deferred[Any]) -> None:
        self._in_flight = False
        self._take_over(decision, done)
        self._go_further()

    def _not_ruled(self, failure: Failure, done: Deferred[Any]) -> None:
        if isinstance(failure.value, StoreUnavailable):
            self._lost(failure)
            done.errback(failure)
            return
        self._in_flight = False
        done.errback(failure)
        self._go_further()

    def _go_further(self) -> None:
        """Decide what else waits; then leave, or go on with the message that had to wait for our decisions."""
        self._run_rules()
        if self._in_flight:
            return
        if self._closing is not None:
            self._leave(self._closing)
        else:
            self._resume()

    # What can go wrong.

    def _lost(self, failure: Failure) -> None:
        self._in_flight = False
        # Whether the commit happened is not known, so nothing may be decided from this state any more.
        self._be_stale()
        self._give_up(failure.value)
        if self._closing is not None:
            self._leave(self._closing)

    def _broken(self, failure: Failure) -> None:
        """A fault of ours: log it, and let the charge point come back with a fresh session."""
        self._in_flight = False
        self._be_stale()
        _log.failure("{client_id}: the session broke", failure, client_id=self.client_id)
        if self._closing is not None:
            self._end()
        self.close(CLOSE_INTERNAL_ERROR, "internal error")

    def _be_stale(self) -> None:
        self._is_stale = True
        self._is_open = False
        self._silence()
        rules, self._rules = self._rules, None
        for _rule, _message_id, done in rules or ():
            done.errback(SessionLeft(self.client_id))

    def _give_up(self, error: BaseException | None) -> None:
        """Leave a message without an answer: the charge point keeps it, and sends it again on its next socket."""
        if self._closing is None:
            _log.warn(
                "{client_id}: closing, nothing can be stored: {error}", client_id=self.client_id, error=str(error)
            )
        self.close(CLOSE_TRY_AGAIN_LATER, "try again later")
