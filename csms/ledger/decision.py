"""What a rule gives back, and what it is given beside the state.

``rule(state, context, …) -> Decision``: no database, no clock, no reactor. The store commits the changes and the events of
a decision in one transaction; only then the new state takes effect and the answer leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar

from msgspec import UNSET, Struct
from msgspec.structs import replace

from csms.events.business import BusinessEvent, Payload
from csms.ledger.model import Monitor, Report, Variable, VariableValue
from csms.ledger.state import (
    ChargePoint,
    ChargePointState,
    ConfigurationKey,
    ConfigurationResult,
    Connector,
    EventProgress,
    EvseConnector,
    Fact,
    MeterProgress,
    PasswordHash,
    Provisioned,
    Reading,
    Record,
    Reservation,
    StationTariff,
    Transaction,
)

Change = (
    ChargePoint
    | Provisioned
    | PasswordHash
    | Connector
    | EvseConnector
    | Transaction
    | MeterProgress
    | EventProgress
    | Reading
    | Record
    | Reservation
    | ConfigurationKey
    | Fact
    | Variable
    | VariableValue
    | Monitor
    | Report
    | StationTariff
    | ConfigurationResult
)
Answer = TypeVar("Answer")


class Context(Struct, frozen=True, gc=False):
    """The circumstances of one message: its time of arrival (UTC), its id, and the daemon that took it."""

    now: datetime
    message_id: str | None
    gateway_id: str
    new_event_id: Callable[[str, datetime], str]


class Decision(Struct, Generic[Answer], frozen=True, gc=False):
    """The answer, the state after it, and what has to be committed before the answer may leave."""

    answer: Answer
    state: ChargePointState
    changes: tuple[Change, ...] = ()
    events: tuple[BusinessEvent, ...] = ()

    @property
    def is_durable(self) -> bool:
        """Whether anything has to be committed."""
        return bool(self.changes or self.events)


Rule = Callable[[ChargePointState, Context], Decision[Answer]]
"""What decides something about a charge point, without a message of it."""


class Draft:
    """Collects the changes and events of a decision while a rule makes it."""

    __slots__ = ("_changes", "_context", "_events", "state")

    def __init__(self, state: ChargePointState, context: Context) -> None:
        self.state = state
        self._context = context
        self._changes: list[Change] = []
        self._events: list[BusinessEvent] = []

    def change(self, *changes: Change) -> None:
        """Have rows written."""
        self._changes.extend(changes)

    def emit(self, event_type: str, payload: Payload, supersedes: str | None = None) -> str:
        """Have an event published; return its id."""
        context = self._context
        event_id = context.new_event_id(event_type, context.now)
        state = self.state
        sequence = state.sequence + 1
        self._events.append(
            BusinessEvent(
                timestamp=context.now,
                client_id=state.charge_point.client_id,
                event_type=event_type,
                event_id=event_id,
                payload=payload,
                sequence=sequence,
                gateway_id=context.gateway_id,
                causation_id=context.message_id,
                supersedes=supersedes if supersedes is not None else UNSET,
            )
        )
        self.state = replace(state, sequence=sequence)
        return event_id

    def take(self, decision: Decision[Answer]) -> Answer:
        """Go on from what another rule decided about this draft's state; return its answer."""
        self.state = decision.state
        self._changes.extend(decision.changes)
        self._events.extend(decision.events)
        return decision.answer

    def decide(self, answer: Answer) -> Decision[Answer]:
        """Close the draft."""
        return Decision(answer, self.state, tuple(self._changes), tuple(self._events))
