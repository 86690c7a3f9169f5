"""What a charge point says to its server on each connection: boot, statuses, heartbeats, and the queue in order."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any
from uuid import UUID

from ocpp.v16.enums import Action, AuthorizationStatus, ChargePointStatus, RegistrationStatus
from twisted.internet.interfaces import IReactorTime

from csms.ocppj.frames import Call
from csms.simulator.behaviour import Behaviour
from csms.simulator.client import Target
from csms.simulator.clock import SimulatedClock
from csms.simulator.dialect import Dialect, Order
from csms.simulator.rpc import Answer, CallFailed, LinkLost, Rpc
from csms.simulator.sessions import SessionRecord
from csms.simulator.station import Station
from csms.simulator.tasks import Tasks
from csms.simulator.transaction_queue import BadAnswer, Kind, QueuedMessage, TransactionQueue
from csms.simulator.uplink import Uplink
from csms.simulator.waiting import Signal, sleep

_POWER_UP = "PowerUp"


class Conversation:
    """The charge point's side of OCPP, over as many connections as it takes.

    ``started`` is told each session whose start was answered, ``finished`` each whose last message has left the queue.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        target: Target,
        behaviour: Behaviour,
        dialect: Dialect,
        *,
        clock: SimulatedClock,
        random: Random,
        station: Station,
        on_call: Callable[[Call], Answer],
        started: Callable[[SessionRecord], None],
        finished: Callable[[SessionRecord], None],
    ) -> None:
        self._reactor = reactor
        self._behaviour = behaviour
        self._dialect = dialect
        self._clock = clock
        self._random = random
        self._station = station
        self._started = started
        self.client_id = target.client_id
        self._statuses = dict.fromkeys(range(behaviour.connectors + 1), ChargePointStatus.available)
        self._boot_wanted = Signal(reactor)
        self._boot_reason: str | None = _POWER_UP
        """Why it has to boot; None where it has."""
        self._queued = Signal(reactor)
        self._emptied = Signal(reactor)
        self.queue = TransactionQueue(behaviour.transaction_message_attempts, finished)
        self.uplink = Uplink(reactor, target, behaviour, dialect, random, self._new_message_id, on_call, self._serve)
        self.online = False
        self.came_online = Signal(reactor)

    def _new_message_id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))

    # One connection.

    async def _serve(self, rpc: Rpc) -> bool:
        accepted = False
        tasks = Tasks(rpc.fault)
        rpc.lost.wait().addCallback(lambda _: self._boot_wanted.fire())
        try:
            if self._dialect.boots_on_every_connection or self._boot_reason is not None:
                await self._boot(rpc)
            accepted = True
            await self._report(rpc, list(self._statuses))
            self.online = True
            self.came_online.fire()
            tasks.add(self._deliver(rpc))
            tasks.add(self._beat(rpc))
            if rpc.alive:
                await rpc.lost.wait()
        except LinkLost:
            pass
        finally:
            self.online = False
            tasks.cancel()
        return accepted

    async def _boot(self, rpc: Rpc) -> None:
        """Send BootNotification until it is accepted (OCPP 1.6 §4.2, 2.0.1 B01); nothing else is sent before."""
        while True:
            retry_s = self._behaviour.boot_retry_s
            try:
                answer = await self._send_boot(rpc)
            except CallFailed:
                pass
            else:
                if answer["status"] == RegistrationStatus.accepted:
                    return
                retry_s = answer["interval"] or retry_s
            await self._boot_wanted.wait(retry_s)

    async def _send_boot(self, rpc: Rpc) -> dict[str, Any]:
        payload = self._dialect.boot_notification(self._boot_reason or _POWER_UP)
        answer = await rpc.call(Action.boot_notification.value, payload)
        if answer["status"] == RegistrationStatus.accepted:
            self._boot_reason = None
            self._station.heartbeat_interval_s = answer["interval"]
        return answer

    async def _report(self, rpc: Rpc, connector_ids: list[int]) -> None:
        for connector_id in connector_ids:
            await self._send_status(rpc, connector_id)

    async def _send_status(self, rpc: Rpc, connector_id: int) -> None:
        status = self._statuses[connector_id]
        payload = self._dialect.status_notification(connector_id, status, self._clock.timestamp())
        if payload is not None:
            await self._send_once(rpc, Action.status_notification.value, payload)

    async def _beat(self, rpc: Rpc) -> None:
        try:
            while True:
                await sleep(self._reactor, self._station.heartbeat_interval_s or self._behaviour.boot_retry_s)
                await self._send_once(rpc, Action.heartbeat.value, {})
        except LinkLost:
            return

    async def _send_once(self, rpc: Rpc, action: str, payload: dict[str, Any]) -> None:
        try:
            await rpc.call(action, payload)
        except CallFailed:
            return  # not repeated: the next status, the next heartbeat says more

    async def _deliver(self, rpc: Rpc) -> None:
        """Send what waits in the queue, one after the other, until the connection is lost."""
        while rpc.alive:
            message = self.queue.next()
            if message is None:
                self._emptied.fire()
                await self._queued.wait()
                continue
            try:
                answer = await rpc.call(message.action, self.queue.sending(message))
                self.queue.settle(message, answer)
            except LinkLost:
                return
            except (CallFailed, BadAnswer):
                if self.queue.refuse(message):
                    await sleep(self._reactor, self._behaviour.retry_interval_s * message.refused)
            else:
                if message.kind is Kind.STARTED:
                    self._started(message.session)

    # What the charge point wants said.

    def put(self, message: QueuedMessage) -> None:
        """Send a transaction-related message, as soon as its turn comes."""
        self.queue.put(message)
        self._queued.fire()

    def status(self, connector_id: int, status: ChargePointStatus) -> None:
        """Note a connector's status, and tell the server if it can be reached."""
        before, self._statuses[connector_id] = self._statuses[connector_id], status
        word = self._dialect.status_word
        if before == status or word(before) != word(status):
            self.tell_status([connector_id])

    def tell_status(self, connector_ids: list[int] | None = None) -> None:
        """Tell the status of these connectors, or of all."""
        rpc = self.uplink.rpc
        if rpc is not None and self.online:
            for connector_id in self._statuses if connector_ids is None else connector_ids:
                rpc.spare(self._send_status(rpc, connector_id))

    def boot_again(self, reason: str) -> None:
        """Send BootNotification again on this connection, as after a soft reset or when triggered."""
        self._boot_reason = reason
        rpc = self.uplink.rpc
        if rpc is not None and self.online:
            rpc.spare(self._boot_and_report(rpc))
        else:
            self._boot_wanted.fire()

    def restart(self, reason: str) -> None:
        """Boot on a new connection."""
        self._boot_reason = reason
        self.uplink.restart()

    async def _boot_and_report(self, rpc: Rpc) -> None:
        try:
            await self._send_boot(rpc)
        except CallFailed:
            return
        await self._report(rpc, list(self._statuses))

    def send(self, action: str, payload: dict[str, Any]) -> None:
        """Send something that belongs to no transaction; it is lost where the server cannot be reached."""
        rpc = self.uplink.rpc
        if rpc is not None:
            rpc.spare(self._send_once(rpc, action, payload))

    async def authorize(self, order: Order) -> str | None:
        """Return what the server says of an id tag, None where it cannot be asked."""
        payload = self._dialect.authorize(order)
        if payload is None:
            return str(AuthorizationStatus.accepted.value)
        rpc = self.uplink.rpc
        if rpc is None or not self.online:
            return None
        try:
            answer = await rpc.call(Action.authorize.value, payload)
        except (CallFailed, LinkLost):
            return None
        return self._dialect.verdict(answer)

    async def drained(self) -> None:
        """Wait until the queue is empty and nothing else waits for an answer."""
        while len(self.queue):
            await self._emptied.wait()
        rpc = self.uplink.rpc
        if rpc is not None and rpc.busy:
            await rpc.quiet.wait()
