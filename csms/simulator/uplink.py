"""Keeping a charge point connected: again and again, with backoff and jitter, unless its uplink is cut."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from csms.ocppj.frames import Call
from csms.simulator.behaviour import Behaviour
from csms.simulator.client import Target, Unreachable, connect
from csms.simulator.dialect import Dialect
from csms.simulator.rpc import Answer, Rpc, Traffic
from csms.simulator.waiting import Signal

_MOST_DOUBLINGS = 10
_FAREWELL_S = 3.0
"""How long to wait for the end of a socket; Autobahn drops it after one second."""


class GaveUp(Exception):
    """The server could not be reached at all; the message says why."""


class Uplink:
    """The connections of one charge point, one after the other.

    ``serve`` is run with each new connection until that is lost, and returns whether the server accepted the charge
    point; ``new_message_id`` must not repeat itself over all connections.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        target: Target,
        behaviour: Behaviour,
        dialect: Dialect,
        random: Random,
        new_message_id: Callable[[], str],
        on_call: Callable[[Call], Answer],
        serve: Callable[[Rpc], Coroutine[Any, Any, bool]],
    ) -> None:
        self._reactor = reactor
        self._target = target
        self._behaviour = behaviour
        self._dialect = dialect
        self._random = random
        self._new_message_id = new_message_id
        self._on_call = on_call
        self._serve = serve
        self._connecting: Deferred[None] | None = None
        self._wake = Signal(reactor)
        self._cut = False
        self._at_once = False
        self._accepted_once = False
        self._began_s = 0.0
        self.closed = False
        self.rpc: Rpc | None = None
        self.traffic = Traffic()
        self.connections = 0
        self.problem: str | None = None

    async def run(self) -> None:
        """Stay connected until `close`.

        :raises GaveUp: the server was never reached, and patience is over.
        """
        self._began_s = self._reactor.seconds()
        failures = 0
        while not self.closed:
            if self._cut:
                await self._wake.wait()
                continue
            if await self._connect_once():
                failures = 0
            else:
                failures += 1
            if self._at_once or self.closed or self._cut:
                self._at_once = False
                continue
            await self._wake.wait(self._delay_s(failures))

    async def _connect_once(self) -> bool:
        rpc = Rpc(
            self._reactor,
            self._dialect.version,
            self._dialect.schemas,
            self._new_message_id,
            self._on_call,
            self._behaviour.answer_timeout_s,
            self.traffic,
        )
        try:
            self._connecting = connect(self._reactor, self._target, rpc, self._behaviour.handshake_timeout_s)
            await self._connecting
        except CancelledError:
            return False
        except Unreachable as error:
            self.problem = str(error)
            self._lose_patience(error)
            return False
        finally:
            self._connecting = None
        self.connections += 1
        self.rpc, self.problem = rpc, None
        try:
            accepted = await self._serve(rpc)
        finally:
            self.rpc = None
            rpc.close("done")
        if not rpc.gone:
            await rpc.went.wait(_FAREWELL_S)
        if accepted:
            self._accepted_once = True
        return accepted

    def _lose_patience(self, error: Unreachable) -> None:
        patience_s = self._behaviour.patience_s
        if patience_s is None or self._accepted_once:
            return
        if error.final or self._reactor.seconds() - self._began_s >= patience_s:
            raise GaveUp(str(error))

    def _delay_s(self, failures: int) -> float:
        """Return the backoff: doubled with each failure, and never the same for two charge points."""
        longest_s: float = self._behaviour.reconnect_min_s * 2 ** min(failures, _MOST_DOUBLINGS)
        return min(longest_s, self._behaviour.reconnect_max_s) * self._random.uniform(0.5, 1.0)

    def restart(self) -> None:
        """Drop the socket and connect again at once, as after a hard reset."""
        self._at_once = True
        if self.rpc is not None:
            # In an orderly way: an aborted socket would take the answer to Reset with it.
            self.rpc.close("reset")

    def change_password(self, password: str | bytes) -> None:
        """Connect again at once, with another password from now on (security whitepaper A01; OCPP 2.x part 2, A01)."""
        self._target = evolve(self._target, password=password)
        self.restart()

    def cut(self) -> None:
        """Lose the uplink: the socket breaks without a word and no new one comes up until `mend`."""
        self._cut = True
        self._drop("the uplink is cut")

    def mend(self) -> None:
        """Let the uplink come back."""
        self._cut = False
        self._wake.fire()

    def close(self) -> None:
        """Hang up, in an orderly way, and stay away."""
        self.closed = True
        if self.rpc is not None:
            self.rpc.close("the charge point hung up")
        self._drop("the charge point hung up")
        self._wake.fire()

    def _drop(self, reason: str) -> None:
        if self._connecting is not None:
            self._connecting.cancel()
        if self.rpc is not None:
            self.rpc.abort(reason)
