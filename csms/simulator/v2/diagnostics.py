"""Diagnostics and firmware (OCPP 2.x, functional blocks L and N): the messages of an upload and an update, without either.

Nothing is uploaded, downloaded or installed: a simulated station has no logs and no firmware, but its server is told what
a station that has them would tell.
"""

from __future__ import annotations

from typing import Final

from ocpp.v201.enums import BootReasonEnumType as BootReason
from ocpp.v201.enums import FirmwareStatusEnumType as FirmwareStatus
from ocpp.v201.enums import UploadLogStatusEnumType as LogStatus

from csms.simulator.commands import Controls, Handler, Outcome
from csms.simulator.v2.messages import Payload

_PERSONAL_DATA: Final = "The simulator keeps nothing about this customer."
_UPDATE: Final = (
    FirmwareStatus.downloading,
    FirmwareStatus.downloaded,
    FirmwareStatus.signature_verified,
    FirmwareStatus.installing,
    FirmwareStatus.install_rebooting,
)
_UNSIGNED: Final = (FirmwareStatus.signature_verified,)


class Diagnostics:
    """Logs, firmware and customer information."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._published: set[str] = set()
        self.handlers: dict[str, Handler] = {
            "CustomerInformation": self._customer_information,
            "GetLog": self._get_log,
            "PublishFirmware": self._publish_firmware,
            "UnpublishFirmware": self._unpublish_firmware,
            "UpdateFirmware": self._update_firmware,
        }

    def _get_log(self, payload: Payload) -> Outcome:
        request_id = payload["requestId"]

        def upload() -> None:
            for status in (LogStatus.uploading, LogStatus.uploaded):
                self._controls.send("LogStatusNotification", {"status": status.value, "requestId": request_id})

        return {"status": "Accepted", "filename": f"{payload['logType']}-{request_id}.log"}, upload

    def _update_firmware(self, payload: Payload) -> Outcome:
        request_id = payload["requestId"]
        is_signed = "signature" in payload["firmware"]

        def update() -> None:
            for status in _UPDATE:
                if is_signed or status not in _UNSIGNED:
                    self._tell_firmware(status, request_id)
            self._controls.boot_again(BootReason.firmware_update.value)
            self._tell_firmware(FirmwareStatus.installed, request_id)

        return {"status": "Accepted"}, update

    def _tell_firmware(self, status: FirmwareStatus, request_id: int) -> None:
        self._controls.send("FirmwareStatusNotification", {"status": status.value, "requestId": request_id})

    def _publish_firmware(self, payload: Payload) -> Outcome:
        request_id, checksum = payload["requestId"], payload["checksum"]

        def publish() -> None:
            self._published.add(checksum)
            for status in ("Downloading", "Downloaded", "ChecksumVerified"):
                self._tell_publishing({"status": status, "requestId": request_id})
            # L03.FR.04: with where it is.
            self._tell_publishing({"status": "Published", "requestId": request_id, "location": [payload["location"]]})

        return {"status": "Accepted"}, publish

    def _tell_publishing(self, payload: Payload) -> None:
        self._controls.send("PublishFirmwareStatusNotification", payload)

    def _unpublish_firmware(self, payload: Payload) -> Outcome:
        if payload["checksum"] not in self._published:
            return {"status": "NoFirmware"}, None
        self._published.discard(payload["checksum"])
        return {"status": "Unpublished"}, None

    def _customer_information(self, payload: Payload) -> Outcome:
        if not {"customerIdentifier", "idToken", "customerCertificate"} & payload.keys():
            return {"status": "Invalid"}, None
        if not payload["report"]:
            return {"status": "Accepted"}, None
        notification = {"requestId": payload["requestId"], "seqNo": 0, "tbc": False, "data": _PERSONAL_DATA}

        def notify() -> None:
            stamped = {**notification, "generatedAt": self._controls.timestamp()}
            self._controls.send("NotifyCustomerInformation", stamped)

        return {"status": "Accepted"}, notify
