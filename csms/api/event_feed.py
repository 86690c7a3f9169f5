"""The live view: streams of server-sent events, each a cursor of its own over the event log.

A stream that keeps up is served from the log's tail in memory; one that is behind has its next batch read on a reader's
thread. Commits wake the streams, once for however many there were since the last look. A client that does not read is
paused by its transport, holds one batch at most, and is cut after a time; it comes back with the last position it has.
"""

from __future__ import annotations

from typing import Any, Protocol

from attrs import Factory, define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.api.event_stream import EventStream
from csms.api.ports import Ledger
from csms.loops import Loops
from csms.store.event_log import LoggedEvent, latest_position
from csms.store.log_slices import Slice, Wanted, log_slice
from csms.store.tail import Tail

KEEPALIVE_S = 15.0
_LOOK_S = 1.0
"""How often a log that other daemons write into is looked at."""
_BATCH = 200
_log = Logger()


class TooManyStreams(Exception):
    """There are as many streams as may be."""


class Log(Ledger, Protocol):
    """The store, as the feed reads the event log."""

    @property
    def tail(self) -> Tail:
        """The youngest events."""

    @property
    def is_shared(self) -> bool:
        """Whether other daemons write into the log."""


@define(eq=False)
class EventFeed:
    """All streams of a daemon."""

    _reactor: Any
    _log: Log
    _most: int = 64
    _streams: dict[EventStream, None] = field(factory=dict)
    _woken: bool = False
    _loops: Loops = field(default=Factory(lambda self: Loops(self._reactor), takes_self=True))
    _latest: int = 0
    """The latest position that is known."""
    _looking: bool = False

    def __len__(self) -> int:
        return len(self._streams)

    def committed(self) -> None:
        """There are new events; may be called from any thread."""
        if self._streams and not self._woken:
            self._woken = True
            self._reactor.callFromThread(self._wake)

    async def stream(self, request: Any, after: int | None, wanted: Wanted) -> None:
        """Write events to a request for as long as it stands; None is from now on.

        :raises OutOfReach: the log has nothing to go on with after this position.
        :raises TooManyStreams: there are as many streams as may be.
        """
        if len(self._streams) >= self._most:
            raise TooManyStreams
        stream = EventStream(self, self._reactor, request, wanted)
        # From here on commits are heard, so that what is read next misses nothing.
        self._streams[stream] = None
        request.notifyFinish().addBoth(lambda _: stream.close())
        self._keep_looking()
        try:
            if after is None:
                after = await self._log.browse(latest_position)
            first = await self.read(after, wanted)
        except BaseException:
            stream.close()
            raise
        await stream.begin(first)

    def read(self, after: int, wanted: Wanted) -> Deferred[Slice]:
        """Read a batch on a reader's thread."""
        return self._log.browse(log_slice, after, _BATCH, wanted)

    def recent(self, after: int) -> list[LoggedEvent]:
        """Return what follows a position, where that was written just now."""
        return self._log.tail.after(after, _BATCH)

    @property
    def latest(self) -> int:
        """The latest position that is known."""
        return max(self._latest, self._log.tail.latest)

    def saw(self, position: int) -> None:
        """Hear of a position that the log has reached."""
        self._latest = max(self._latest, position)

    def forget(self, stream: EventStream) -> None:
        """Hear that a stream is over."""
        self._streams.pop(stream, None)
        if not self._streams:
            self._loops.stop()

    def close(self) -> None:
        """End all streams: the daemon stops."""
        for stream in list(self._streams):
            stream.close()

    def end_of(self, token_name: str) -> None:
        """End the streams that were opened with a token: there is none of this name any more."""
        for stream in list(self._streams):
            if stream.token_name == token_name:
                stream.close()

    def _wake(self) -> None:
        self._woken = False
        self._pump_all()

    def _pump_all(self) -> None:
        for stream in list(self._streams):
            stream.pump()

    def _keep_looking(self) -> None:
        if self._loops:
            return
        self._loops.every(KEEPALIVE_S, self._keep_alive)
        if self._log.is_shared:
            self._loops.every(_LOOK_S, self._look)

    def _keep_alive(self) -> None:
        for stream in list(self._streams):
            stream.keep_alive()

    def _look(self) -> None:
        if not self._looking:
            self._looking = True
            self._log.browse(latest_position).addCallbacks(self._looked, self._not_looked)

    def _looked(self, position: int) -> None:
        self._looking = False
        self.saw(position)
        self._pump_all()

    def _not_looked(self, failure: Failure) -> None:
        self._looking = False
        _log.debug("the event log cannot be read: {error}", error=failure.getErrorMessage())
