"""The relay: from the event log to the broker, with QoS 1 or 2, in order, many in flight; the cursor moves on PUBACK.

It runs on the MQTT client's thread and reads the log on a connection of its own. After a reconnect it goes on from the
cursor, but does not repeat what was acknowledged beyond it. Where several daemons share a database, one of them relays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from attrs import define, field
from sqlalchemy.exc import SQLAlchemyError
from twisted.logger import Logger

from csms.events import business, topics
from csms.metrics import Counters
from csms.mqtt import cloud_events
from csms.mqtt.feed import IDLE_S, Acknowledgements, HoldDelivery, Link, Outgoing, Unpublishable
from csms.store import event_log
from csms.store.event_log import EventLogReader, LoggedEvent
from csms.store.ownership import Lease
from csms.store.store import Store

CONSUMER = "mqtt"
_log = Logger()
_READ_AHEAD = 200
_STATES_AT_ONCE = 100
_TWICE_AT_ONCE = 40
_SECONDS_BETWEEN_STATES = 0.5
_SECONDS_BETWEEN_CURSOR_MOVES = 0.2
_SECONDS_BETWEEN_ATTEMPTS = 1.0
_HOLD = frozenset({0x87, 0x91, 0x97})  # not authorized, packet identifier in use, quota exceeded: they pass
_FIRST_FAILURE = 0x80  # the others do not: topic name invalid, payload format invalid, and whatever a broker says more


@define(eq=False)
class Relay:
    """A feed of business events and of the retained states that they change.

    ``monotonic`` and ``now`` are clocks.
    """

    _store: Store
    _monotonic: Callable[[], float]
    _now: Callable[[], datetime]
    _counters: Counters
    _qos: int = 1
    _log_reader: EventLogReader = field(init=False)
    _lease: Lease = field(init=False)
    _is_open: bool = False
    _holds_lease: bool = False
    _position: int = 0
    """Of the last event that was read: up to it each is acknowledged, in flight or read ahead."""
    _read_ahead: deque[LoggedEvent] = field(factory=deque)
    _more_in_log: bool = True
    _in_flight: dict[int, int] = field(factory=dict)
    """Packet id to position, in order of position."""
    _acknowledged: set[int] = field(factory=set)
    """Positions beyond the cursor that are acknowledged, or set aside."""
    _hold: str | None = None
    """Why the broker refuses for now."""
    _cursor: int = 0
    _stored_cursor: int = 0
    _moving: Future[Any] | None = None
    _moved_at: float = 0.0
    _stale_states: dict[str, None] = field(factory=dict)
    _states_at: float = 0.0
    _state_packets: dict[int, str] = field(factory=dict)
    """Packet id to the charge point whose state it carries."""
    _tried_at: float | None = None
    wake: Callable[[], None] = field(default=lambda: None)

    def committed(self) -> None:
        """There are new events; may be called from any thread."""
        self._more_in_log = True
        self.wake()

    @property
    def backlog(self) -> int:
        """How many events are known to wait for their acknowledgement."""
        return len(self._in_flight) + len(self._read_ahead)

    @property
    def is_active(self) -> bool:
        """Whether this daemon is the one that relays."""
        return self._holds_lease

    def begin(self, link: Link) -> None:
        """A connection stands: go on from the cursor, and say anew what is true of everybody."""
        del link
        self._go_back()
        self._hold = self._tried_at = None
        if not self._is_open:
            # The store is open by now; when this feed was made it was not.
            self._log_reader, self._lease = self._store.event_log(), self._store.relay_lease()
            self._is_open = True
        # The next pump takes or confirms the lease and rewinds; the database may be away just now.
        self._holds_lease = False

    def _rewind(self) -> None:
        stored = self._log_reader.cursor(CONSUMER)
        self._cursor = max(self._cursor, stored)
        self._stored_cursor = stored
        self._go_back()
        self._acknowledged = {position for position in self._acknowledged if position > self._cursor}
        self._stale_states = dict.fromkeys(self._log_reader.charge_point_ids())

    def _go_back(self) -> None:
        """Have everything beyond the cursor read again: what is in flight there counts no more."""
        self._position = self._cursor
        self._more_in_log = True
        self._read_ahead.clear()
        self._in_flight.clear()
        self._state_packets.clear()

    def pump(self, link: Link) -> float:
        """Publish events, then states, as far as the window reaches.

        :raises HoldDelivery: the broker has refused one for now.
        """
        if self._hold is not None:
            raise HoldDelivery(self._hold)
        try:
            if not self._lead():
                return IDLE_S
            window = self._window(link)
            while (room := window - len(self._in_flight)) > 0 and self._next_is_there():
                self._publish(link, [self._read_ahead.popleft() for _ in range(min(room, len(self._read_ahead)))])
            if not self._read_ahead and not self._more_in_log:
                self._publish_states(link)
            self._move_cursor()
        except SQLAlchemyError as error:
            _log.warn("the relay cannot read the event log: {error}", error=str(error).splitlines()[0])
            self._tried_at = self._monotonic()
            self._holds_lease = False
            # A lease that hangs on a lost session can only be had anew.
            self._lease.release()
            return IDLE_S
        if len(self._in_flight) < window and (self._read_ahead or self._more_in_log):
            return 0
        waits = self._stale_states or self._cursor != self._stored_cursor
        return min(_SECONDS_BETWEEN_STATES, _SECONDS_BETWEEN_CURSOR_MOVES) if waits else IDLE_S

    def _window(self, link: Link) -> int:
        # What takes four packets takes paho's own bookkeeping, which looks at all that is in flight for each.
        return link.window if self._qos == 1 else min(link.window, _TWICE_AT_ONCE)

    def _lead(self) -> bool:
        """Get or keep the lease; a moment passes between attempts."""
        now = self._monotonic()
        if self._tried_at is not None and now - self._tried_at < _SECONDS_BETWEEN_ATTEMPTS:
            return self._holds_lease
        self._tried_at = now
        # Another daemon on the same database may have written what nobody here was told of.
        self._more_in_log = True
        held, self._holds_lease = self._holds_lease, self._lease.acquire()
        if self._holds_lease and not held:
            self._rewind()
        return self._holds_lease

    def _next_is_there(self) -> bool:
        while not self._read_ahead and self._more_in_log:
            self._more_in_log = False
            events = self._log_reader.events_after(self._position, _READ_AHEAD)
            if events:
                self._position = events[-1].position
            if len(events) == _READ_AHEAD:
                self._more_in_log = True
            self._read_ahead.extend(event for event in events if event.position not in self._acknowledged)
        return bool(self._read_ahead)

    def _publish(self, link: Link, events: Sequence[LoggedEvent]) -> None:
        messages: list[Outgoing] = []
        sent: list[LoggedEvent] = []
        for event in events:
            try:
                messages.append((event.topic, event.body, cloud_events.attributes(event)))
            except Unpublishable as error:
                self._set_aside(event.position, str(error))
            else:
                sent.append(event)
        for event, outcome in zip(sent, link.publish_all(messages, qos=self._qos), strict=True):
            if event.event_type != "meter_reading":
                self._stale_states[event.client_id] = None
            if isinstance(outcome, Unpublishable):
                self._set_aside(event.position, str(outcome))
            elif outcome in self._in_flight:
                raise HoldDelivery("all packet identifiers were used before it acknowledged one")
            else:
                self._in_flight[outcome] = event.position
        self._advance()

    def acknowledged(self, acknowledgements: Acknowledgements) -> Acknowledgements:
        """PUBACK, or PUBCOMP."""
        others: list[tuple[int, int]] = []
        published = 0
        for packet_id, reason in acknowledgements:
            position = self._in_flight.get(packet_id)
            if position is None:
                if not self._state_acknowledged(packet_id, reason):
                    others.append((packet_id, reason))
            elif reason in _HOLD:
                self._hold = f"reason code 0x{reason:02x}"
            else:
                if reason >= _FIRST_FAILURE:
                    self._set_aside(position, f"the broker said 0x{reason:02x}")
                else:
                    published += 1
                    self._acknowledged.add(position)
                del self._in_flight[packet_id]
        self._counters.count("business_events_published", by=published)
        self._advance()
        return others

    def _state_acknowledged(self, packet_id: int, reason: int) -> bool:
        client_id = self._state_packets.pop(packet_id, None)
        if client_id is not None and reason >= _FIRST_FAILURE:
            self._stale_states[client_id] = None
        return client_id is not None

    def _advance(self) -> None:
        """Move the cursor to the low-water mark of the acknowledged: before what is in flight, to be sent, or to be read."""
        waiting = next(iter(self._in_flight.values()), None)
        if waiting is None:
            waiting = self._read_ahead[0].position if self._read_ahead else self._position + 1
        passed = {position for position in self._acknowledged if position < waiting}
        if passed:
            self._cursor = max(passed)
            self._acknowledged -= passed

    def _set_aside(self, position: int, reason: str) -> None:
        """Keep one event that can never be delivered from blocking all others."""
        _log.critical("event {position} is set aside: {reason}", position=position, reason=reason)
        self._counters.count("business_events_set_aside")
        at = self._now()
        self._store.write_from_thread(
            lambda connection: event_log.put_aside(connection, CONSUMER, position, at, reason[:500])
        )
        self._acknowledged.add(position)

    def _move_cursor(self) -> None:
        now = self._monotonic()
        if self._moving is not None:
            if not self._moving.done():
                return
            if self._moving.exception() is not None:
                self._stored_cursor = -1
            self._moving = None
        if self._cursor == self._stored_cursor or now - self._moved_at < _SECONDS_BETWEEN_CURSOR_MOVES:
            return
        position = self._stored_cursor = self._cursor
        self._moved_at = now
        self._moving = self._store.write_from_thread(
            lambda connection: event_log.move_cursor(connection, CONSUMER, position)
        )
        self._moving.add_done_callback(lambda _: self.wake())

    def _publish_states(self, link: Link) -> None:
        now = self._monotonic()
        room = min(_STATES_AT_ONCE, link.window - len(self._state_packets))
        if not self._stale_states or room <= 0 or not link.writable or now - self._states_at < _SECONDS_BETWEEN_STATES:
            return
        self._states_at = now
        client_ids = list(self._stale_states)[:room]
        for client_id in client_ids:
            del self._stale_states[client_id]
        states = self._log_reader.states_now(client_ids, self._now())
        messages = [(topics.state(state.client_id), business.encode(state), b"") for state in states]
        for state, outcome in zip(states, link.publish_all(messages, qos=1, retain=True), strict=True):
            if isinstance(outcome, Unpublishable):
                _log.critical(
                    "the state of {client_id} cannot be published: {error}", client_id=state.client_id, error=outcome
                )
            else:
                self._state_packets[outcome] = state.client_id

    def end(self) -> None:
        """The connection is gone: what was in flight is published again on the next one."""

    @property
    def drained(self) -> bool:
        """Whether every event was acknowledged and every state said."""
        if not self._holds_lease:
            return True
        self._moved_at = 0.0
        self._states_at = 0.0
        return not (
            self._read_ahead or self._more_in_log or self._in_flight or self._stale_states or self._state_packets
        ) and (self._cursor == self._stored_cursor and (self._moving is None or self._moving.done()))
