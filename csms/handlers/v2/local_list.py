"""The local authorization list (OCPP 2.x, functional block D): what the answers of stations mean."""

from __future__ import annotations

from ocpp.v201.enums import Action

from csms.handlers.command_set import Learner, Payload, learner
from csms.ledger import local_list
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState


def send_local_list(state: ChargePointState, context: Context, request: Payload, response: Payload) -> Decision[None]:
    """Learn from the answer to SendLocalList (D01): a list that was taken has the version that was sent."""
    if response.get("status") != "Accepted":
        return Decision(None, state)
    return local_list.learn(state, context, request["versionNumber"])


def get_local_list_version(
    state: ChargePointState, context: Context, _request: Payload, response: Payload
) -> Decision[None]:
    """Learn from the answer to GetLocalListVersion (D02)."""
    return local_list.learn(state, context, response.get("versionNumber"))


LEARNERS: dict[str, Learner] = {
    Action.send_local_list.value: learner(send_local_list),
    Action.get_local_list_version.value: learner(get_local_list_version),
}
