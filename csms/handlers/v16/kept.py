"""Commands of OCPP 1.6 whose answers are kept as they are, for whoever looks into what was asked of a charge point."""

from __future__ import annotations

from ocpp.v16.enums import Action

from csms.handlers.command_set import Learner
from csms.handlers.kept import kept

CORE: dict[str, Learner] = {
    # A refusal leaves nothing: no transaction is begun or ended but by the charge point's own messages (§5.11, §5.12).
    Action.remote_start_transaction.value: kept(Action.remote_start_transaction.value, only_if_accepted=True),
    Action.remote_stop_transaction.value: kept(Action.remote_stop_transaction.value, only_if_accepted=True),
}
CERTIFICATES: dict[str, Learner] = {
    action.value: kept(action.value) for action in (Action.delete_certificate, Action.install_certificate)
}
FIRMWARE: dict[str, Learner] = {
    action.value: kept(action.value)
    for action in (
        Action.get_diagnostics,
        Action.get_log,
        Action.signed_update_firmware,
        Action.update_firmware,
    )
}
LOCAL_LIST: dict[str, Learner] = {Action.send_local_list.value: kept(Action.send_local_list.value)}
SMART_CHARGING: dict[str, Learner] = {
    action.value: kept(action.value) for action in (Action.clear_charging_profile, Action.set_charging_profile)
}
