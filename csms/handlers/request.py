"""What a handler is given beside the members of the message, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from attrs import field, frozen
from msgspec import Struct
from ocpp.exceptions import OCPPError
from twisted.internet.defer import Deferred

from csms.ledger.authorization import TagFacts, TagStatus
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState, Registration

Result = TypeVar("Result")
Handler = TypeVar("Handler", bound=Callable[..., Any])
Value = TypeVar("Value")
More = ParamSpec("More")


class Request(Struct, gc=False):
    """One CALL of a charge point: the state that it meets, its circumstances, and its payload as it came.

    A handler names in ``deviations`` what it let pass though the specification does not.
    """

    state: ChargePointState
    context: Context
    payload: dict[str, Any]
    deviations: list[str]

    @property
    def registration(self) -> Registration:
        """What the charge point was told when it booted or, where it has not yet, would be told."""
        return self.state.registered or self.state.registration


def takes_payload(handler: Handler) -> Handler:
    """Mark a handler that reads ``request.payload`` as it is on the wire, and wants no keyword arguments.

    For large messages: converting the names of all their members costs more than all the rest of their handling.
    """
    handler.takes_payload = True  # type: ignore[attr-defined]
    return handler


def then(
    value: Value | Deferred[Value],
    answer: Callable[Concatenate[Value, More], Result | Deferred[Result]],
    *arguments: More.args,
    **members: More.kwargs,
) -> Result | Deferred[Result]:
    """Go on with a value at once where it is there, else when it comes."""
    if isinstance(value, Deferred):
        return value.addCallback(answer, *arguments, **members)
    return answer(value, *arguments, **members)


class Reply(Struct, frozen=True, gc=False):
    """A handler's answer: a call_result of the `ocpp` library, and the decision to commit before it leaves."""

    payload: Any
    decision: Decision[Any] | None = None


class Refused(Exception):
    """A refusal by an OCPP error that leaves something in the ledger: committed before the CALLERROR leaves."""

    def __init__(self, error: OCPPError, decision: Decision[Any]) -> None:
        super().__init__(error)
        self.error = error
        self.decision = decision


class Reads(Protocol):
    """The part of the store that handlers need."""

    def read(self, query: Callable[..., Result], *arguments: Any) -> Deferred[Result]:
        """Run a query of `csms.store.queries` on a reader's thread."""

    def tag_facts(self, tag: str, now: datetime, running_here: Sequence[str] = ()) -> TagFacts | Deferred[TagFacts]:
        """Return what is known of an id tag; ``running_here`` are the tags of what runs at the charge point."""

    def new_transaction_id(self) -> int | Deferred[int]:
        """Return a transaction id that was never given before."""


@frozen
class Policy:
    """What the operator's settings say about answers."""

    heartbeat_interval_s: int = 300
    unknown_tags: TagStatus = "Accepted"
    tariff: Tariff = field(factory=Tariff)
    tells_running_cost: bool = False
    """Whether answers to TransactionEvent tell what the transaction costs so far; what it cost in the end is told anyway."""
    tells_tariff: bool = False
    """Whether answers to Authorize tell the tariff of the charge point (OCPP 2.1 I08)."""
