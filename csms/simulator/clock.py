"""The charge point's own clock: simulated time that catches up with real time and never overtakes it.

A sped-up session needs more simulated than real time, and a server rightly doubts time stamps from the future. So the
clock starts in the past, by as much as the planned sessions will gain (`lookback_s`), runs at the pace of real time, and
is moved on by what charging gains: the last planned session ends about now. When nothing is left to catch up (more sessions than were
planned, from RemoteStartTransaction for instance), it simply follows real time: time stamps are then closer together
than the energy between them suggests, but still rise, and are never ahead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from twisted.internet.interfaces import IReactorTime

from csms.simulator.behaviour import Behaviour

ENDLESS_LOOKBACK_S = 7 * 86400.0
"""How far in the past a charge point starts whose number of sessions is not known."""


class SimulatedClock:
    """Simulated UTC of one charge point. ``wall_clock`` is asked once; from then on the reactor's clock counts."""

    def __init__(self, reactor: IReactorTime, wall_clock: Callable[[], datetime], lookback_s: float) -> None:
        self._reactor = reactor
        self._origin = wall_clock().astimezone(UTC)
        self._started_s = reactor.seconds()
        self._behind_s = max(0.0, lookback_s)
        self._latest = datetime(1970, 1, 1, tzinfo=UTC)

    @property
    def behind_s(self) -> float:
        """How many seconds simulated time is behind real time; never below 0."""
        return self._behind_s

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._origin + timedelta(seconds=self._reactor.seconds() - self._started_s - self._behind_s)

    def gain(self, simulated_s: float, speed: float) -> None:
        """Say that ``simulated_s`` took only ``simulated_s / speed`` real seconds."""
        self._behind_s = max(0.0, self._behind_s - simulated_s * (1 - 1 / speed))

    def timestamp(self) -> str:
        """Return the simulated time as OCPP carries it: RFC 3339 in UTC, with milliseconds.

        No two are the same: by its time a server tells a new session from a StartTransaction that comes again.
        """
        now = self.now()
        now = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._latest = max(now, self._latest + timedelta(milliseconds=1))
        return timestamp(self._latest)


def timestamp(moment: datetime) -> str:
    """Format a time as OCPP carries it."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def planned_lookback_s(behaviour: Behaviour) -> float:
    """Return by how much the planned sessions outrun real time, so that the last one ends about now."""
    if behaviour.lookback_s is not None:
        return behaviour.lookback_s
    if behaviour.speed == 1:
        return 0.0
    if behaviour.sessions is None:
        return ENDLESS_LOOKBACK_S
    planned_s = behaviour.sessions * (behaviour.duration_s + behaviour.pause_s)
    return planned_s * (1 - 1 / behaviour.speed)
