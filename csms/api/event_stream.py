"""One client's stream of server-sent events (HTML Living Standard §9.2): a cursor over the event log, and a producer."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from csms.api.routes import EVENT_STREAM
from csms.store.event_log import LoggedEvent
from csms.store.log_slices import OutOfReach, Slice, Wanted

STALLED_S = 30.0
"""How long a client may not read before it is cut."""
_WRITE_BYTES = 64 * 1024
_RETRY_MS = 2000
_log = Logger()


class Source(Protocol):
    """What a stream needs of the feed."""

    @property
    def latest(self) -> int:
        """The latest position that is known."""

    def recent(self, after: int) -> list[LoggedEvent]:
        """Return what follows a position, where that was written just now."""

    def read(self, after: int, wanted: Wanted) -> Deferred[Slice]:
        """Read a batch on a reader's thread."""

    def saw(self, position: int) -> None:
        """Hear of a position that the log has reached."""

    def forget(self, stream: Any) -> None:
        """Hear that a stream is over."""


@implementer(IPushProducer)
class EventStream:
    """One client's stream."""

    def __init__(self, feed: Source, clock: IReactorTime, request: Any, wanted: Wanted) -> None:
        self._feed = feed
        self._clock = clock
        self._request = request
        self._wanted = wanted
        self._position = 0
        """How far the log was looked through for this client."""
        self._waiting: deque[LoggedEvent] = deque()
        """Read, but not yet written."""
        self._read_to = 0
        self._begun = False
        self._reading = False
        self._paused = False
        self._closed = False
        self._quiet = True
        self._stalled: IDelayedCall | None = None
        self._over: Deferred[None] = Deferred()

    @property
    def token_name(self) -> str | None:
        """The name of the token that it was opened with, None where that is none of the ledger's."""
        name: str | None = self._request.bearer.name
        return name

    def begin(self, first: Slice) -> Deferred[None]:
        """Start with a batch; the Deferred fires when the stream is over."""
        if self._closed:
            return self._over
        request = self._request
        request.setHeader("content-type", EVENT_STREAM)
        request.setHeader("x-accel-buffering", "no")
        request.registerProducer(self, True)
        self._begun = True
        # With its place: a client that is cut off before the first event goes on from here.
        place = first.events[0].position - 1 if first.events else first.position
        request.write(b"retry: %d\nid: %d\n\n" % (_RETRY_MS, place))
        self._take(first)
        self.pump()
        return self._over

    def pump(self) -> None:
        """Write what there is, as far as the client takes it."""
        while self._begun and not (self._closed or self._paused or self._reading):
            if self._waiting:
                self._write()
                continue
            self._position = max(self._position, self._read_to)
            recent = self._feed.recent(self._position)
            if recent:
                self._waiting.extend(filter(self._wanted.fits, recent))
                self._read_to = recent[-1].position
            elif self._position < self._feed.latest:
                self._reading = True
                self._feed.read(self._position, self._wanted).addCallbacks(self._was_read, self._failed).addErrback(
                    self._failed
                )
            else:
                return

    def _was_read(self, found: Slice) -> None:
        self._reading = False
        self._take(found)
        self.pump()

    def _take(self, found: Slice) -> None:
        self._waiting.extend(found.events)
        self._read_to = found.position
        self._feed.saw(found.latest)

    def _failed(self, failure: Failure) -> None:
        """The log cannot be read, or begins later by now: the client comes back, and is told."""
        self._reading = False
        if failure.check(OutOfReach) is None:
            _log.warn("a stream of events ends: {error}", error=failure.getErrorMessage())
        self.close()

    def _write(self) -> None:
        blocks: list[bytes] = []
        size = 0
        while self._waiting and size < _WRITE_BYTES:
            event = self._waiting.popleft()
            block = encode(event)
            blocks.append(block)
            size += len(block)
            self._position = event.position
        self._quiet = False
        self._request.write(b"".join(blocks))

    def keep_alive(self) -> None:
        """Write a comment, and how far the log was looked through: a client that comes back need not look again."""
        if self._quiet and self._begun and not (self._paused or self._closed or self._waiting):
            self._request.write(b": keepalive\nid: %d\n\n" % self._position)
        self._quiet = True

    # The transport's word.

    def pauseProducing(self) -> None:
        self._paused = True
        if self._stalled is None:
            self._stalled = self._clock.callLater(STALLED_S, self._cut)

    def resumeProducing(self) -> None:
        self._paused = False
        self._stop_timer()
        self.pump()

    def stopProducing(self) -> None:
        self.close()

    def _cut(self) -> None:
        self._stalled = None
        _log.info("a stream of events is cut: its client does not read")
        self._request.channel.forceAbortClient()
        self.close()

    def _stop_timer(self) -> None:
        timer, self._stalled = self._stalled, None
        if timer is not None and timer.active():
            timer.cancel()

    def close(self) -> None:
        """End the stream."""
        if self._closed:
            return
        self._closed = True
        self._waiting.clear()
        self._stop_timer()
        self._feed.forget(self)
        if self._begun and self._request.channel is not None:
            self._request.unregisterProducer()
        if not self._over.called:
            self._over.callback(None)


def encode(event: LoggedEvent) -> bytes:
    """Return an event as a block of the stream; JSON has no line breaks of its own."""
    topic = event.topic.replace("\\", "\\\\").replace('"', '\\"').encode()
    return b'id: %d\ndata: {"position":%d,"topic":"%b","event":%b}\n\n' % (
        event.position, event.position, topic, event.body
    )  # fmt: skip
