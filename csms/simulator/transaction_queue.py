"""The transaction-related messages that wait for their answers, in order (OCPP 1.6 §3.7, 2.0.1 E04 and E13).

They all go this way, online as offline: what was not answered stays at the head and goes out again, on the next socket
under a new message id, with the same action and payload. A message that is refused with a CALLERROR is repeated up to
TransactionMessageAttempts times, then dropped. No I/O here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any

from attrs import define, field

from csms.simulator.sessions import SessionRecord


class Kind(Enum):
    """What a message says of its session."""

    STARTED = "started"
    SAMPLED = "sampled"
    STATE_CHANGED = "state changed"
    ENDED = "ended"


class BadAnswer(Exception):
    """An answer that cannot be used: to StartTransaction without a transactionId."""


def _nothing(_answer: dict[str, Any]) -> None:
    return None


@define(eq=False)
class QueuedMessage:
    """A message of a session.

    ``payload`` is asked for when it is sent, because in 1.6 the transactionId is surely known only then. ``learn`` takes
    the answer, and raises `BadAnswer` where that cannot be used.
    """

    session: SessionRecord
    kind: Kind
    action: str
    payload: Callable[[], dict[str, Any]]
    learn: Callable[[dict[str, Any]], None] = field(default=_nothing, kw_only=True)
    sent: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)


class TransactionQueue:
    """The messages of one charge point that were not answered yet.

    ``finished`` is told each session whose last message has left the queue, answered or dropped.
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

        Messages of a session that was never given a transactionId are dropped here: nothing can be said about it.
        """
        while self._messages:
            message = self._messages[0]
            if message.kind is Kind.STARTED or message.session.transaction_id is not None:
                return message
            self._drop(self._messages.popleft())
        return None

    def holds(self, transaction_id: int | str | None = None) -> bool:
        """Return whether messages (of that transaction) wait."""
        return any(transaction_id in (None, message.session.transaction_id) for message in self._messages)

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
        message.learn(answer)
        session = message.session
        match message.kind:
            case Kind.STARTED:
                session.start_answered = True
            case Kind.SAMPLED:
                session.meter_values_answered += 1
            case Kind.STATE_CHANGED:
                session.state_changes_answered += 1
            case Kind.ENDED:
                session.stop_answered = True
        self._messages.popleft()
        self.answered += 1
        if message.kind is Kind.ENDED:
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
        if message.kind is Kind.ENDED:
            self._finished(message.session)
