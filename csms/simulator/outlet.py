"""The part of a charge point that delivers energy and measures it: one session at a time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ocpp.v16.enums import AuthorizationStatus, ChargePointStatus, ReadingContext, Reason
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from csms.simulator import messages
from csms.simulator.behaviour import Behaviour
from csms.simulator.charging import ChargingSession
from csms.simulator.clock import SimulatedClock
from csms.simulator.conversation import Conversation
from csms.simulator.curve import ChargingCurve
from csms.simulator.sessions import SessionRecord
from csms.simulator.station import Station
from csms.simulator.transaction_queue import METER_VALUES, START, STOP, QueuedMessage
from csms.simulator.waiting import Signal


class Outlet:
    """Runs sessions and keeps their records; ``freed`` is told the connector that a car has left."""

    def __init__(
        self,
        reactor: IReactorTime,
        behaviour: Behaviour,
        *,
        clock: SimulatedClock,
        random: Random,
        station: Station,
        conversation: Conversation,
        freed: Callable[[list[int]], None],
    ) -> None:
        self._reactor = reactor
        self._behaviour = behaviour
        self._clock = clock
        self._random = random
        self._station = station
        self._conversation = conversation
        self._freed = freed
        self._meter_wh = behaviour.meter_start_wh
        self._timers: list[IDelayedCall] = []
        self._stop_wanted = Signal(reactor)
        self.sessions: list[SessionRecord] = []
        self.session: ChargingSession | None = None
        self.in_use: int | None = None
        self.refused = 0

    def stop_timers(self) -> None:
        """Let nothing happen later on."""
        for timer in self._timers:
            if timer.active():
                timer.cancel()

    async def charge(self, connector_id: int, id_tag: str) -> None:
        """Run one session from plugging in to unplugging."""
        conversation = self._conversation
        self.in_use = connector_id
        conversation.status(connector_id, ChargePointStatus.preparing)
        verdict = await conversation.authorize(id_tag)
        # Offline it charges all the same, as LocalAuthorizeOffline and AllowOfflineTxForUnknownId let it.
        if verdict is None or verdict == AuthorizationStatus.accepted:
            session = self._begin(connector_id, id_tag, offline=not self._conversation.online)
            await self._draw_power(session)
            self._end(session)
            conversation.status(connector_id, ChargePointStatus.finishing)
        else:
            self.refused += 1
        self.in_use = None
        self._freed([connector_id])

    def _begin(self, connector_id: int, id_tag: str, *, offline: bool) -> ChargingSession:
        record = SessionRecord(
            self._conversation.client_id,
            connector_id,
            id_tag,
            self._meter_wh,
            self._clock.timestamp(),
            started_offline=offline,
        )
        curve = ChargingCurve.choose(self._random, self._behaviour.phases)
        session = ChargingSession(
            record, curve, self._reactor.seconds(), self._behaviour.speed, self._behaviour.duration_s
        )
        self.session = session
        self.sessions.append(record)
        reservation_id = self._station.take_reservation(connector_id, id_tag)
        payload = messages.start_transaction(
            connector_id, id_tag, record.meter_start_wh, record.start_timestamp, reservation_id
        )
        self._conversation.put(QueuedMessage(record, START, payload))
        self._conversation.status(connector_id, ChargePointStatus.charging)
        if self._behaviour.offline_after_s is not None:
            self._later(self._behaviour.offline_after_s, self._lose_for_a_while)
        return session

    async def _draw_power(self, session: ChargingSession) -> None:
        full = False
        while not session.over:
            step_s = min(self._station.sample_interval_s or session.duration_s, session.duration_s - session.elapsed_s)
            due_s = session.due_s(step_s)
            interrupted = await self._stop_wanted.wait(due_s - self._reactor.seconds())
            passed_s = session.passed_s(self._reactor.seconds(), step_s) if interrupted else step_s
            session.elapsed_s += passed_s
            self._clock.gain(passed_s, session.speed)
            if not session.over:
                reading = self._sample(session, session.elapsed_s, ReadingContext.sample_periodic)
                if reading == 0 and not full:
                    full = True
                    self._conversation.status(session.record.connector_id, ChargePointStatus.suspended_ev)

    def _sample(self, session: ChargingSession, elapsed_s: float, context: ReadingContext) -> float:
        """Queue MeterValues and return the power (W)."""
        record = session.record
        reading, register_wh = session.at(elapsed_s)
        samples = messages.samples(reading, register_wh, session.curve, self._random, context)
        payload = messages.meter_values(record.connector_id, self._clock.timestamp(), samples)
        record.meter_values += 1
        self._conversation.put(QueuedMessage(record, METER_VALUES, payload))
        return reading.power_w

    def _end(self, session: ChargingSession) -> None:
        record = session.record
        _, record.meter_stop_wh = session.at(session.elapsed_s)
        self._meter_wh = record.meter_stop_wh
        record.stop_timestamp = self._clock.timestamp()
        reason = session.stop_reason or self._behaviour.reason or self._random.choice(list(Reason))
        record.reason = reason.value
        self.session = None
        # Whoever stopped it is known only where somebody held a card to the charge point.
        id_tag = record.id_tag if reason is Reason.local else None
        payload = messages.stop_transaction(id_tag, record.meter_stop_wh, record.stop_timestamp, reason)
        self._conversation.put(QueuedMessage(record, STOP, payload))

    def started(self, record: SessionRecord) -> None:
        """Stop where the server does not want it, as StopTransactionOnInvalidId says (OCPP 1.6 §4.8)."""
        denied = record.id_tag_status not in (None, AuthorizationStatus.accepted)
        if denied and self.session is not None and self.session.record is record:
            self.request_stop(Reason.de_authorized)

    def _lose_for_a_while(self) -> None:
        self._conversation.uplink.cut()
        self._later(self._behaviour.offline_for_s, self._conversation.uplink.mend)

    def _later(self, simulated_s: float, do: Callable[[], None]) -> None:
        self._timers = [timer for timer in self._timers if timer.active()]
        self._timers.append(self._reactor.callLater(simulated_s / self._behaviour.speed, do))

    def request_stop(self, reason: Reason) -> None:
        """Stop the running session."""
        if self.session is not None and self.session.stop_reason is None:
            self.session.stop_reason = reason
            self._stop_wanted.fire()

    def is_running(self, transaction_id: int) -> bool:
        """Return whether this is the running transaction."""
        return self.session is not None and self.session.record.transaction_id == transaction_id

    def trigger_meter_values(self, connector_id: int | None) -> None:
        """Send a reading that the server asked for."""
        session = self.session
        if session is not None and connector_id in (None, session.record.connector_id):
            passed_s = session.passed_s(self._reactor.seconds(), session.duration_s - session.elapsed_s)
            self._sample(session, session.elapsed_s + passed_s, ReadingContext.trigger)
        else:
            register = messages.register_sample(self._meter_wh, ReadingContext.trigger)
            payload = messages.meter_values(connector_id or 1, self._clock.timestamp(), [register])
            self._conversation.send(METER_VALUES, payload)
