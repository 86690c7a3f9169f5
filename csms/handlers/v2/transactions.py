"""Transactions (OCPP 2.x, functional block E)."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v201 import call_result
from ocpp.v201.enums import Action

from csms.handlers.request import Policy, Reads, Reply, Request
from csms.handlers.tags import Authority, Tags
from csms.ledger import chargepoints


class Transactions:
    """TransactionEvent."""

    def __init__(self, reads: Reads, policy: Policy, authority: Authority | None = None) -> None:
        self._reads = reads
        self._policy = policy
        self._tags = Tags(reads, policy.unknown_tags, authority)

    @on(Action.transaction_event)
    def on_transaction_event(self, request: Request, **_members: Any) -> Reply:
        """Answer TransactionEvent (E01 to E16)."""
        decision = chargepoints.keep(
            request.state, request.context, kind=Action.transaction_event, body=request.payload
        )
        return Reply(call_result.TransactionEvent(), decision)
