"""Commands whose answers are kept as they are, for whoever looks into what was asked of a charge point."""

from __future__ import annotations

from csms.events.redaction import without_secrets
from csms.handlers.command_set import Learner, Payload, learner
from csms.ledger import chargepoints
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState


def kept(action: str, *, only_if_accepted: bool = False) -> Learner:
    """Return a learner that keeps request and response, without their secrets."""

    def learn(state: ChargePointState, context: Context, request: Payload, response: Payload) -> Decision[None]:
        if only_if_accepted and response.get("status") != "Accepted":
            return Decision(None, state)
        body = without_secrets({"request": request, "response": response})
        return chargepoints.keep(state, context, kind=action, body=body)

    return learner(learn)
