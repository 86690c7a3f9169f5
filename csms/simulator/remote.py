"""What the server's commands do to a charge point, in every version (csms.simulator.commands.Controls)."""

from __future__ import annotations

from typing import Final

from ocpp.v16.enums import Action, MessageTrigger

from csms.simulator.behaviour import Behaviour
from csms.simulator.clock import SimulatedClock
from csms.simulator.conversation import Conversation
from csms.simulator.dialect import Dialect, Order, Payload
from csms.simulator.outlet import Outlet
from csms.simulator.station import Station
from csms.simulator.waiting import Signal

_REMOTE_RESET: Final = "RemoteReset"
_SCHEDULED_RESET: Final = "ScheduledReset"
_TRIGGERED: Final = "Triggered"
"""Reasons to boot, in the words of 2.x."""


class RemoteControls:
    """The controls of one charge point; ``order`` is the session that it has been told to start next."""

    def __init__(
        self,
        behaviour: Behaviour,
        dialect: Dialect,
        *,
        clock: SimulatedClock,
        station: Station,
        conversation: Conversation,
        outlet: Outlet,
        plans_changed: Signal,
    ) -> None:
        self._behaviour = behaviour
        self._dialect = dialect
        self._clock = clock
        self._station = station
        self._conversation = conversation
        self._outlet = outlet
        self._plans_changed = plans_changed
        self._reset_is_wanted = False
        self.order: Order | None = None

    def charging(self, connector_id: int | None = None) -> bool:
        """Return whether a session runs or begins (on that connector)."""
        return self._outlet.in_use is not None and connector_id in (None, self._outlet.in_use)

    def is_running(self, transaction_id: int | str) -> bool:
        """Return whether this is the running transaction."""
        return self._outlet.is_running(transaction_id)

    def has_queued(self, transaction_id: int | str | None = None) -> bool:
        """Return whether messages (of that transaction) wait for an answer."""
        return self._conversation.queue.holds(transaction_id)

    def free_connector(self, id_tag: str) -> int | None:
        """Return the connector whose turn it is: they are used in rotation."""
        count, used = self._behaviour.connectors, len(self._outlet.sessions)
        for turn in range(count):
            connector_id = (used + turn) % count + 1
            if self._station.can_be_used(connector_id, id_tag):
                return connector_id
        return None

    def remote_start(self, order: Order) -> None:
        """Start a session as soon as the present one is over."""
        self.order = order
        self._plans_changed.fire()

    def request_stop(self, reason: str) -> None:
        """Stop the running session."""
        self._outlet.request_stop(reason)

    def reset(self, reason: str, *, reconnect: bool) -> None:
        """Stop the session and boot again, with a new socket or on the same."""
        self.request_stop(reason)
        if reconnect:
            self._conversation.restart(_REMOTE_RESET)
        else:
            self._conversation.boot_again(_REMOTE_RESET)

    def reset_when_idle(self) -> None:
        """Boot again with a new socket, as soon as no session runs."""
        if self.charging():
            self._reset_is_wanted = True
        else:
            self._conversation.restart(_REMOTE_RESET)

    def idle(self) -> None:
        """Do what was to wait for the end of a session."""
        if self._reset_is_wanted:
            self._reset_is_wanted = False
            self._conversation.restart(_SCHEDULED_RESET)

    def boot_again(self, reason: str) -> None:
        """Boot again on the same socket."""
        self._conversation.boot_again(reason)

    def cost_updated(self, transaction_id: str, total_cost: float) -> None:
        """Show what a transaction costs so far: here in its record."""
        for session in self._outlet.sessions:
            if session.transaction_id == transaction_id:
                session.total_cost = total_cost

    def send(self, action: str, payload: Payload) -> None:
        """Send a message of the charge point's own."""
        self._conversation.send(action, payload)

    def timestamp(self) -> str:
        """Return the simulated time."""
        return self._clock.timestamp()

    def change_password(self, password: str | bytes) -> None:
        """Connect again with another password."""
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
                self._conversation.boot_again(_TRIGGERED)
            case MessageTrigger.heartbeat:
                self._conversation.send(Action.heartbeat.value, {})
            case MessageTrigger.status_notification:
                self._conversation.tell_status(None if connector_id is None else [connector_id])
            case MessageTrigger.meter_values:
                in_session = self._dialect.triggered_meter_values_name_the_transaction
                if not (in_session and self._outlet.trigger_sample(connector_id)):
                    self._outlet.trigger_meter_values(connector_id)
            case "TransactionEvent":
                self._outlet.trigger_sample(connector_id)
