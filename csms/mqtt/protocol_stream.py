"""The protocol stream: best effort, from a bounded queue that never delays a charge point."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from attrs import define, field
from twisted.logger import Logger

from csms.events.protocol import ProtocolEvent, publication
from csms.metrics import Counters
from csms.mqtt.feed import IDLE_S, Acknowledgements, Link, Outgoing

_log = Logger()
_MAX_QUEUED = 10_000
_MAX_QUEUED_BYTES = 32 * 1024 * 1024
_BATCH = 1000
_BATCH_BYTES = 192 * 1024
_LONG_QUEUE = 3000
"""From here on batches are larger: rather room for a moment than a message dropped."""
_LARGE_BATCH_BYTES = 768 * 1024
_SECONDS_BETWEEN_COMPLAINTS = 60


@define(eq=False)
class ProtocolStream:
    """A feed of protocol events. ``offer`` is the reactor's side, the rest the MQTT client's."""

    _gateway_id: str
    _counters: Counters
    _monotonic: Callable[[], float]
    wake: Callable[[], None] = field(default=lambda: None)
    _queue: deque[Outgoing] = field(factory=deque)
    """Made where the message was, whose parts are at hand there, and are far away for another thread."""
    _bytes_offered: int = 0
    """Of bodies that were queued; counted by the reactor's thread only, as an addition is not atomic."""
    _bytes_taken: int = 0
    """Of bodies that left the queue; counted by the MQTT client's thread only."""
    _dropped: int = 0
    _complained_at: float | None = None

    def offer(self, event: ProtocolEvent) -> None:
        """Take an event, or drop it where the queue is full; returns at once."""
        if len(self._queue) >= _MAX_QUEUED or self._bytes_offered - self._bytes_taken >= _MAX_QUEUED_BYTES:
            self._drop()
            return
        topic, body = publication(event, self._gateway_id)
        self._bytes_offered += len(body)
        self._queue.append((topic, body, b""))
        self.wake()

    def _drop(self) -> None:
        self._counters.count("protocol_events_dropped")
        self._dropped += 1
        now = self._monotonic()
        if self._complained_at is None or now - self._complained_at >= _SECONDS_BETWEEN_COMPLAINTS:
            self._complained_at = now
            _log.warn("{count} protocol events dropped: the broker is away or slow", count=self._dropped)
            self._dropped = 0

    def begin(self, link: Link) -> None:
        """A connection stands."""

    def pump(self, link: Link) -> float:
        """Publish a batch."""
        if not (link.writable and self._queue):
            return IDLE_S
        batch = self._next_batch()
        outcomes = link.publish_all(batch, qos=0)
        refused = [(message[0], error) for message, error in zip(batch, outcomes, strict=True) if error]
        for topic, error in refused:
            _log.warn("a protocol event cannot be published on {topic}: {error}", topic=topic[:200], error=error)
        self._counters.count("protocol_events_published", by=len(batch) - len(refused))
        return 0 if self._queue else IDLE_S

    def _next_batch(self) -> list[Outgoing]:
        queue = self._queue
        most = _BATCH_BYTES if len(queue) < _LONG_QUEUE else _LARGE_BATCH_BYTES
        batch: list[Outgoing] = []
        size = 0
        while queue and size < most and len(batch) < _BATCH:
            message = queue.popleft()
            size += len(message[1])
            batch.append(message)
        self._bytes_taken += size
        return batch

    def acknowledged(self, acknowledgements: Acknowledgements) -> Acknowledgements:
        """Nothing is acknowledged with QoS 0."""
        return acknowledgements

    def end(self) -> None:
        """The connection is gone; what is queued waits for the next one."""

    @property
    def drained(self) -> bool:
        """Whether the queue is empty."""
        return not self._queue
