"""What the answers to commands about transactions mean: GetTransactionStatus and RequestStartTransaction (OCPP 2.x, E14, F01)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve
from ocpp.v201.enums import Action

from csms.handlers.command_set import Learner, Payload, learner
from csms.ledger import evses, remote_starts, transactions
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState

_START = Action.request_start_transaction.value

Rule = Callable[[ChargePointState, Context, Payload, Payload], Decision[None]]


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


def _remote_start(state: ChargePointState, context: Context, request: Payload, response: Payload) -> Decision[None]:
    id_tag = request["idToken"]["idToken"]
    if response.get("status") != "Accepted" or not id_tag:
        return Decision(None, state)
    return remote_starts.accepted(state, context, int(request["remoteStartId"]), id_tag)


def _also(first: Learner, second: Rule) -> Learner:
    """Return a learner that learns as one does, and then as another."""

    def rule(state: ChargePointState, context: Context, request: Payload, response: Payload, known: Any) -> Any:
        draft = Draft(state, context)
        answer = draft.take(first.rule(state, context, request, response, known))
        draft.take(second(draft.state, context, request, response))
        return draft.decide(answer)

    return evolve(first, rule=rule)
