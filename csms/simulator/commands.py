"""The answers to the server's commands (OCPP 1.6 §5).

Each answer fits the schema; what follows from it (stop charging, boot again) is handed back as an effect to run after the
answer was sent, as a charge point does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

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
    TriggerMessageStatus,
    UnlockStatus,
    UpdateFirmwareStatus,
    UpdateStatus,
)
from ocpp.v16.enums import ChargingProfileStatus as ProfileStatus

from csms.ocppj import frames
from csms.ocppj.frames import Call
from csms.ocppj.schemas import BadPayload
from csms.simulator.messages import schemas, wire
from csms.simulator.rpc import Answer
from csms.simulator.station import Station

Effect = Callable[[], None]
Outcome = tuple[object, Effect | None]
Handler = Callable[[dict[str, Any]], Outcome]


class Controls(Protocol):
    """What commands do to the charge point."""

    def charging(self, connector_id: int | None = None) -> bool:
        """Return whether a session runs (on that connector)."""

    def is_running(self, transaction_id: int) -> bool:
        """Return whether this is the running transaction."""

    def free_connector(self, id_tag: str) -> int | None:
        """Return a connector that can start a session for this tag now."""

    def remote_start(self, connector_id: int, id_tag: str) -> None:
        """Start a session."""

    def request_stop(self, reason: Reason) -> None:
        """Stop the running session."""

    def reset(self, kind: str) -> None:
        """Restart, ``Hard`` or ``Soft``."""

    def change_password(self, password: bytes) -> None:
        """Come back with another password."""

    def availability_changed(self, connector_ids: list[int]) -> None:
        """Tell the server the new status."""

    def trigger(self, message: str, connector_id: int | None) -> None:
        """Send the message that was asked for."""


class Commands:
    """Answers CALLs from what the station knows."""

    def __init__(self, station: Station, controls: Controls) -> None:
        self._station = station
        self._controls = controls
        self._handlers: dict[str, Handler] = {
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

    def answer(self, call: Call) -> Answer:
        """Answer a CALL of the server."""
        known = schemas()
        if call.action not in known.actions:
            return frames.encode_error(call.message_id, "NotImplemented", f"no action {call.action}"), None
        handler = self._handlers.get(call.action)
        if handler is None:
            return frames.encode_error(call.message_id, "NotSupported", "not for a charge point"), None
        try:
            known.check_request(call.action, call.payload, "tolerant")
        except BadPayload as error:
            return frames.encode_error(call.message_id, error.code, str(error)), None
        result, effect = handler(call.payload)
        return frames.encode_result(call.message_id, wire(result)), effect

    # Sessions.

    def _remote_start(self, payload: dict[str, Any]) -> Outcome:
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
            lambda: self._controls.remote_start(chosen, id_tag),
        )

    def _remote_stop(self, payload: dict[str, Any]) -> Outcome:
        if not self._controls.is_running(payload["transactionId"]):
            return call_result.RemoteStopTransaction(RemoteStartStopStatus.rejected), None
        return (
            call_result.RemoteStopTransaction(RemoteStartStopStatus.accepted),
            lambda: self._controls.request_stop(Reason.remote),
        )

    def _unlock(self, payload: dict[str, Any]) -> Outcome:
        connector_id = payload["connectorId"]
        if not 0 < connector_id <= self._station.connectors:
            return call_result.UnlockConnector(UnlockStatus.not_supported), None
        effect: Effect | None = None
        if self._controls.charging(connector_id):
            effect = lambda: self._controls.request_stop(Reason.unlock_command)  # noqa: E731 - one of two
        return call_result.UnlockConnector(UnlockStatus.unlocked), effect

    def _reset(self, payload: dict[str, Any]) -> Outcome:
        return call_result.Reset(ResetStatus.accepted), lambda: self._controls.reset(payload["type"])

    def _trigger(self, payload: dict[str, Any]) -> Outcome:
        return self._triggered(payload, call_result.TriggerMessage)

    def _extended_trigger(self, payload: dict[str, Any]) -> Outcome:
        return self._triggered(payload, call_result.ExtendedTriggerMessage)

    def _triggered(self, payload: dict[str, Any], result: Callable[[TriggerMessageStatus], object]) -> Outcome:
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

    def _get_configuration(self, payload: dict[str, Any]) -> Outcome:
        known, unknown = self._station.configuration(payload.get("key"))
        return call_result.GetConfiguration(configuration_key=known, unknown_key=unknown or None), None

    def _change_configuration(self, payload: dict[str, Any]) -> Outcome:
        if payload["key"] == ConfigurationKey.authorization_key.value:
            password = self._station.password_of(payload["value"])
            if password is None:
                return call_result.ChangeConfiguration(ConfigurationStatus.rejected), None
            return (
                call_result.ChangeConfiguration(ConfigurationStatus.accepted),
                lambda: self._controls.change_password(password),
            )
        return call_result.ChangeConfiguration(self._station.configure(payload["key"], payload["value"])), None

    def _change_availability(self, payload: dict[str, Any]) -> Outcome:
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

    def _reserve(self, payload: dict[str, Any]) -> Outcome:
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

    def _cancel_reservation(self, payload: dict[str, Any]) -> Outcome:
        freed = self._station.cancel_reservation(payload["reservationId"])
        if freed is None:
            return call_result.CancelReservation(CancelReservationStatus.rejected), None
        return (
            call_result.CancelReservation(CancelReservationStatus.accepted),
            lambda: self._controls.availability_changed([freed]),
        )

    def _send_local_list(self, payload: dict[str, Any]) -> Outcome:
        self._station.list_version = payload["listVersion"]
        return call_result.SendLocalList(UpdateStatus.accepted), None

    def _local_list_version(self, _: dict[str, Any]) -> Outcome:
        return call_result.GetLocalListVersion(self._station.list_version), None

    def _set_profile(self, _: dict[str, Any]) -> Outcome:
        self._station.profiles += 1
        return call_result.SetChargingProfile(ProfileStatus.accepted), None

    def _clear_profile(self, _: dict[str, Any]) -> Outcome:
        status = ClearChargingProfileStatus.accepted if self._station.profiles else ClearChargingProfileStatus.unknown
        self._station.profiles = 0
        return call_result.ClearChargingProfile(status), None


def _always(result: object) -> Handler:
    return lambda _payload: (result, None)


_FIXED_ANSWERS: dict[str, Handler] = {
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
