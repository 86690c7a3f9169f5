"""What the answers to commands about transactions mean: GetTransactionStatus and RequestStartTransaction (OCPP 2.x, E14, F01)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve
from msgspec.structs import replace
from ocpp.v201.enums import Action

from csms.handlers.command_set import Learner, Payload, learner
from csms.ledger import evses, transactions
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState

_MOST_REMOTE_STARTS = 32
_START = Action.request_start_transaction.value


def with_transactions(learners: Mapping[str, Learner], tariff: Tariff) -> dict[str, Learner]:
    """Return learners that learn of transactions too; ``tariff`` is that of charge points that have none of their own."""
    return {
        **learners,
        Action.get_transaction_status.value: learner(_status_learner(tariff)),
        _START: _also(learners[_START], _remote_start) if _START in learners else learner(_remote_start),
    }


def _status_learner(tariff: Tariff) -> Any:
    def learn(state: ChargePointState, context: Context, request: Payload, response: Payload) -> Decision[bool]:
        """Close a transaction that the station does not have, and has nothing to tell of: it forgot it."""
        running = evses.running_under(state, str(request.get("transactionId", "")))
        is_over = response.get("ongoingIndicator") is False and response.get("messagesInQueue") is False
        if running is None or not is_over:
            return Decision(False, state)
        return transactions.close(state, context, running.transaction_id, tariff=tariff)

    return learn


def _remote_start(state: ChargePointState, _context: Context, request: Payload, response: Payload) -> Decision[None]:
    """Remember whose a remote start is: not every station shows the token in the events of its transaction."""
    id_tag = request.get("idToken", {}).get("idToken")
    if response.get("status") != "Accepted" or not id_tag:
        return Decision(None, state)
    starts = {**state.remote_starts, request["remoteStartId"]: id_tag}
    latest = dict(list(starts.items())[-_MOST_REMOTE_STARTS:])
    return Decision(None, replace(state, remote_starts=latest))


def _also(first: Learner, second: Any) -> Learner:
    """Return a learner that learns as one does, and then as another that changes only what is in memory."""

    def rule(state: ChargePointState, context: Context, request: Payload, response: Payload, known: Any) -> Any:
        decision = first.rule(state, context, request, response, known)
        return replace(decision, state=second(decision.state, context, request, response).state)

    return evolve(first, rule=rule)
