"""The API's ports, in memory."""

from __future__ import annotations

from collections import deque
from itertools import count

from twisted.internet.defer import Deferred

from csms.chargepoint.outcomes import CommandFailed, InvalidPayload, NotConnected


class FakeCommands:
    """Charge points that answer as they are told.

    ``answers`` are taken in order: a payload, an exception, or a Deferred of one. Without any a command is Accepted.
    A ``fault`` is raised once, before anything is sent.
    """

    def __init__(self):
        self.answers = deque()
        self.sent = []
        self.queued = []
        self.connected = set()
        self.fault = None
        self._numbers = count(1)

    async def send(self, client_id, action, payload, *, timeout_s=30.0, message_id=None, on_sent=None, expires_at=None):
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        self.sent.append((client_id, action, payload, timeout_s, message_id))
        answer = self.answers.popleft() if self.answers else {"status": "Accepted"}
        if isinstance(answer, CommandFailed) and answer.status not in {"CallError", "Timeout", "ConnectionLost"}:
            raise answer
        if on_sent is not None:
            on_sent(message_id)
        if isinstance(answer, Deferred):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def rotate_password(self, client_id):
        try:
            answer = await self.send(client_id, "RotatePassword", {}, message_id="m0")
        except InvalidPayload:
            # Its payload is our own: it fits.
            return "Accepted"
        return answer["status"]

    async def check(self, client_id, action, payload):
        pass

    async def queue(self, client_id, action, payload, expires_at):
        self.queued.append((client_id, action, payload, expires_at))
        return self.new_message_id()

    def is_connected(self, client_id):
        return client_id in self.connected

    def new_message_id(self):
        return f"m{next(self._numbers)}"


def offline():
    return NotConnected("CP1 is not connected")
