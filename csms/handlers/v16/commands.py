"""The commands of OCPP 1.6 (§5) and of its security whitepaper."""

from __future__ import annotations

from ocpp.v16.enums import Action

from csms.handlers import certificate_requests
from csms.handlers.command_set import CommandSet
from csms.handlers.v16 import configuration, kept, local_list, reservation
from csms.handlers.v16.passwords import PASSWORD_CHANGE

COMMANDS = CommandSet(
    actions=frozenset(
        action.value
        for action in (
            Action.cancel_reservation,
            Action.certificate_signed,
            Action.change_availability,
            Action.change_configuration,
            Action.clear_cache,
            Action.clear_charging_profile,
            Action.data_transfer,
            Action.delete_certificate,
            Action.extended_trigger_message,
            Action.get_composite_schedule,
            Action.get_configuration,
            Action.get_diagnostics,
            Action.get_installed_certificate_ids,
            Action.get_local_list_version,
            Action.get_log,
            Action.install_certificate,
            Action.remote_start_transaction,
            Action.remote_stop_transaction,
            Action.reserve_now,
            Action.reset,
            Action.send_local_list,
            Action.set_charging_profile,
            Action.signed_update_firmware,
            Action.trigger_message,
            Action.unlock_connector,
            Action.update_firmware,
        )
    ),
    learners={
        **certificate_requests.LEARNERS,
        **configuration.LEARNERS,
        **kept.CERTIFICATES,
        **kept.CORE,
        **kept.FIRMWARE,
        **local_list.LEARNERS,
        **kept.SMART_CHARGING,
        **reservation.LEARNERS,
    },
    # OCPP 1.6 §4.2
    not_while_pending=frozenset({Action.remote_start_transaction.value, Action.remote_stop_transaction.value}),
    password=PASSWORD_CHANGE,
)
