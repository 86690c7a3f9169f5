"""The part of a charge point that delivers energy and measures it: one session at a time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ocpp.v16.enums import Action, AuthorizationStatus, ChargePointStatus, ReadingContext, Reason
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from csms.simulator.behaviour import REASONS, Behaviour
from csms.simulator.charging import ChargingSession
from csms.simulator.clock import SimulatedClock
from csms.simulator.conversation import Conversation
from csms.simulator.curve import ChargingCurve
from csms.simulator.dialect import Dialect, Order
from csms.simulator.sessions import SessionRecord
from csms.simulator.station import Station
from csms.simulator.waiting import Signal


class Outlet:
    """Runs sessions and keeps their records; ``freed`` is told the connector that a car has left."""

    def __init__(
        self,
        reactor: IReactorTime,
        behaviour: Behaviour,
        dialect: Dialect,
        *,
        clock: SimulatedClock,
        random: Random,
        station: Station,
        conversation: Conversation,
        freed: Callable[[list[int]], None],
    ) -> None:
        self._reactor = reactor
        self._behaviour = behaviour
        self._dialect = dialect
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

    async def charge(self, order: Order) -> None:
        """Run one session from plugging in to unplugging."""
        conversation, connector_id = self._conversation, order.connector_id
        self.in_use = connector_id
        conversation.status(connector_id, ChargePointStatus.preparing)
        verdict = await conversation.authorize(order)
        # Offline it charges all the same, as LocalAuthorizeOffline and AllowOfflineTxForUnknownId let it.
        if verdict is None or verdict == AuthorizationStatus.accepted:
            session = self._begin(order)
            await self._draw_power(session)
            self._end(session)
            conversation.status(connector_id, ChargePointStatus.finishing)
        else:
            self.refused += 1
        self.in_use = None
        self._freed([connector_id])

    def _begin(self, order: Order) -> ChargingSession:
        curve = ChargingCurve.choose(self._random, self._behaviour.phases)
        record = SessionRecord(
            self._conversation.client_id,
            order.connector_id,
            order.id_tag,
            self._meter_wh,
            self._clock.timestamp(),
            started_offline=self._offline,
            version=self._dialect.version.name,
            transaction_id=self._dialect.transaction_id(self._random),
        )
        reservation_id = self._station.take_reservation(order.connector_id, order.id_tag)
        session = ChargingSession(
            record,
            curve,
            self._dialect.transaction(record, curve, self._random, order, reservation_id),
            self._reactor.seconds(),
            self._behaviour.speed,
            self._behaviour.duration_s,
        )
        self.session = session
        self.sessions.append(record)
        self._conversation.put(session.messages.started(offline=self._offline))
        self._change_state(session, ChargePointStatus.charging)
        if self._behaviour.offline_after_s is not None:
            self._later(self._behaviour.offline_after_s, self._lose_for_a_while)
        return session

    @property
    def _offline(self) -> bool:
        return not self._conversation.online

    def _change_state(self, session: ChargingSession, status: ChargePointStatus) -> None:
        message = session.messages.state_changed(status, self._clock.timestamp(), offline=self._offline)
        if message is not None:
            session.record.state_changes += 1
            self._conversation.put(message)
        self._conversation.status(session.record.connector_id, status)

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
                    self._change_state(session, ChargePointStatus.suspended_ev)

    def _sample(self, session: ChargingSession, elapsed_s: float, context: ReadingContext) -> float:
        """Queue a reading and return the power (W)."""
        reading, register_wh = session.at(elapsed_s)
        session.record.meter_values += 1
        self._conversation.put(
            session.messages.sampled(reading, register_wh, self._clock.timestamp(), context, offline=self._offline)
        )
        return reading.power_w

    def _end(self, session: ChargingSession) -> None:
        record = session.record
        _, record.meter_stop_wh = session.at(session.elapsed_s)
        self._meter_wh = record.meter_stop_wh
        record.stop_timestamp = self._clock.timestamp()
        reasons = REASONS[self._dialect.version]
        record.reason = session.stop_reason or self._behaviour.reason or self._random.choice(reasons)
        self.session = None
        self._conversation.put(session.messages.ended(offline=self._offline))

    def started(self, record: SessionRecord) -> None:
        """Stop where the server does not want it, as StopTransactionOnInvalidId says (OCPP 1.6 §4.8, 2.0.1 E05)."""
        denied = record.id_tag_status not in (None, AuthorizationStatus.accepted)
        if denied and self.session is not None and self.session.record is record:
            self.request_stop(Reason.de_authorized.value)  # the same word in 2.x

    def _lose_for_a_while(self) -> None:
        self._conversation.uplink.cut()
        self._later(self._behaviour.offline_for_s, self._conversation.uplink.mend)

    def _later(self, simulated_s: float, do: Callable[[], None]) -> None:
        self._timers = [timer for timer in self._timers if timer.active()]
        self._timers.append(self._reactor.callLater(simulated_s / self._behaviour.speed, do))

    def request_stop(self, reason: str) -> None:
        """Stop the running session."""
        if self.session is not None and self.session.stop_reason is None:
            self.session.stop_reason = reason
            self._stop_wanted.fire()

    def is_running(self, transaction_id: int | str) -> bool:
        """Return whether this is the running transaction."""
        return self.session is not None and self.session.record.transaction_id == transaction_id

    def _charges_at(self, connector_id: int | None) -> ChargingSession | None:
        session = self.session
        return session if session is not None and connector_id in (None, session.record.connector_id) else None

    def _elapsed_s(self, session: ChargingSession) -> float:
        passed_s = session.passed_s(self._reactor.seconds(), session.duration_s - session.elapsed_s)
        return session.elapsed_s + passed_s

    def trigger_sample(self, connector_id: int | None) -> bool:
        """Send a reading of the running session that the server asked for; return whether there is one."""
        session = self._charges_at(connector_id)
        if session is not None:
            self._sample(session, self._elapsed_s(session), ReadingContext.trigger)
        return session is not None

    def trigger_meter_values(self, connector_id: int | None) -> None:
        """Send what the meter shows, outside of any transaction."""
        session = self._charges_at(connector_id)
        reading, register_wh, curve = None, self._meter_wh, None
        if session is not None:
            (reading, register_wh), curve = session.at(self._elapsed_s(session)), session.curve
            connector_id = session.record.connector_id
        payload = self._dialect.meter_values(connector_id or 1, self._clock.timestamp(), register_wh, reading, curve)
        self._conversation.send(Action.meter_values.value, payload)
