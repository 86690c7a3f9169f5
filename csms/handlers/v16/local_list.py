"""The Local Auth List Management profile of OCPP 1.6: what the answers of charge points mean (§5.10, §5.15)."""

from __future__ import annotations

from ocpp.v16.enums import Action

from csms.handlers.command_set import Learner, Payload, learner
from csms.handlers.v16 import kept
from csms.ledger import local_list
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState

_KEPT = kept.LOCAL_LIST[Action.send_local_list.value]


def send_local_list(state: ChargePointState, context: Context, request: Payload, response: Payload) -> Decision[None]:
    """Learn from the answer to SendLocalList (§5.15): it is kept, and a list that was taken has the version that was sent."""
    record = _KEPT.rule(state, context, request, response, None)
    if response.get("status") != "Accepted":
        return record
    learnt = local_list.learn(state, context, request["listVersion"])
    return Decision(None, learnt.state, (*record.changes, *learnt.changes))


def get_local_list_version(
    state: ChargePointState, context: Context, _request: Payload, response: Payload
) -> Decision[None]:
    """Learn from the answer to GetLocalListVersion (§5.10)."""
    return local_list.learn(state, context, response.get("listVersion"))


LEARNERS: dict[str, Learner] = {
    Action.send_local_list.value: learner(send_local_list),
    Action.get_local_list_version.value: learner(get_local_list_version),
}
