"""A simulated charge point: boots, authorises, charges, sends meter values, stops, and survives everything in between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random

from ocpp.v16.enums import Action, MessageTrigger, Reason
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.simulator.behaviour import Behaviour
from csms.simulator.client import Target
from csms.simulator.clock import SimulatedClock, planned_lookback_s
from csms.simulator.commands import Commands
from csms.simulator.conversation import Conversation
from csms.simulator.outlet import Outlet
from csms.simulator.rpc import Traffic
from csms.simulator.sessions import SessionRecord
from csms.simulator.station import Station
from csms.simulator.tasks import Tasks
from csms.simulator.transaction_queue import TransactionQueue
from csms.simulator.uplink import GaveUp
from csms.simulator.waiting import Signal


class ChargePoint:
    """One charge point with its connectors; sessions run one after the other.

    `start` it, wait for `when_done` (or ask for it with `finish`), then look at ``sessions``. ``random`` decides
    everything that is chance, message ids included. ``completed`` says that the planned sessions have ended and the queue is empty. ``on_session`` is told each session that is over for the server,
    too: its StopTransaction was answered or dropped.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        target: Target,
        behaviour: Behaviour,
        *,
        wall_clock: Callable[[], datetime],
        random: Random,
        on_session: Callable[[SessionRecord], None] = lambda _session: None,
    ) -> None:
        self._reactor = reactor
        self._behaviour = behaviour
        self._random = random
        self._clock = SimulatedClock(reactor, wall_clock, planned_lookback_s(behaviour))
        self._station = Station(behaviour)
        self._conversation = Conversation(
            reactor,
            target,
            behaviour,
            clock=self._clock,
            random=Random(random.getrandbits(64)),  # noqa: S311 - of its own: how often it is asked is a matter of timing
            station=self._station,
            on_call=Commands(self._station, self).answer,
            started=lambda record: self._outlet.started(record),  # noqa: PLW0108 - the outlet is made after it
            finished=on_session,
        )
        self._outlet = Outlet(
            reactor,
            behaviour,
            clock=self._clock,
            random=random,
            station=self._station,
            conversation=self._conversation,
            freed=self.availability_changed,
        )
        self.client_id = target.client_id
        self.completed = False
        self._remote: tuple[int, str] | None = None
        self._begun = False
        self._finishing = False
        self._planned_are_over = False
        self._ended = False
        self._failure: Exception | None = None
        self._tasks = Tasks(self._fail)
        self._plans_changed = Signal(reactor)
        self._done = Signal(reactor)

    # Life.

    def start(self) -> None:
        """Connect and begin."""
        if self._ended:
            return
        self._begun = True
        Deferred.fromCoroutine(self._conversation.uplink.run()).addCallbacks(lambda _: self._hung_up(), self._fail)
        self._tasks.add(self._run())

    def when_done(self) -> Deferred[None]:
        """Fire when the planned sessions have ended and the queue is empty, or on `stop`.

        The Deferred fails with `uplink.GaveUp` where the server could not be reached.
        """
        if self._failure is not None:
            return fail(self._failure)
        if self._ended or self._planned_are_over:
            return succeed(None)
        return self._done.wait().addCallback(self._verdict)

    def when_online(self) -> Deferred[None]:
        """Fire when it is connected and the server accepted its boot."""
        if self.online:
            return succeed(None)
        return self._conversation.came_online.wait().addCallback(lambda _: None)

    def finish(self) -> Deferred[None]:
        """Start no further session; fire when the current one ended and the queue is empty. Then it hangs up."""
        self._finishing = True
        self._planned_are_over = False
        if not self._begun:
            self._hung_up()
        self._conversation.came_online.fire()
        self._plans_changed.fire()
        return self.when_done()

    def stop(self) -> Deferred[None]:
        """Hang up now, whatever goes on; the queue stays as it is. Fire when the socket is closed."""
        self._outlet.stop_timers()
        self._conversation.uplink.close()
        # Not at once: it may be one of these coroutines that led here.
        self._reactor.callLater(0, self._tasks.cancel)
        self._planned_are_over = False
        if not self._begun:
            self._hung_up()
        return self.when_done()

    def _hung_up(self) -> None:
        self._ended = True
        self._done.fire()

    def lose_uplink(self) -> None:
        """Break the connection; messages queue up until `restore_uplink`."""
        self._conversation.uplink.cut()

    def restore_uplink(self) -> None:
        """Let the charge point connect again and send what waits."""
        self._conversation.uplink.mend()

    @property
    def sessions(self) -> list[SessionRecord]:
        """All its sessions, the running one last."""
        return self._outlet.sessions

    @property
    def refused(self) -> int:
        """How many sessions did not begin because Authorize denied the id tag."""
        return self._outlet.refused

    @property
    def online(self) -> bool:
        """Whether it is connected and the server accepted its boot."""
        return self._conversation.online

    @property
    def queue(self) -> TransactionQueue:
        """The transaction-related messages that wait for an answer."""
        return self._conversation.queue

    @property
    def traffic(self) -> Traffic:
        """What went over its sockets."""
        return self._conversation.uplink.traffic

    @property
    def connections(self) -> int:
        """How many connections it has had."""
        return self._conversation.uplink.connections

    @property
    def problem(self) -> str | None:
        """Why there is no connection, if there is none."""
        return self._conversation.uplink.problem

    @property
    def failed(self) -> bool:
        """Whether it gave up."""
        return self._failure is not None

    @property
    def state(self) -> str:
        """One word for the progress display."""
        if self._failure is not None:
            return "failed"
        if self._ended:
            return "finished"
        if self._outlet.session is not None:
            return "charging" if self.online else "charging offline"
        return "idle" if self.online else "offline"

    @property
    def energy_wh(self) -> int:
        """The energy of all sessions that ended."""
        return sum(session.energy_wh for session in self.sessions)

    def _verdict(self, _: bool) -> None:  # noqa: FBT001 - a callback's result
        if self._failure is not None:
            raise self._failure

    def _fail(self, failure: Failure) -> None:
        if not isinstance(failure.value, GaveUp):
            self._log.failure("{client_id} failed", failure, client_id=self.client_id)
        self._failure = failure.value if isinstance(failure.value, Exception) else RuntimeError(repr(failure.value))
        self._conversation.uplink.close()
        self._reactor.callLater(0, self._tasks.cancel)
        self._hung_up()

    # Sessions, one after the other.

    async def _run(self) -> None:
        planned = self._behaviour.sessions
        if not self.online and not self._finishing:
            await self._conversation.came_online.wait()
        while True:
            connector_id = self.free_connector(self._behaviour.id_tag)
            if self._remote is not None:
                (connector_id, id_tag), self._remote = self._remote, None
                await self._outlet.charge(connector_id, id_tag)
            elif self._finishing or planned == 0:
                await self._conversation.drained()
                if self._remote is not None:
                    continue
                self.completed = True
                if self._finishing or not self._behaviour.keep:
                    self._conversation.uplink.close()
                    return
                self._planned_are_over = True
                self._done.fire()
                await self._plans_changed.wait()
            elif connector_id is None:
                await self._plans_changed.wait()
            else:
                planned = None if planned is None else planned - 1
                await self._outlet.charge(connector_id, self._behaviour.id_tag)
                await self._plans_changed.wait(self._behaviour.pause_s / self._behaviour.speed)
                self._clock.gain(self._behaviour.pause_s, self._behaviour.speed)

    # What the server's commands do (csms.simulator.commands.Controls).

    def charging(self, connector_id: int | None = None) -> bool:
        """Return whether a session runs or begins (on that connector)."""
        return self._outlet.in_use is not None and connector_id in (None, self._outlet.in_use)

    def is_running(self, transaction_id: int) -> bool:
        """Return whether this is the running transaction."""
        return self._outlet.is_running(transaction_id)

    def free_connector(self, id_tag: str) -> int | None:
        """Return the connector whose turn it is: they are used in rotation."""
        count, used = self._behaviour.connectors, len(self.sessions)
        for turn in range(count):
            connector_id = (used + turn) % count + 1
            if self._station.can_be_used(connector_id, id_tag):
                return connector_id
        return None

    def remote_start(self, connector_id: int, id_tag: str) -> None:
        """Start a session as soon as the present one is over."""
        self._remote = (connector_id, id_tag)
        self._plans_changed.fire()

    def request_stop(self, reason: Reason) -> None:
        """Stop the running session."""
        self._outlet.request_stop(reason)

    def reset(self, kind: str) -> None:
        """Restart: after a hard reset with a new socket, after a soft one on the same."""
        if kind == "Hard":
            self.request_stop(Reason.hard_reset)
            self._conversation.uplink.restart()
        else:
            self.request_stop(Reason.soft_reset)
            self._conversation.boot_again()

    def change_password(self, password: bytes) -> None:
        """Come back with another password."""
        self._conversation.uplink.change_password(password)

    def availability_changed(self, connector_ids: list[int]) -> None:
        """Take the status of idle connectors from the station and tell the server."""
        for connector_id in connector_ids:
            self._conversation.status(connector_id, self._station.idle_status(connector_id))
        self._plans_changed.fire()

    def trigger(self, message: str, connector_id: int | None) -> None:
        """Send the message that the server asked for."""
        match message:
            case MessageTrigger.boot_notification:
                self._conversation.boot_again()
            case MessageTrigger.heartbeat:
                self._conversation.send(Action.heartbeat.value, {})
            case MessageTrigger.status_notification:
                self._conversation.tell_status(None if connector_id is None else [connector_id])
            case MessageTrigger.meter_values:
                self._outlet.trigger_meter_values(connector_id)
