"""The transaction-related messages that wait for their answers, in order (OCPP 1.6 §3.7).

StartTransaction, MeterValues and StopTransaction all go this way, online as offline: what was not answered stays at the
head and goes out again, on the next socket under a new message id, with the same action and payload. A message that is
refused with a CALLERROR is repeated up to TransactionMessageAttempts times, then dropped. No I/O here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from attrs import define

from csms.simulator.sessions import SessionRecord

START = "StartTransaction"
STOP = "StopTransaction"
METER_VALUES = "MeterValues"


class BadAnswer(Exception):
    """An answer that cannot be used: to StartTransaction without a transactionId."""


@define(eq=False)
class QueuedMessage:
    """A message of a session; its transactionId is filled in when it is sent, because only then it is surely known."""

    session: SessionRecord
    action: str
    content: dict[str, Any]
    sent: int = 0
    refused: int = 0

    def payload(self) -> dict[str, Any]:
        """Return the payload to send now."""
        if self.action == START:
            return self.content
        return {**self.content, "transactionId": self.session.transaction_id}


class TransactionQueue:
    """The messages of one charge point that were not answered yet.

    ``finished`` is told each session whose StopTransaction has left the queue, answered or dropped.
    """

    def __init__(self, attempts: int, finished: Callable[[SessionRecord], None]) -> None:
        self._attempts = attempts
        self._finished = finished
        self._messages: deque[QueuedMessage] = deque()
        self.dropped = 0
        self.answered = 0

    def __len__(self) -> int:
        return len(self._messages)

    def next(self) -> QueuedMessage | None:
        """Return the message whose turn it is; it stays at the head until it is settled or dropped.

        Messages of a session whose StartTransaction was dropped are dropped here: nothing can be said about it.
        """
        while self._messages:
            message = self._messages[0]
            if message.action == START or message.session.start_answered:
                return message
            self._drop(self._messages.popleft())
        return None

    def put(self, message: QueuedMessage) -> None:
        """Append a message."""
        self._messages.append(message)

    def sending(self, message: QueuedMessage) -> dict[str, Any]:
        """Note that the head goes out, and return its payload."""
        if message.sent:
            message.session.repeated += 1
        message.sent += 1
        return message.payload()

    def settle(self, message: QueuedMessage, answer: dict[str, Any]) -> None:
        """Take the answer to the head, which leaves the queue.

        :raises BadAnswer: it cannot be used; the message stays.
        """
        session = message.session
        if message.action == START:
            transaction_id = answer.get("transactionId")
            if type(transaction_id) is not int:
                raise BadAnswer("the answer to StartTransaction has no transactionId")
            session.transaction_id = transaction_id
            info = answer.get("idTagInfo")
            session.id_tag_status = info.get("status") if isinstance(info, dict) else None
            session.start_answered = True
        elif message.action == STOP:
            session.stop_answered = True
        else:
            session.meter_values_answered += 1
        self._messages.popleft()
        self.answered += 1
        if message.action == STOP:
            self._finished(session)

    def refuse(self, message: QueuedMessage) -> bool:
        """Take a CALLERROR for the head; return True where it will be tried again."""
        message.refused += 1
        if message.refused < self._attempts:
            return True
        self._drop(self._messages.popleft())
        return False

    def _drop(self, message: QueuedMessage) -> None:
        message.session.dropped += 1
        self.dropped += 1
        if message.action == STOP:
            self._finished(message.session)
