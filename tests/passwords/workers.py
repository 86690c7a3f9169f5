"""The port `csms.passwords.threads.Workers` without threads: at once, or when the test says so."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred, fail, maybeDeferred

from csms.passwords.threads import Busy


class FakeWorkers:
    """Runs functions at once, unless it is told to wait; ``full`` makes it refuse."""

    def __init__(self, *, waits=False):
        self.waits = waits
        self.full = False
        self.waiting = deque()
        self.ran = 0

    def run(self, function, *arguments):
        if self.full:
            return fail(Busy("full"))
        if not self.waits:
            self.ran += 1
            return maybeDeferred(function, *arguments)
        done = Deferred()
        self.waiting.append((done, function, arguments))
        return done

    def run_one(self):
        """Run what waits longest."""
        done, function, arguments = self.waiting.popleft()
        self.ran += 1
        maybeDeferred(function, *arguments).chainDeferred(done)
