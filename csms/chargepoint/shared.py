"""What all sessions of a daemon share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from csms.chargepoint.dispatch import Dispatcher
from csms.events.protocol import ProtocolEvent
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePoint, ChargePointState, Registration
from csms.metrics import Counters
from csms.ocppj.schemas import Mode
from csms.ocppj.versions import Version
from csms.store.writer import Waiter
from csms.turns import Turn

_VALIDATION_MODES: dict[str, Mode] = {"strict": "strict", "tolerant": "tolerant", "off": "off"}


class Ledger(Protocol):
    """The part of the store that the live side needs."""

    @property
    def available(self) -> bool:
        """Whether decisions can be committed, as far as is known."""

    def commit(self, decision: Decision[Any]) -> Deferred[None]:
        """Commit a decision; fails with `StoreUnavailable` where it did not happen."""

    def commit_for(self, decision: Decision[Any], waiter: Waiter) -> None:
        """As `commit`, for what is at hand for each message: a Deferred takes five times the room."""

    def read(self, query: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Run a query of the store on a reader's thread."""

    def write(self, job: Callable[[Any], Any]) -> Deferred[Any]:
        """Have a function write by a connection in the next commit."""

    def decide(
        self, client_id: str, registration: Registration, rule: Callable[[ChargePointState], Decision[Any]]
    ) -> Deferred[Any]:
        """Decide on a charge point that is not connected, from what the ledger says in the same commit.

        An unknown one is made with ``registration``. Fires with the decision's answer.
        """


@attrs.frozen(kw_only=True)
class Shared:
    """The collaborators of every session, and the operator's settings for them.

    ``publish_protocol_event`` is None where that stream is switched off; it must return at once.
    """

    clock: IReactorTime
    now: Callable[[], datetime]
    new_event_id: Callable[[str, datetime], str]
    gateway_id: str
    ledger: Ledger
    dispatchers: dict[Version, Dispatcher]
    counters: Counters
    publish_protocol_event: Callable[[ProtocolEvent], None] | None = None
    on_ready: list[Callable[[str], None]] = attrs.field(factory=list)
    """Told the client id when a charge point may be spoken to: on a socket that opened, or when it has booted."""
    on_booted: list[Callable[[str], None]] = attrs.field(factory=list)
    """Told the client id when its BootNotification was answered, whatever the answer."""
    unknown_chargepoints: Registration = "Accepted"
    validation: Mode = "tolerant"
    turn: Turn = attrs.field(default=attrs.Factory(lambda shared: Turn(shared.clock), takes_self=True))

    def context(self, message_id: str | None) -> Context:
        """Return the circumstances of something that happens now."""
        return Context(self.now(), message_id, self.gateway_id, self.new_event_id)

    def mode(self, charge_point: ChargePoint) -> Mode:
        """Return how the messages of a charge point are held against the schemas."""
        return _VALIDATION_MODES.get(charge_point.validation or "", self.validation)

    def tell_ready(self, client_id: str, *, booted: bool) -> None:
        """Tell whoever wants to know that a charge point may be spoken to, or has booted."""
        for told in self.on_ready:
            told(client_id)
        if booted:
            for told in self.on_booted:
                told(client_id)
