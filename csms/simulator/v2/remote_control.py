"""Remote control and transactions (OCPP 2.x, functional blocks E and F): start, stop, unlock, trigger, status."""

from __future__ import annotations

from typing import Final

from ocpp.v201.enums import MessageTriggerEnumType as Trigger
from ocpp.v201.enums import ReasonEnumType as Reason

from csms.simulator.commands import Controls, Handler, Outcome
from csms.simulator.dialect import Order
from csms.simulator.station import Station
from csms.simulator.v2.messages import CONNECTOR_ID, Payload

_CHARGE_POINTS: Final = (
    Trigger.boot_notification,
    Trigger.heartbeat,
    Trigger.status_notification,
    Trigger.meter_values,
)
_IDLE: Final = (
    Trigger.log_status_notification,
    Trigger.firmware_status_notification,
    Trigger.publish_firmware_status_notification,
)
"""What these report is over within moments: whoever asks for it is told Idle."""


class RemoteControl:
    """Starts and stops sessions, and says how they are."""

    def __init__(self, station: Station, controls: Controls) -> None:
        self._station = station
        self._controls = controls
        self.handlers: dict[str, Handler] = {
            "CostUpdated": self._cost_updated,
            "GetTransactionStatus": self._transaction_status,
            "NotifyAllowedEnergyTransfer": self._allowed_energy_transfer,
            "RequestStartTransaction": self._start,
            "RequestStopTransaction": self._stop,
            "TriggerMessage": self._trigger,
            "UnlockConnector": self._unlock,
        }

    def _start(self, payload: Payload) -> Outcome:
        token, wanted = payload["idToken"], payload.get("evseId")
        id_tag: str = token["idToken"]
        chosen = self._controls.free_connector(id_tag)
        if wanted is not None:
            is_free = self._station.has(wanted) and self._station.can_be_used(wanted, id_tag)
            chosen = wanted if is_free else None
        if chosen is None or self._controls.charging():
            return {"status": "Rejected"}, None
        order = Order(
            chosen, id_tag, is_remote=True, remote_start_id=payload["remoteStartId"], token_type=token["type"]
        )
        return {"status": "Accepted"}, lambda: self._controls.remote_start(order)

    def _stop(self, payload: Payload) -> Outcome:
        if not self._controls.is_running(payload["transactionId"]):
            return {"status": "Rejected"}, None
        return {"status": "Accepted"}, lambda: self._controls.request_stop(Reason.remote.value)

    def _unlock(self, payload: Payload) -> Outcome:
        evse_id, connector_id = payload["evseId"], payload["connectorId"]
        if not self._station.has(evse_id) or connector_id != CONNECTOR_ID:
            return {"status": "UnknownConnector"}, None
        # F05.FR.02: not while somebody is authorised to charge there.
        busy = self._controls.charging(evse_id)
        return {"status": "OngoingAuthorizedTransaction" if busy else "Unlocked"}, None

    def _transaction_status(self, payload: Payload) -> Outcome:
        transaction_id = payload.get("transactionId")
        queued = self._controls.has_queued(transaction_id)
        if transaction_id is None:
            return {"messagesInQueue": queued}, None
        return {"ongoingIndicator": self._controls.is_running(transaction_id), "messagesInQueue": queued}, None

    def _cost_updated(self, payload: Payload) -> Outcome:
        return {}, lambda: self._controls.cost_updated(payload["transactionId"], payload["totalCost"])

    def _allowed_energy_transfer(self, payload: Payload) -> Outcome:
        return {"status": "Accepted" if self._controls.is_running(payload["transactionId"]) else "Rejected"}, None

    def _trigger(self, payload: Payload) -> Outcome:
        message, evse = payload["requestedMessage"], payload.get("evse")
        evse_id: int | None = evse["id"] if evse is not None else None
        if evse_id is not None and not self._station.has(evse_id):
            return {"status": "Rejected"}, None
        if message == Trigger.transaction_event:
            if not self._controls.charging(evse_id):
                return {"status": "Rejected"}, None
        elif message in _IDLE:
            return {"status": "Accepted"}, lambda: self._controls.send(message, {"status": "Idle"})
        elif message not in _CHARGE_POINTS:
            return {"status": "NotImplemented"}, None
        return {"status": "Accepted"}, lambda: self._controls.trigger(message, evse_id)
