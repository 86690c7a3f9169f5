"""A session whose every step is checked: never more than one answer for a CALL, no exception, no memory without bounds."""

from __future__ import annotations

from collections import Counter
from functools import cache
from random import Random

import orjson
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from csms.chargepoint.dispatch import Dispatcher
from csms.chargepoint.session import Session
from csms.handlers.families import handlers
from csms.handlers.request import Policy
from csms.ocppj import codec, frames
from csms.ocppj.connection import MAX_WAITING
from csms.ocppj.frames import Call
from csms.ocppj.versions import V16, V21, V201, Version
from csms.store.errors import StoreUnavailable
from tests.fakes import FakeLedger, FakeTransport, LogCapture, shared_of, state_of
from tests.ocppj.instances import instance, schema_of

VERSIONS = (V16, V201, V21)
CLOSE_CODES = {1007, 1013}
"""What a session may close with: bytes that are no UTF-8, a ledger that is away."""
_MOST_DECISIONS = 2 * 256


@cache
def _shared_parts(version: Version) -> tuple[FakeLedger, Dispatcher]:
    """Schemas take long to compile: sessions of a version share them, and a ledger that each begins anew."""
    ledger = FakeLedger()
    return ledger, Dispatcher.of(version, handlers(version, ledger, Policy()))


@cache
def actions(version: Version) -> list[str]:
    """Return the actions that a charge point may call."""
    return sorted(_shared_parts(version)[1]._handlers)


def valid_call(version: Version, message_id: str, random: Random) -> bytes:
    """Return a CALL that fits its schema."""
    action = random.choice(actions(version))
    return frames.encode_call(message_id, action, instance(schema_of(version, action), random))


class _Socket(FakeTransport):
    """As a socket does, it passes over what comes after its close frame."""

    def send_text(self, text: bytes) -> None:
        if self.closed_with is None:
            super().send_text(text)


class CheckedSession:
    """See the module. The texts of our own CALLs are ``ours``; ``end`` must be called, in whatever way it went."""

    def __init__(self, version: Version) -> None:
        self.version = version
        self.ledger, dispatcher = _shared_parts(version)
        self.ledger.__dict__.clear()
        self.ledger.__init__()
        self.clock = Clock()
        self._log = LogCapture()
        globalLogPublisher.addObserver(self._log)
        self.shared = shared_of(self.ledger, self.clock, dispatchers={version: dispatcher})
        self.expected: Counter[str] = Counter()
        self.numbers = 0
        self._saw_bad_utf8 = self._saw_outage = False
        self._connect()

    def _connect(self) -> None:
        self.transport = _Socket()
        self.expected.clear()
        self._looked_at = 0
        self._answers: Counter[str] = Counter()
        self.session = Session(self.shared, "CP1", self.version, self.ledger.states.get("CP1") or state_of())
        self.session.opened(self.transport, "127.0.0.1")

    def receive(self, data: bytes) -> None:
        """Let the charge point send a text, as long as its socket is open and read from."""
        if self.transport.closed_with is not None or self.transport.holds & {"queue", "congestion"}:
            return
        try:
            frame = frames.decode(data, self.version)
        except codec.BadUtf8:
            self._saw_bad_utf8 = True
        except frames.BadFrame as bad:
            if bad.code is not None:
                self.expected[bad.message_id] += 1
        else:
            if type(frame) is Call:
                self.expected[frame.message_id] += 1
        self.session.receive(data)
        self.check()

    def call(self) -> None:
        """Let the daemon call, if the session lets it."""
        if self.session.is_open:
            self.numbers += 1
            message_id = f"ours{self.numbers}"
            try:
                waiting = self.session.call("ClearCache", {}, message_id, 30)
            except Exception as error:
                assert type(error).__name__ == "TooManyCalls", error
            else:
                waiting.addErrback(lambda _: None)
        self.check()

    def commit(self) -> None:
        if self.ledger.pending:
            self.ledger.commit_one()
        self.check()

    def fail_commit(self) -> None:
        if self.ledger.pending:
            self._saw_outage = True
            self.ledger.commit_one(error=StoreUnavailable("disk full"))
        self.check()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.check()

    def reconnect(self) -> None:
        """Lose the socket, and come again on another."""
        self._leave()
        self._saw_bad_utf8 = self._saw_outage = False
        self._connect()

    def _leave(self) -> None:
        gone: list[object] = []
        self.session.closed("gone").addBoth(gone.append)
        self.ledger.commit_all()
        self.check()
        assert gone == [None], "a session that was closed does not end"

    def answers(self) -> Counter[str]:
        """Return what was sent, counted by message id, our own CALLs left out."""
        new = [orjson.loads(text) for text in self.transport.sent[self._looked_at :]]
        self._looked_at += len(new)
        self._answers.update(frame[1] for frame in new if frame[0] in (frames.CALLRESULT, frames.CALLERROR))
        return self._answers

    def check(self) -> None:
        """Hold what must always be true."""
        answers = self.answers()
        assert answers <= self.expected, f"answered too often: {answers - self.expected}"
        closed = self.transport.closed_with
        if closed is not None:
            assert closed[0] in CLOSE_CODES, closed
            assert closed[0] != 1007 or self._saw_bad_utf8
            assert closed[0] != 1013 or self._saw_outage
        assert self.session._rpc.waiting <= MAX_WAITING
        assert self.session.decisions_waiting <= _MOST_DECISIONS
        assert not self._log.failures, self._log.failures[0]["log_failure"].getTraceback()

    def end(self) -> None:
        """Commit what waits: then every CALL has its answer, unless the socket was closed. Then lose the socket."""
        try:
            self.ledger.commit_all()
            self.check()
            if self.transport.closed_with is None:
                assert self.answers() == self.expected, f"no answer: {self.expected - self.answers()}"
            self._leave()
        finally:
            self.forget()

    def forget(self) -> None:
        """Stop to listen to the log."""
        globalLogPublisher.removeObserver(self._log)
