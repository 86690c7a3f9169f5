"""Between the broker and the reactor: commands in, a batch at a time; results out, until the broker has them.

The reactor's thread holds and releases charge points and gives results; the MQTT client's thread does the rest. Both queues
are bounded. A result that the broker did not acknowledge is published again on the next connection.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from csms.events import topics
from csms.metrics import Counters
from csms.mqtt import command_messages, packets
from csms.mqtt.command_messages import Answer, BadRequest, Incoming, ReplyTo
from csms.mqtt.feed import Acknowledgements, Link, Unpublishable
from csms.mqtt.incoming import Message
from csms.mqtt.subscriptions import Subscriptions

_log = Logger()
_MAX_INCOMING = 1000
_MAX_INCOMING_BYTES = 16 * 1024 * 1024
_BATCH = 50
"""How many commands the reactor takes at once; charge points come in between."""
_MAX_RESULTS = 5000
_MAX_REFUSALS = 1000
"""Refusals of a flood must leave room for results of what was carried out."""
_MAX_RESULT_BYTES = 32 * 1024 * 1024
_SECONDS_BETWEEN_COMPLAINTS = 60
_FIRST_FAILURE = 0x80


@frozen
class Result:
    """A result for a topic."""

    topic: str
    body: bytes
    correlation_data: bytes | None = None

    @property
    def size(self) -> int:
        return len(self.body) + len(self.correlation_data or b"")


@define(eq=False)
class CommandFeed:
    """A feed of results, and the receiver of commands.

    ``take`` is called on the reactor's thread with commands; ``is_busy`` tells whether results are still to come.
    """

    _reactor: IReactorFromThreads
    _counters: Counters
    _monotonic: Callable[[], float]
    take: Callable[[list[Incoming]], None] = field(default=lambda _: None)
    is_busy: Callable[[], bool] = field(default=lambda: False)
    wake: Callable[[], None] = field(default=lambda: None)
    _subscriptions: Subscriptions = field(init=False)
    _incoming: deque[Incoming] = field(factory=deque)
    _bytes_came: int = 0
    """Of commands that were queued; counted by the MQTT client's thread only, as an addition is not atomic."""
    _bytes_taken: int = 0
    """Of commands that left the queue; counted by the reactor's thread only."""
    _is_told: bool = False
    _results: deque[Result] = field(factory=deque)
    _bytes_given: dict[bool, int] = field(factory=lambda: {True: 0, False: 0})
    """Of results that were queued, by whether the reactor's thread queued them."""
    _bytes_gone: int = 0
    _in_flight: dict[int, Result] = field(factory=dict)
    _complained_at: float | None = None

    def __attrs_post_init__(self) -> None:
        self._subscriptions = Subscriptions(self._monotonic)

    # The reactor's thread.

    def hold(self, client_id: str) -> None:
        """A charge point's session is here: its commands are for us."""
        self._subscriptions.hold(client_id)
        self.wake()

    def release(self, client_id: str) -> None:
        """Its session is gone."""
        self._subscriptions.release(client_id)
        self.wake()

    def answer(self, client_id: str, action: str, answer: Answer, addresses: Sequence[ReplyTo]) -> None:
        """Publish a result on the charge point's topic, and where the requests want it."""
        self._counters.count("mqtt_commands", answer.status)
        self._queue(client_id, action, answer, addresses, is_reactor=True)
        self.wake()

    def _hand_over(self) -> None:
        self._is_told = False  # first: what comes from now on tells again
        batch: list[Incoming] = []
        while self._incoming and len(batch) < _BATCH:
            incoming = self._incoming.popleft()
            self._bytes_taken += len(incoming.message.payload)
            batch.append(incoming)
        if self._incoming:
            self._tell()
        self.take(batch)

    # Either thread.

    @property
    def subscriptions(self) -> int:
        """How many charge points' commands are subscribed to."""
        return self._subscriptions.standing

    def _queue(
        self, client_id: str, action: str, answer: Answer, addresses: Sequence[ReplyTo], *, is_reactor: bool
    ) -> None:
        results = [Result(topics.command_result(client_id, action), answer.body)]
        results += [Result(address.topic, answer.body, address.correlation_data) for address in addresses]
        for result in results:
            if (
                len(self._results) >= (_MAX_REFUSALS if answer.is_refusal else _MAX_RESULTS)
                or sum(self._bytes_given.values()) - self._bytes_gone + result.size > _MAX_RESULT_BYTES
            ):
                self._drop()
                return
            self._bytes_given[is_reactor] += result.size
            self._results.append(result)

    def _drop(self) -> None:
        self._counters.count("mqtt_command_results_dropped")
        now = self._monotonic()
        if self._complained_at is None or now - self._complained_at >= _SECONDS_BETWEEN_COMPLAINTS:
            self._complained_at = now
            _log.warn("results of commands are dropped: the broker is away or slow")

    def _tell(self) -> None:
        """Have the reactor take what waits; once, however much that is."""
        if not self._is_told:
            self._is_told = True
            self._reactor.callFromThread(self._hand_over)

    # The MQTT client's thread.

    def received(self, message: Message) -> None:
        """Queue a command for the reactor, or say at once that there are too many."""
        found = topics.command_of(message.topic)
        client_id = self._subscriptions.holder(found[0]) if found is not None else None
        if found is None or client_id is None:
            # It left a moment ago; another daemon may have it now.
            return
        incoming = Incoming(client_id, found[1], message)
        size = len(message.payload)
        if len(self._incoming) >= _MAX_INCOMING or self._bytes_came - self._bytes_taken + size > _MAX_INCOMING_BYTES:
            self._turn_away(incoming)
            return
        self._bytes_came += size
        self._incoming.append(incoming)
        self._tell()

    def _turn_away(self, incoming: Incoming) -> None:
        self._counters.count("mqtt_commands_turned_away")
        addresses: Sequence[ReplyTo] = ()
        request_id = None
        try:
            command = command_messages.parse(incoming)
            request_id, addresses = command.request_id, command.addresses
        except BadRequest as bad:
            request_id = bad.request_id
        answer = command_messages.refused(request_id, "Busy", "too many commands at once")
        self._queue(incoming.client_id, incoming.action, answer, addresses, is_reactor=False)

    def answered(self, packet_id: int, reasons: bytes) -> None:
        """SUBACK or UNSUBACK."""
        self._subscriptions.answered(packet_id, reasons)

    def begin(self, link: Link) -> None:
        """A connection stands: subscribe anew; results that were not acknowledged come first."""
        del link
        self._subscriptions.begin()

    def pump(self, link: Link) -> float:
        """Publish results as far as the window reaches, and subscribe to what changed."""
        window = link.reply_window if link.writable else 0
        while self._results and len(self._in_flight) < window:
            result = self._results.popleft()
            data = result.correlation_data
            properties = packets.correlation_data(data) if data is not None else b""
            try:
                packet_id = link.publish(result.topic, result.body, qos=1, properties=properties)
            except Unpublishable as error:
                self._give_up(result, str(error))
                continue
            self._in_flight[packet_id] = result
        return self._subscriptions.pump(link)

    def acknowledged(self, acknowledgements: Acknowledgements) -> Acknowledgements:
        """PUBACK: the results are the broker's."""
        if not self._in_flight:
            return acknowledgements
        others: list[tuple[int, int]] = []
        for packet_id, reason in acknowledgements:
            result = self._in_flight.pop(packet_id, None)
            if result is None:
                others.append((packet_id, reason))
            elif reason >= _FIRST_FAILURE:
                self._give_up(result, f"the broker said 0x{reason:02x}")
            else:
                self._bytes_gone += result.size
        return others

    def _give_up(self, result: Result, reason: str) -> None:
        self._counters.count("mqtt_command_results_dropped")
        _log.warn("a result of a command cannot be published on {topic}: {reason}", topic=result.topic, reason=reason)
        self._bytes_gone += result.size

    def end(self) -> None:
        """The connection is gone: what was in flight goes first on the next one."""
        self._results.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()
        self._subscriptions.end()

    @property
    def drained(self) -> bool:
        """Whether every result is the broker's, and none is to come."""
        return not (self._results or self._in_flight or self._incoming or self.is_busy())
