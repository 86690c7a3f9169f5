"""Simulated charge points on a reactor in a thread of its own, so that the rows can be written one step after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread

from csms.ocppj.versions import V16, V21, V201
from csms.simulator.behaviour import Behaviour
from csms.simulator.fleet import Fleet, Statistics

VERSIONS = (V16, V201, V21)
BUSY = Behaviour(
    sessions=None,
    duration_s=120,
    interval_s=30,
    pause_s=5,
    speed=40,
    reconnect_min_s=0.05,
    reconnect_max_s=0.5,
    answer_timeout_s=10,
    reason=None,
)
"""A session every three seconds."""
IDLE = Behaviour(
    sessions=0, keep=True, reconnect_min_s=0.1, reconnect_max_s=2, answer_timeout_s=30, handshake_timeout_s=30
)
"""Connected, and nothing more."""


def start_reactor() -> None:
    """Start the reactor's thread; it ends with the process."""
    running = threading.Event()
    reactor.callWhenRunning(running.set)
    threading.Thread(target=lambda: reactor.run(installSignalHandlers=False), daemon=True, name="chargers").start()
    assert running.wait(10)


def in_reactor(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function on the reactor's thread, and wait for the Deferred that it may return."""
    return blockingCallFromThread(reactor, function, *arguments)


class Chargers:
    """A fleet, as the thread of the rows sees it."""

    def __init__(self, url: str, count: int, behaviour: Behaviour, seed: int, **options: Any) -> None:
        self.fleet: Fleet = in_reactor(
            lambda: Fleet(
                reactor,
                url,
                count,
                behaviour,
                wall_clock=lambda: datetime.now(UTC),
                seed=seed,
                versions=VERSIONS,
                phases="mixed",
                **options,
            )
        )
        self._before = self.statistics()

    def start(self) -> None:
        in_reactor(self.fleet.start)

    def statistics(self) -> Statistics:
        return in_reactor(self.fleet.statistics)

    @property
    def all_online(self) -> bool:
        found = self.statistics()
        return found.online == found.charge_points

    @property
    def online(self) -> int:
        """How many are online: of a large fleet to be asked now and then, as it is counted on the reactor's thread."""
        return in_reactor(lambda: sum(point.online for point in self.fleet.charge_points))

    def break_off(self) -> None:
        """Have all lose their connections at once, and stay away."""
        in_reactor(lambda: [point.lose_uplink() for point in self.fleet.charge_points])

    def come_back(self) -> None:
        """Have all who broke off come at once."""
        in_reactor(lambda: [point.restore_uplink() for point in self.fleet.charge_points])

    @property
    def problems(self) -> list[str]:
        return in_reactor(lambda: self.fleet.problems)

    def mark(self) -> None:
        """What they see is told from now on."""
        self._before = self.statistics()

    def seen(self) -> dict[str, int]:
        """Return how often they have come back, waited in vain and been answered a CALLERROR since the mark."""
        before, now = self._before, self.statistics()
        return {
            "came back": now.connections - before.connections,
            "timeouts": now.timeouts - before.timeouts,
            "CALLERRORs": now.errors - before.errors,
        }

    def finish(self) -> None:
        """Let the sessions end, and hang up."""
        in_reactor(self.fleet.finish)
        in_reactor(self.fleet.stop)

    def stop(self) -> None:
        in_reactor(self.fleet.stop)
