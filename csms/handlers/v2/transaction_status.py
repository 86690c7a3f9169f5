"""What a station answers to GetTransactionStatus means for a transaction that runs here (OCPP 2.x, E14)."""

from __future__ import annotations

from ocpp.v201.enums import Action

from csms.handlers.command_set import Learner, Payload, learner
from csms.ledger import evses, transactions
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState


def learners(tariff: Tariff) -> dict[str, Learner]:
    """Return what is learnt; ``tariff`` is that of charge points that have none of their own."""

    def learn(state: ChargePointState, context: Context, request: Payload, response: Payload) -> Decision[bool]:
        """Close a transaction that the station does not have, and has nothing to tell of: it forgot it."""
        running = evses.running_under(state, str(request.get("transactionId", "")))
        is_over = response.get("ongoingIndicator") is False and response.get("messagesInQueue") is False
        if running is None or not is_over:
            return Decision(False, state)
        return transactions.close(state, context, running.transaction_id, tariff=tariff)

    return {Action.get_transaction_status.value: learner(learn)}
