"""The RPC state of one WebSocket (OCPP-J 1.6 §4.1), without I/O: bytes in, an event and bytes to send out.

One CALL at a time in each direction. A charge point that pipelines its CALLs gets them answered one after the other, in
order. A CALL that comes again on the same socket (same id, action and payload) is given its first answer again. A SEND
(OCPP-J 2.1 §4.2.4) may come at any time, and changes nothing here: it is never answered.
Everything that affects this state lives in this file.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import msgspec

from csms.ocppj import frames
from csms.ocppj.frames import Call, CallError, CallResult, CallResultError, Send
from csms.ocppj.versions import Version

REMEMBERED_ANSWERS: Final = 4
"""How many of its latest answers a connection can repeat. A charge point has one CALL outstanding; a few cover pipelining."""
_PARTS: Final = 3
_OLDEST: Final = -(REMEMBERED_ANSWERS - 1) * _PARTS
MAX_WAITING: Final = 256
"""How many CALLs either side may have waiting for their turn."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The answer to a CALL of ours."""

    action: str
    frame: CallResult | CallError


class Repeated(msgspec.Struct, frozen=True, gc=False):
    """A CALL that was answered before on this socket: ``text`` is that answer, to be sent again."""

    call: Call
    text: bytes


class ResultRefused(msgspec.Struct, frozen=True, gc=False):
    """The charge point could do nothing with an answer of ours (OCPP-J 2.1 §4.2.3)."""

    action: str
    frame: CallResultError


class Refused(msgspec.Struct, frozen=True, gc=False):
    """Something that is no valid frame. ``text`` is the CALLERROR to send, None where the standard wants silence."""

    text: bytes | None
    reason: str


class Queued(msgspec.Struct, frozen=True, gc=False):
    """A CALL that has to wait until the one before it is answered. ``full``: no further one has room."""

    full: bool


Event = Call | Repeated | Reply | ResultRefused | Refused | Queued | Send
QUEUED = Queued(full=False)
QUEUED_FULL = Queued(full=True)


class TooManyCalls(Exception):
    """More CALLs wait than `MAX_WAITING`."""


class _Outgoing(msgspec.Struct, frozen=True, gc=False):
    message_id: str
    action: str
    text: bytes


class Connection:
    """The RPC state machine of one socket.

    >>> from csms.ocppj.versions import V16
    >>> connection = Connection(V16)
    >>> call = connection.receive(b'[2,"1","Heartbeat",{}]')
    >>> connection.answer(frames.encode_result("1", {}))
    """

    __slots__ = ("_answered", "_answers", "_current", "_outgoing", "_outstanding", "_waiting", "version")

    def __init__(self, version: Version) -> None:
        self.version = version
        self._current: tuple[str, int] | None = None
        """Message id and digest of the CALL in hand."""
        self._waiting: deque[Call] | None = None
        self._answers: tuple[str | int | bytes, ...] = ()
        """Message id, digest and answer of the latest CALLs, one after the other: flat, as there is one for each socket."""
        self._answered: dict[str, str] | None = {} if frames.CALLRESULTERROR in version.message_types else None
        """The actions of those answers by their message ids, where the version lets a result be refused."""
        self._outstanding: _Outgoing | None = None
        self._outgoing: deque[_Outgoing] | None = None

    # The charge point's CALLs.

    def receive(self, data: bytes) -> Event:
        """Take one text message.

        :raises codec.BadUtf8: the bytes are not UTF-8.
        """
        try:
            frame = frames.decode(data, self.version)
        except frames.BadFrame as bad:
            text = None
            if bad.code is not None:
                text = frames.encode_error(bad.message_id, bad.code, bad.description)
            return Refused(text, bad.description)
        if type(frame) is Call:
            if self._current is not None or self._waiting:
                return self._wait(frame)
            return self._begin(frame)
        if type(frame) is Send:
            return frame
        if type(frame) is CallResultError:
            return self._result_refused(frame)
        return self._settle(frame)  # type: ignore[arg-type]

    def answer(self, text: bytes) -> Call | Repeated | None:
        """Remember the answer to the CALL in hand, and return what is to be done next, if anything waits.

        After a CALLERROR nothing was done: a CALL that comes again, perhaps under its first id (errata 3.1), is a new attempt.
        """
        if self._current is None:
            raise RuntimeError("there is no CALL to answer")
        if not text.startswith(frames.ERROR):
            self._answers = (*self._answers[_OLDEST:], *self._current, text)
        self._current = None
        return self.next()

    def next(self) -> Call | Repeated | None:
        """Return the CALL whose turn it is; a `Repeated` is to be sent, then `next` asked again."""
        if self._current is not None or not self._waiting:
            return None
        return self._begin(self._waiting.popleft())

    @property
    def busy(self) -> bool:
        """Whether a CALL of the charge point is being handled."""
        return self._current is not None

    @property
    def waiting(self) -> int:
        """How many CALLs of the charge point wait for their turn."""
        return len(self._waiting) if self._waiting else 0

    def _begin(self, call: Call) -> Call | Repeated:
        digest = hash(call.raw)
        if call.message_id in self._answers:
            text = self._answered_before(call.message_id, digest)
            if text is not None:
                return Repeated(call, text)
        self._current = (call.message_id, digest)
        if self._answered is not None:
            self._remember_action(self._answered, call)
        return call

    def _answered_before(self, message_id: str, digest: int) -> bytes | None:
        answers: Any = self._answers
        for place in range(0, len(answers), _PARTS):
            if answers[place] == message_id and answers[place + 1] == digest:
                return answers[place + 2]  # type: ignore[no-any-return]
        return None

    @staticmethod
    def _remember_action(answered: dict[str, str], call: Call) -> None:
        answered.pop(call.message_id, None)
        while len(answered) >= REMEMBERED_ANSWERS:
            del answered[next(iter(answered))]
        answered[call.message_id] = call.action

    def _result_refused(self, frame: CallResultError) -> ResultRefused | Refused:
        action = (self._answered or {}).get(frame.message_id)
        if action is None:
            return Refused(None, f"a CALLRESULTERROR for no answer of ours: {frame.message_id!r}")
        return ResultRefused(action, frame)

    def _wait(self, call: Call) -> Queued | Refused:
        if self._waiting is None:
            self._waiting = deque()
        if len(self._waiting) >= MAX_WAITING:
            return Refused(
                frames.encode_error(call.message_id, "GenericError", f"more than {MAX_WAITING} CALLs wait"),
                "too many CALLs without waiting for answers",
            )
        self._waiting.append(call)
        return QUEUED_FULL if len(self._waiting) >= MAX_WAITING else QUEUED

    # Our CALLs.

    @property
    def outstanding(self) -> str | None:
        """The message id of our CALL that waits for its answer."""
        return self._outstanding.message_id if self._outstanding is not None else None

    def call(self, message_id: str, action: str, payload: object) -> bytes | None:
        """Return the text to send for a CALL of ours, or None where it has to wait for those before it.

        :raises TooManyCalls: `MAX_WAITING` wait already.
        """
        outgoing = _Outgoing(message_id, action, frames.encode_call(message_id, action, payload))
        if self._outstanding is None and not self._outgoing:
            self._outstanding = outgoing
            return outgoing.text
        if self._outgoing is None:
            self._outgoing = deque()
        if len(self._outgoing) >= MAX_WAITING:
            raise TooManyCalls(f"{MAX_WAITING} CALLs wait already")
        self._outgoing.append(outgoing)
        return None

    def expire(self, message_id: str) -> None:
        """Give up waiting for the answer to a CALL of ours; it fails alone, the connection stays."""
        if self._outstanding is not None and self._outstanding.message_id == message_id:
            self._outstanding = None
        elif self._outgoing is not None:
            self._outgoing = deque(item for item in self._outgoing if item.message_id != message_id)

    def next_call(self) -> tuple[str, bytes] | None:
        """Return id and text of the next CALL of ours to send, when the one before it is settled."""
        if self._outstanding is not None or not self._outgoing:
            return None
        self._outstanding = self._outgoing.popleft()
        return self._outstanding.message_id, self._outstanding.text

    def _settle(self, frame: CallResult | CallError) -> Reply | Refused:
        outstanding = self._outstanding
        if outstanding is None or outstanding.message_id != frame.message_id:
            return Refused(None, f"an answer to no CALL of ours: {frame.message_id!r}")
        self._outstanding = None
        return Reply(outstanding.action, frame)
