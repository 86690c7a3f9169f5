"""Messages of charge points, as the protocol stream gets them, and a store that a test works by hand."""

from __future__ import annotations

import json
from datetime import timedelta

from twisted.internet.defer import Deferred, succeed

from csms.events.protocol import ProtocolEvent
from csms.metrics import Counters
from csms.ocppj import frames
from csms.store.message_log import MessageLog
from csms.store.messages import unpacked
from tests.store.decisions import NOW


def call(number=1, action="Heartbeat", payload=None, client_id="CP1", *, direction="in", at=None, deviations=()):
    text = frames.encode_call(f"m{number}", action, payload if payload is not None else {})
    at = at if at is not None else NOW + timedelta(seconds=number)
    return ProtocolEvent(at, client_id, direction, action, f"m{number}", text, deviations)


def answer(number=1, action="Heartbeat", payload=None, client_id="CP1", *, direction="out"):
    text = frames.encode_result(f"m{number}", payload if payload is not None else {})
    return ProtocolEvent(NOW + timedelta(seconds=number), client_id, direction, action, f"m{number}", text)


def log_of(store, bound=256 * 1024, monotonic=lambda: 0.0):
    return MessageLog(store, Counters(), monotonic, bound)


def dropped(log):
    return log._counters.total("messages_dropped")


async def keep(store, *events, bound=256 * 1024):
    """Put messages into the log, and return when they are committed."""
    log = log_of(store, bound)
    for event in events:
        log.offer(event)
    await log.flush()
    assert not log._waiting
    return log


class HandStore:
    """A store without a database: what is to be written waits until the test says what became of it."""

    def __init__(self):
        self.jobs = []
        self.written = []

    def compute(self, function, *arguments):
        return succeed(function(*arguments))

    def write(self, job):
        done = Deferred()
        self.jobs.append((job, done))
        return done

    def commit_one(self, error=None):
        """Let the job that waits longest happen, or fail."""
        job, done = self.jobs.pop(0)
        if error is not None:
            done.errback(error)
            return
        piece = job.__self__._piece
        self.written += [message for segment in piece.segments for message in contents(segment)]
        done.callback(None)

    def commit_all(self):
        while self.jobs:
            self.commit_one()


def contents(segment):
    """Return who said what in a segment."""
    return [(segment.client_id, json.dumps(json.loads(bytes(entry.frame)))) for entry in unpacked(segment.body)]
