"""The answers to the server's commands (OCPP 1.6 §5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocpp.v16 import call_result
from ocpp.v16.enums import (
    Action,
    AvailabilityStatus,
    CancelReservationStatus,
    CertificateSignedStatus,
    CertificateStatus,
    ClearCacheStatus,
    ClearChargingProfileStatus,
    ConfigurationKey,
    ConfigurationStatus,
    DataTransferStatus,
    DeleteCertificateStatus,
    GetCompositeScheduleStatus,
    GetInstalledCertificateStatus,
    LogStatus,
    MessageTrigger,
    Reason,
    RemoteStartStopStatus,
    ReservationStatus,
    ResetStatus,
    ResetType,
    TriggerMessageStatus,
    UnlockStatus,
    UpdateFirmwareStatus,
    UpdateStatus,
)
from ocpp.v16.enums import ChargingProfileStatus as ProfileStatus

from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import V16
from csms.simulator.behaviour import Behaviour
from csms.simulator.commands import Commands, Controls, Effect, Handler
from csms.simulator.dialect import Order
from csms.simulator.station import Station
from csms.simulator.v16.configuration import Configuration, password_of
from csms.simulator.v16.messages import wire

_Outcome = tuple[object, Effect | None]
_Handler = Callable[[dict[str, Any]], _Outcome]


def commands(station: Station, controls: Controls, behaviour: Behaviour) -> Commands:
    """Return what answers the commands of OCPP 1.6 (§5)."""
    return Commands(
        schemas_of(V16),
        {action: _on_the_wire(handler) for action, handler in _Answers(station, controls, behaviour).handlers.items()},
    )


def _on_the_wire(handler: _Handler) -> Handler:
    def handle(payload: dict[str, Any]) -> tuple[dict[str, Any], Effect | None]:
        result, effect = handler(payload)
        return wire(result), effect

    return handle


class _Answers:
    """Answers from what the station knows."""

    def __init__(self, station: Station, controls: Controls, behaviour: Behaviour) -> None:
        self._station = station
        self._controls = controls
        self._configuration = Configuration(station, behaviour)
        self.handlers: dict[str, _Handler] = {
            **_FIXED_ANSWERS,
            Action.cancel_reservation.value: self._cancel_reservation,
            Action.change_availability.value: self._change_availability,
            Action.change_configuration.value: self._change_configuration,
            Action.clear_charging_profile.value: self._clear_profile,
            Action.extended_trigger_message.value: self._extended_trigger,
            Action.get_configuration.value: self._get_configuration,
            Action.get_local_list_version.value: self._local_list_version,
            Action.remote_start_transaction.value: self._remote_start,
            Action.remote_stop_transaction.value: self._remote_stop,
            Action.reserve_now.value: self._reserve,
            Action.reset.value: self._reset,
            Action.send_local_list.value: self._send_local_list,
            Action.set_charging_profile.value: self._set_profile,
            Action.trigger_message.value: self._trigger,
            Action.unlock_connector.value: self._unlock,
        }

    # Sessions.

    def _remote_start(self, payload: dict[str, Any]) -> _Outcome:
        id_tag, wanted = payload["idTag"], payload.get("connectorId")
        chosen: int | None = self._controls.free_connector(id_tag)
        if wanted is not None:
            chosen = (
                wanted if 0 < wanted <= self._station.connectors and self._station.can_be_used(wanted, id_tag) else None
            )
        if chosen is None or self._controls.charging():
            return call_result.RemoteStartTransaction(RemoteStartStopStatus.rejected), None
        return (
            call_result.RemoteStartTransaction(RemoteStartStopStatus.accepted),
            lambda: self._controls.remote_start(Order(chosen, id_tag, is_remote=True)),
        )

    def _remote_stop(self, payload: dict[str, Any]) -> _Outcome:
        if not self._controls.is_running(payload["transactionId"]):
            return call_result.RemoteStopTransaction(RemoteStartStopStatus.rejected), None
        return (
            call_result.RemoteStopTransaction(RemoteStartStopStatus.accepted),
            lambda: self._controls.request_stop(Reason.remote.value),
        )

    def _unlock(self, payload: dict[str, Any]) -> _Outcome:
        connector_id = payload["connectorId"]
        if not 0 < connector_id <= self._station.connectors:
            return call_result.UnlockConnector(UnlockStatus.not_supported), None
        effect: Effect | None = None
        if self._controls.charging(connector_id):
            effect = lambda: self._controls.request_stop(Reason.unlock_command.value)  # noqa: E731 - one of two
        return call_result.UnlockConnector(UnlockStatus.unlocked), effect

    def _reset(self, payload: dict[str, Any]) -> _Outcome:
        # After a hard reset it comes with a new socket, after a soft one it boots on the same.
        hard = payload["type"] == ResetType.hard
        reason = Reason.hard_reset if hard else Reason.soft_reset
        return (
            call_result.Reset(ResetStatus.accepted),
            lambda: self._controls.reset(reason.value, reconnect=hard),
        )

    def _trigger(self, payload: dict[str, Any]) -> _Outcome:
        return self._triggered(payload, call_result.TriggerMessage)

    def _extended_trigger(self, payload: dict[str, Any]) -> _Outcome:
        return self._triggered(payload, call_result.ExtendedTriggerMessage)

    def _triggered(self, payload: dict[str, Any], result: Callable[[TriggerMessageStatus], object]) -> _Outcome:
        message, connector_id = payload["requestedMessage"], payload.get("connectorId")
        if connector_id is not None and not 0 <= connector_id <= self._station.connectors:
            return result(TriggerMessageStatus.rejected), None
        if message not in (
            MessageTrigger.boot_notification,
            MessageTrigger.heartbeat,
            MessageTrigger.status_notification,
            MessageTrigger.meter_values,
        ):
            return result(TriggerMessageStatus.not_implemented), None
        return result(TriggerMessageStatus.accepted), lambda: self._controls.trigger(message, connector_id)

    # Settings.

    def _get_configuration(self, payload: dict[str, Any]) -> _Outcome:
        known, unknown = self._configuration.get(payload.get("key"))
        return call_result.GetConfiguration(configuration_key=known, unknown_key=unknown or None), None

    def _change_configuration(self, payload: dict[str, Any]) -> _Outcome:
        if payload["key"] == ConfigurationKey.authorization_key.value:
            password = password_of(payload["value"])
            if password is None:
                return call_result.ChangeConfiguration(ConfigurationStatus.rejected), None
            return (
                call_result.ChangeConfiguration(ConfigurationStatus.accepted),
                lambda: self._controls.change_password(password),
            )
        return call_result.ChangeConfiguration(self._configuration.change(payload["key"], payload["value"])), None

    def _change_availability(self, payload: dict[str, Any]) -> _Outcome:
        connector_id = payload["connectorId"]
        if not 0 <= connector_id <= self._station.connectors:
            return call_result.ChangeAvailability(AvailabilityStatus.rejected), None
        changed = [connector_id] if connector_id else list(range(1, self._station.connectors + 1))
        if payload["type"] == "Operative":
            self._station.inoperative.difference_update(changed)
        else:
            self._station.inoperative.update(changed)
        running = any(self._controls.charging(item) for item in changed)
        idle = [item for item in changed if not self._controls.charging(item)]
        return (
            call_result.ChangeAvailability(AvailabilityStatus.scheduled if running else AvailabilityStatus.accepted),
            lambda: self._controls.availability_changed(idle),
        )

    # Reservations, lists, profiles.

    def _reserve(self, payload: dict[str, Any]) -> _Outcome:
        connector_id = payload["connectorId"]
        if not 0 < connector_id <= self._station.connectors:
            return call_result.ReserveNow(ReservationStatus.rejected), None
        if connector_id in self._station.inoperative:
            return call_result.ReserveNow(ReservationStatus.unavailable), None
        reserved = self._station.reservations.get(connector_id)
        taken = reserved is not None and reserved[0] != payload["reservationId"]
        if taken or self._controls.charging(connector_id):
            return call_result.ReserveNow(ReservationStatus.occupied), None
        self._station.reservations[connector_id] = (payload["reservationId"], payload["idTag"])
        return (
            call_result.ReserveNow(ReservationStatus.accepted),
            lambda: self._controls.availability_changed([connector_id]),
        )

    def _cancel_reservation(self, payload: dict[str, Any]) -> _Outcome:
        freed = self._station.cancel_reservation(payload["reservationId"])
        if freed is None:
            return call_result.CancelReservation(CancelReservationStatus.rejected), None
        return (
            call_result.CancelReservation(CancelReservationStatus.accepted),
            lambda: self._controls.availability_changed([freed]),
        )

    def _send_local_list(self, payload: dict[str, Any]) -> _Outcome:
        self._station.list_version = payload["listVersion"]
        return call_result.SendLocalList(UpdateStatus.accepted), None

    def _local_list_version(self, _: dict[str, Any]) -> _Outcome:
        return call_result.GetLocalListVersion(self._station.list_version), None

    def _set_profile(self, _: dict[str, Any]) -> _Outcome:
        self._station.profiles += 1
        return call_result.SetChargingProfile(ProfileStatus.accepted), None

    def _clear_profile(self, _: dict[str, Any]) -> _Outcome:
        status = ClearChargingProfileStatus.accepted if self._station.profiles else ClearChargingProfileStatus.unknown
        self._station.profiles = 0
        return call_result.ClearChargingProfile(status), None


def _always(result: object) -> _Handler:
    return lambda _payload: (result, None)


_FIXED_ANSWERS: dict[str, _Handler] = {
    # The simulator has no certificates, logs or firmware: it says so in the words of the specification.
    Action.certificate_signed.value: _always(call_result.CertificateSigned(CertificateSignedStatus.rejected)),
    Action.clear_cache.value: _always(call_result.ClearCache(ClearCacheStatus.accepted)),
    Action.data_transfer.value: _always(call_result.DataTransfer(DataTransferStatus.unknown_vendor_id)),
    Action.delete_certificate.value: _always(call_result.DeleteCertificate(DeleteCertificateStatus.not_found)),
    Action.get_composite_schedule.value: _always(call_result.GetCompositeSchedule(GetCompositeScheduleStatus.rejected)),
    Action.get_diagnostics.value: _always(call_result.GetDiagnostics()),
    Action.get_installed_certificate_ids.value: _always(
        call_result.GetInstalledCertificateIds(GetInstalledCertificateStatus.not_found)
    ),
    Action.get_log.value: _always(call_result.GetLog(LogStatus.rejected)),
    Action.install_certificate.value: _always(call_result.InstallCertificate(CertificateStatus.rejected)),
    Action.signed_update_firmware.value: _always(call_result.SignedUpdateFirmware(UpdateFirmwareStatus.rejected)),
    Action.update_firmware.value: _always(call_result.UpdateFirmware()),
}
