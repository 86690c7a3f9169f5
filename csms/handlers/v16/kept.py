"""Commands of OCPP 1.6 whose answers are kept as they are, for whoever looks into what was asked of a charge point."""

from __future__ import annotations

from ocpp.v16.enums import Action

from csms.events.redaction import without_secrets
from csms.handlers.command_set import Learner, Payload, learner
from csms.ledger import chargepoints
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState


def _kept(action: Action, *, only_if_accepted: bool = False) -> Learner:
    def learn(state: ChargePointState, context: Context, request: Payload, response: Payload) -> Decision[None]:
        if only_if_accepted and response.get("status") != "Accepted":
            return Decision(None, state)
        body = without_secrets({"request": request, "response": response})
        return chargepoints.keep(state, context, kind=action.value, body=body)

    return learner(learn)


CORE: dict[str, Learner] = {
    # A refusal leaves nothing: no transaction is begun or ended but by the charge point's own messages (§5.11, §5.12).
    Action.remote_start_transaction.value: _kept(Action.remote_start_transaction, only_if_accepted=True),
    Action.remote_stop_transaction.value: _kept(Action.remote_stop_transaction, only_if_accepted=True),
}
FIRMWARE: dict[str, Learner] = {
    action.value: _kept(action)
    for action in (
        Action.get_diagnostics,
        Action.get_log,
        Action.signed_update_firmware,
        Action.update_firmware,
    )
}
LOCAL_LIST: dict[str, Learner] = {Action.send_local_list.value: _kept(Action.send_local_list)}
SMART_CHARGING: dict[str, Learner] = {
    action.value: _kept(action) for action in (Action.clear_charging_profile, Action.set_charging_profile)
}
