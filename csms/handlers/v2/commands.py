"""The commands of OCPP 2.0.1 and 2.1 (part 2, messages that the CSMS sends)."""

from __future__ import annotations

from ocpp.v21.enums import Action as Action21
from ocpp.v201.enums import Action

from csms.handlers import certificate_requests
from csms.handlers.command_set import CommandSet, Learner, Payload
from csms.handlers.kept import kept
from csms.handlers.v2 import (
    dynamic_schedules,
    local_list,
    periodic_streams,
    reservation,
    station_tariffs,
    variable_commands,
)
from csms.handlers.v2.passwords import PASSWORD_CHANGE

_ACTIONS_201 = frozenset(
    action.value
    for action in (
        Action.cancel_reservation,
        Action.certificate_signed,
        Action.change_availability,
        Action.clear_cache,
        Action.clear_charging_profile,
        Action.clear_display_message,
        Action.clear_variable_monitoring,
        Action.cost_updated,
        Action.customer_information,
        Action.data_transfer,
        Action.delete_certificate,
        Action.get_base_report,
        Action.get_charging_profiles,
        Action.get_composite_schedule,
        Action.get_display_messages,
        Action.get_installed_certificate_ids,
        Action.get_local_list_version,
        Action.get_log,
        Action.get_monitoring_report,
        Action.get_report,
        Action.get_transaction_status,
        Action.get_variables,
        Action.install_certificate,
        Action.publish_firmware,
        Action.request_start_transaction,
        Action.request_stop_transaction,
        Action.reserve_now,
        Action.reset,
        Action.send_local_list,
        Action.set_charging_profile,
        Action.set_display_message,
        Action.set_monitoring_base,
        Action.set_monitoring_level,
        Action.set_network_profile,
        Action.set_variable_monitoring,
        Action.set_variables,
        Action.trigger_message,
        Action.unlock_connector,
        Action.unpublish_firmware,
        Action.update_firmware,
    )
)
_ACTIONS_21 = _ACTIONS_201 | frozenset(
    action.value
    for action in (
        Action21.adjust_periodic_event_stream,
        Action21.afrr_signal,
        Action21.change_transaction_tariff,
        Action21.clear_der_control,
        Action21.clear_tariffs,
        Action21.get_der_control,
        Action21.get_periodic_event_stream,
        Action21.get_tariffs,
        Action21.notify_allowed_energy_transfer,
        Action21.notify_web_payment_started,
        Action21.request_battery_swap,
        Action21.set_default_tariff,
        Action21.set_der_control,
        Action21.update_dynamic_schedule,
        Action21.use_priority_charging,
    )
)
_KEPT_201 = (
    Action.clear_charging_profile,
    Action.clear_display_message,
    Action.customer_information,
    Action.delete_certificate,
    Action.get_charging_profiles,
    Action.get_composite_schedule,
    Action.get_log,
    Action.install_certificate,
    Action.publish_firmware,
    Action.set_charging_profile,
    Action.set_display_message,
    Action.unpublish_firmware,
    Action.update_firmware,
)
_KEPT_21 = (
    Action21.adjust_periodic_event_stream,
    Action21.afrr_signal,
    Action21.clear_der_control,
    Action21.get_der_control,
    Action21.notify_allowed_energy_transfer,
    Action21.notify_web_payment_started,
    Action21.request_battery_swap,
    Action21.set_der_control,
    Action21.use_priority_charging,
)
_LEARNERS_201: dict[str, Learner] = {
    **{action.value: kept(action.value) for action in _KEPT_201},
    # A refusal leaves nothing: no transaction is begun or ended but by the station's own messages.
    **{
        action.value: kept(action.value, only_if_accepted=True)
        for action in (Action.request_start_transaction, Action.request_stop_transaction)
    },
    **certificate_requests.LEARNERS,
    **local_list.LEARNERS,
    **reservation.LEARNERS,
    **variable_commands.LEARNERS,
}
_LEARNERS_21: dict[str, Learner] = {
    **_LEARNERS_201,
    **{action.value: kept(action.value) for action in _KEPT_21},
    **dynamic_schedules.LEARNERS,
    **periodic_streams.LEARNERS,
    **station_tariffs.LEARNERS,
}
# B02.FR.05
_NOT_WHILE_PENDING = frozenset({Action.request_start_transaction.value, Action.request_stop_transaction.value})

_REPORTS = frozenset({Action.get_base_report.value, Action.get_report.value})
_TRIGGERED: dict[str, frozenset[str]] = {
    "StatusNotification": frozenset({Action.status_notification.value, Action.notify_event.value}),
    **dict.fromkeys(
        (
            "SignChargingStationCertificate",
            "SignV2GCertificate",
            "SignV2G20Certificate",
            "SignCombinedCertificate",
        ),
        frozenset({Action.sign_certificate.value}),
    ),
}
"""What a TriggerMessage asks for, where it is called otherwise."""


def _asks_for(action: str, payload: Payload) -> frozenset[str]:
    """Return what a command lets a Pending station send (B02.FR.02)."""
    if action in _REPORTS:
        return frozenset({Action.notify_report.value})
    if action != Action.trigger_message.value:
        return frozenset()
    wanted = str(payload.get("requestedMessage"))
    return _TRIGGERED.get(wanted, frozenset({wanted}))


COMMANDS_201 = CommandSet(_ACTIONS_201, _LEARNERS_201, _NOT_WHILE_PENDING, _asks_for, PASSWORD_CHANGE)
COMMANDS_21 = CommandSet(_ACTIONS_21, _LEARNERS_21, _NOT_WHILE_PENDING, _asks_for, PASSWORD_CHANGE)
