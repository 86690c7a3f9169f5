"""The daemon's live events (server-sent events): taken apart, and followed through every loss of the connection."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from attrs import define, field, frozen

from csms.cli.api_client import Api
from csms.cli.faults import Fault, Status

_MEDIA = "text/event-stream"
_SILENCE_S = 60.0
"""The daemon says something more often than that, if only that it is there."""
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_PASSING = {Status.NOT_NOW, Status.UNREACHABLE, Status.UNANSWERED, Status.CALL_ERROR}
"""What may be over when the stream is asked for again: a restart of the daemon or of a proxy."""


@frozen
class ServerEvent:
    """An event of the stream: the position that follows it, and its JSON; no data where only the position moves on."""

    last_id: str
    data: str | None


@define(eq=False)
class StreamParser:
    """Bytes in, events out (HTML Living Standard, 9.2.6). Lines end with CR, LF or both, and with nothing else."""

    last_id: str = ""
    _buffer: bytes = b""
    _data: list[str] = field(factory=list)
    _after_cr: bool = False

    def feed(self, piece: bytes) -> list[ServerEvent]:
        """Take a piece; return the events that it completes."""
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
            self._after_cr = False
        if piece:
            self._after_cr = piece.endswith(b"\r")
        *lines, self._buffer = (self._buffer + piece).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        return [event for line in lines for event in self._line(line.decode("utf-8", "replace"))]

    def _line(self, line: str) -> Iterator[ServerEvent]:
        if not line:
            data, self._data = self._data, []
            yield ServerEvent(self.last_id, "\n".join(data) if data else None)
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self.last_id = value


@define(eq=False)
class Follower:
    """Follows the events after a position: all of them, none twice, whatever happens to the connection.

    ``wait`` is given the seconds until the next attempt, ``say`` what an operator may want to know meanwhile.
    """

    api: Api
    parameters: dict[str, Any]
    after: str | None
    wait: Callable[[float], None]
    say: Callable[[str], None]
    _failures: int = 0
    _was_connected: bool = False

    def items(self) -> Iterator[dict[str, Any]]:
        """Give the events as they come, without an end.

        :raises Fault: there is no hope: the daemon was never reached, it refuses, or its log is shorter than that.
        """
        while True:
            try:
                yield from self._connection()
                reason = "the daemon ended the stream"
            except httpx.TransportError as error:
                fault = self.api.broken(error)
                if not self._was_connected:
                    raise fault from None
                reason = fault.message
            except Fault as fault:
                if not self._was_connected or fault.status not in _PASSING:
                    raise
                reason = fault.message
            if self._failures == 0:
                self.say(f"{reason}; trying again")
            self.wait(self._pause())

    def _pause(self) -> float:
        longest: float = min(_FIRST_WAIT_S * 2 ** min(self._failures, 10), _LONGEST_WAIT_S)
        self._failures += 1
        # Many followers of a daemon that restarts do not come back at the same moment.
        return random.uniform(longest / 2, longest)  # noqa: S311

    def _connection(self) -> Iterator[dict[str, Any]]:
        headers = {"Accept": _MEDIA, "Accept-Encoding": "identity"}
        if self.after is not None:
            headers["Last-Event-ID"] = self.after
        parser = StreamParser(self.after or "")
        with self.api.stream(
            "events", headers=headers, silence_s=_SILENCE_S, **self.parameters, after=self.after
        ) as pieces:
            self._was_connected = True
            for piece in pieces:
                # Not when it is accepted, but when it speaks: a daemon that hangs up at once is not asked at once.
                self._failures = 0
                for event in parser.feed(piece):
                    yield from self._new(event)

    def _new(self, event: ServerEvent) -> Iterator[dict[str, Any]]:
        if not event.last_id.isdecimal() or (self.after is not None and int(event.last_id) < int(self.after)):
            return
        is_new = event.last_id != self.after
        if event.data is not None and is_new:
            yield _item(event)
        # Only now, when it was shown: it comes again if this is as far as it got.
        self.after = event.last_id


def _item(event: ServerEvent) -> dict[str, Any]:
    try:
        item = json.loads(event.data or "")
    except ValueError:
        item = None
    if not isinstance(item, dict):
        raise Fault(f"the event at position {event.last_id} is no JSON object")
    return item if "event" in item else {"position": int(event.last_id), "event": item}
