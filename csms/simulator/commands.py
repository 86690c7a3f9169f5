"""Answering the server's commands: what is the same in every version.

Each answer fits the schema; what follows from it (stop charging, boot again) is handed back as an effect to run after the
answer was sent, as a charge point does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from csms.ocppj import frames
from csms.ocppj.frames import Call
from csms.ocppj.schemas import BadPayload, Schemas
from csms.simulator.dialect import Order, Payload
from csms.simulator.rpc import Answer

Effect = Callable[[], None]
Outcome = tuple[Payload, Effect | None]
Handler = Callable[[dict[str, Any]], Outcome]


class Controls(Protocol):
    """What commands do to the charge point. Connectors are numbered from 1; in 2.x each is an EVSE."""

    def charging(self, connector_id: int | None = None) -> bool:
        """Return whether a session runs (on that connector)."""

    def is_running(self, transaction_id: int | str) -> bool:
        """Return whether this is the running transaction."""

    def has_queued(self, transaction_id: int | str | None = None) -> bool:
        """Return whether messages (of that transaction) wait for an answer."""

    def free_connector(self, id_tag: str) -> int | None:
        """Return a connector that can start a session for this tag now."""

    def remote_start(self, order: Order) -> None:
        """Start a session."""

    def request_stop(self, reason: str) -> None:
        """Stop the running session; the reason is a word of the version."""

    def reset(self, reason: str, *, reconnect: bool) -> None:
        """Stop the session and boot again, on a new socket or on the same."""

    def reset_when_idle(self) -> None:
        """Boot again on a new socket, as soon as no session runs."""

    def boot_again(self, reason: str) -> None:
        """Boot again on the same socket; the reason is a BootReasonEnumType of 2.x."""

    def cost_updated(self, transaction_id: str, total_cost: float) -> None:
        """Show what a transaction costs so far."""

    def availability_changed(self, connector_ids: list[int]) -> None:
        """Tell the server the new status."""

    def trigger(self, message: str, connector_id: int | None) -> None:
        """Send the message that was asked for."""

    def send(self, action: str, payload: Payload) -> None:
        """Send a message of the charge point's own."""

    def timestamp(self) -> str:
        """Return the simulated time."""

    def change_password(self, password: str | bytes) -> None:
        """Connect again with another password."""


class Commands:
    """Answers CALLs of the server by their handlers."""

    def __init__(self, schemas: Schemas, handlers: Mapping[str, Handler]) -> None:
        self._schemas = schemas
        self._handlers = handlers

    def answer(self, call: Call) -> Answer:
        """Answer a CALL of the server."""
        if call.action not in self._schemas.actions:
            return frames.encode_error(call.message_id, "NotImplemented", f"no action {call.action}"), None
        handler = self._handlers.get(call.action)
        if handler is None:
            return frames.encode_error(call.message_id, "NotSupported", "not for a charge point"), None
        try:
            self._schemas.check_request(call.action, call.payload, "tolerant")
        except BadPayload as error:
            return frames.encode_error(call.message_id, error.code, str(error)), None
        result, effect = handler(call.payload)
        return frames.encode_result(call.message_id, result), effect
