"""Many simulated charge points at once: the load and fault instrument."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Literal

from attrs import evolve, frozen
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall, IOpenSSLClientConnectionCreator, IReactorTime

from csms.ocppj.versions import Version
from csms.simulator.behaviour import Behaviour
from csms.simulator.charge_point import ChargePoint
from csms.simulator.client import Target, client_id_of, client_url
from csms.simulator.sessions import SessionRecord

Phases = Literal[1, 3, "mixed"]


@frozen
class Statistics:
    """What a fleet has done so far.

    ``settled`` sessions have ended, and every message of theirs was answered; ``unfinished`` are the charge points that
    have planned sessions left or messages queued.
    """

    charge_points: int
    online: int
    charging: int
    failed: int
    unfinished: int
    sessions: int
    ended: int
    settled: int
    refused: int
    queued: int
    dropped: int
    calls: int
    errors: int
    timeouts: int
    commands: int
    connections: int
    energy_wh: int

    @property
    def perfect(self) -> bool:
        """Whether every planned session ended and was answered, and nothing was refused, dropped or failed."""
        wrong = self.failed or self.unfinished or self.refused or self.queued or self.dropped
        return self.settled == self.sessions and not wrong


class Fleet:
    """``count`` charge points of one server, named ``prefix`` and a number.

    Where ``url`` names one identity (``ws://host/ocpp/CP1``) and ``count`` is 1, that is the name. With a ``seed`` every
    run makes the same choices; without one none is like another. ``id_tag`` of the behaviour is used by all unless it
    holds ``{n}``, which becomes the number of the charge point. ``versions`` are dealt out in turn, in
    place of the behaviour's own.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        url: str,
        count: int,
        behaviour: Behaviour,
        *,
        wall_clock: Callable[[], datetime],
        prefix: str = "SIM",
        versions: Sequence[Version] | None = None,
        phases: Phases | None = None,
        password: str | None = None,
        tls: IOpenSSLClientConnectionCreator | None = None,
        seed: int | None = None,
        ramp_s: float = 0.0,
        on_session: Callable[[SessionRecord], None] = lambda _session: None,
    ) -> None:
        self._reactor = reactor
        self._ramp_s = ramp_s
        self._starts: list[IDelayedCall] = []
        self.charge_points: list[ChargePoint] = []
        named = client_id_of(url) if count == 1 else None
        for number in range(1, count + 1):
            client_id = named or f"{prefix}{number:04}"
            self.charge_points.append(
                ChargePoint(
                    reactor,
                    Target(url if named else client_url(url, client_id), client_id, password, tls),
                    _own(behaviour, number, phases, versions or (behaviour.version,)),
                    wall_clock=wall_clock,
                    random=Random() if seed is None else Random(f"{seed}:{client_id}"),  # noqa: S311 - no secrets
                    on_session=on_session,
                )
            )

    def start(self) -> None:
        """Start all, spread evenly over the ramp."""
        for index, charge_point in enumerate(self.charge_points):
            delay_s = self._ramp_s * index / len(self.charge_points)
            if delay_s:
                self._starts.append(self._reactor.callLater(delay_s, charge_point.start))
            else:
                charge_point.start()

    def when_done(self) -> Deferred[None]:
        """Fire when all charge points are done; those that failed are counted in `statistics`."""
        return _all([charge_point.when_done() for charge_point in self.charge_points])

    def finish(self) -> Deferred[None]:
        """Start no further session; fire when the current ones ended, the queues are empty and all hung up."""
        return _all([charge_point.finish() for charge_point in self.charge_points])

    def stop(self) -> Deferred[None]:
        """Hang up now; fire when all sockets are closed."""
        for start in self._starts:
            if start.active():
                start.cancel()
        return _all([charge_point.stop() for charge_point in self.charge_points])

    @property
    def sessions(self) -> list[SessionRecord]:
        """All sessions of all charge points."""
        return [session for charge_point in self.charge_points for session in charge_point.sessions]

    @property
    def problems(self) -> list[str]:
        """What keeps charge points from connecting, each reason once."""
        return list(dict.fromkeys(point.problem for point in self.charge_points if point.problem is not None))

    def statistics(self) -> Statistics:
        """Count."""
        points, sessions = self.charge_points, self.sessions
        return Statistics(
            charge_points=len(points),
            online=sum(point.online for point in points),
            charging=sum(point.charging() for point in points),
            failed=sum(point.failed for point in points),
            unfinished=sum(not point.completed for point in points),
            sessions=len(sessions),
            ended=sum(session.ended for session in sessions),
            settled=sum(session.settled for session in sessions),
            refused=sum(point.refused for point in points),
            queued=sum(len(point.queue) for point in points),
            dropped=sum(point.queue.dropped for point in points),
            calls=sum(point.traffic.calls for point in points),
            errors=sum(point.traffic.errors for point in points),
            timeouts=sum(point.traffic.timeouts for point in points),
            commands=sum(point.traffic.commands for point in points),
            connections=sum(point.connections for point in points),
            energy_wh=sum(session.energy_wh for session in sessions),
        )


def _own(behaviour: Behaviour, number: int, phases: Phases | None, versions: Sequence[Version]) -> Behaviour:
    """Return the behaviour of one charge point; with mixed phases every other one has a single phase."""
    own_phases = behaviour.phases
    if phases is not None:
        own_phases = (3 if number % 2 else 1) if phases == "mixed" else phases
    return evolve(
        behaviour,
        version=versions[(number - 1) % len(versions)],
        phases=own_phases,
        id_tag=behaviour.id_tag.replace("{n}", f"{number:04}"),
    )


def _all(waiting: list[Deferred[None]]) -> Deferred[None]:
    return DeferredList(waiting, consumeErrors=True).addCallback(lambda _: None)
