"""The TransactionEvents of one session (OCPP 2.0.1 and 2.1, E01 to E13)."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from attrs import define, field
from ocpp.v16.enums import ChargePointStatus, ReadingContext
from ocpp.v201.enums import ChargingStateEnumType as ChargingState
from ocpp.v201.enums import ReadingContextEnumType as Context
from ocpp.v201.enums import ReasonEnumType as Reason
from ocpp.v201.enums import TransactionEventEnumType as EventType
from ocpp.v201.enums import TriggerReasonEnumType as Trigger

from csms.simulator.curve import ChargingCurve, Reading
from csms.simulator.dialect import Order
from csms.simulator.sessions import SessionRecord
from csms.simulator.transaction_queue import Kind, QueuedMessage
from csms.simulator.v2 import messages
from csms.simulator.v2.messages import Payload
from csms.simulator.v2.signing import Signer

ACTION: Final = "TransactionEvent"
_STATES = {
    ChargePointStatus.charging: ChargingState.charging,
    ChargePointStatus.suspended_ev: ChargingState.suspended_ev,
    ChargePointStatus.suspended_evse: ChargingState.suspended_evse,
}
_TRIGGERS_OF_THE_END = {
    Reason.local: Trigger.stop_authorized,
    Reason.master_pass: Trigger.stop_authorized,
    Reason.remote: Trigger.remote_stop,
    Reason.de_authorized: Trigger.deauthorized,
    Reason.ev_disconnected: Trigger.ev_departed,
    Reason.immediate_reset: Trigger.reset_command,
    Reason.energy_limit_reached: Trigger.energy_limit_reached,
    Reason.time_limit_reached: Trigger.time_limit_reached,
    Reason.timeout: Trigger.ev_connect_timeout,
    Reason.stopped_by_ev: Trigger.charging_state_changed,
    Reason.soc_limit_reached: Trigger.charging_state_changed,
}


@define(eq=False)
class TransactionEvents:
    """Started, Updated and Ended of one transaction; seqNo counts from 0 in the order in which they come to be.

    The EVSE and the id token are said once, in Started (E01.FR.16, E03.FR.01). ``signer`` signs the registers of start
    and end.
    """

    _record: SessionRecord
    _curve: ChargingCurve
    _random: Random
    _order: Order
    _reservation_id: int | None = None
    _signer: Signer | None = None
    _seq_no: int = field(default=0, init=False)
    _state: ChargingState = field(default=ChargingState.ev_connected, init=False)

    def started(self, *, offline: bool) -> QueuedMessage:
        """Build Started: the cable is plugged in, the token authorised, nothing flows yet."""
        order, record = self._order, self._record
        content: Payload = {
            "evse": {"id": record.connector_id, "connectorId": messages.CONNECTOR_ID},
            "idToken": messages.id_token(record.id_tag, order.token_type),
            "meterValue": self._register(record.meter_start_wh, record.start_timestamp, Context.transaction_begin),
        }
        if self._reservation_id is not None:
            content["reservationId"] = self._reservation_id
        about = {"remoteStartId": order.remote_start_id} if order.remote_start_id is not None else {}
        trigger = Trigger.remote_start if order.is_remote else Trigger.authorized
        event = self._event(EventType.started, record.start_timestamp, trigger, content, offline, about)
        return QueuedMessage(record, Kind.STARTED, ACTION, lambda: event, learn=self._learn)

    def _learn(self, answer: Payload) -> None:
        info = answer.get("idTokenInfo")
        self._record.id_tag_status = info.get("status") if isinstance(info, dict) else None

    def _learn_cost(self, answer: Payload) -> None:
        self._record.total_cost = answer.get("totalCost", self._record.total_cost)

    def sampled(
        self, reading: Reading, register_wh: int, timestamp: str, context: ReadingContext, *, offline: bool
    ) -> QueuedMessage:
        """Build Updated with a reading."""
        samples = messages.samples(reading, register_wh, self._curve, self._random, context.value)
        content = {"meterValue": messages.meter_value(timestamp, samples)}
        trigger = Trigger.trigger if context is ReadingContext.trigger else Trigger.meter_value_periodic
        event = self._event(EventType.updated, timestamp, trigger, content, offline)
        return QueuedMessage(self._record, Kind.SAMPLED, ACTION, lambda: event)

    def state_changed(self, status: ChargePointStatus, timestamp: str, *, offline: bool) -> QueuedMessage:
        """Build Updated with a new chargingState."""
        self._state = _STATES[status]
        content = {"numberOfPhasesUsed": self._curve.phases} if self._state is ChargingState.charging else {}
        event = self._event(EventType.updated, timestamp, Trigger.charging_state_changed, content, offline)
        return QueuedMessage(self._record, Kind.STATE_CHANGED, ACTION, lambda: event)

    def ended(self, *, offline: bool) -> QueuedMessage:
        """Build Ended: the power is off."""
        record = self._record
        timestamp, reason = record.stop_timestamp or "", record.reason or Reason.local
        self._state = ChargingState.idle if reason == Reason.ev_disconnected else ChargingState.ev_connected
        content: Payload = {
            "meterValue": self._register(record.meter_stop_wh or 0, timestamp, Context.transaction_end),
        }
        # Whoever stopped it is known only where somebody held a card to the station.
        if reason == Reason.local:
            content["idToken"] = messages.id_token(record.id_tag, self._order.token_type)
        trigger = next(
            (trigger for known, trigger in _TRIGGERS_OF_THE_END.items() if known == reason), Trigger.abnormal_condition
        )
        event = self._event(EventType.ended, timestamp, trigger, content, offline, {"stoppedReason": reason})
        return QueuedMessage(record, Kind.ENDED, ACTION, lambda: event, learn=self._learn_cost)

    def _register(self, register_wh: int, timestamp: str, context: Context) -> list[Payload]:
        sample = messages.register_sample(register_wh, context.value)
        if self._signer is not None:
            sample["signedMeterValue"] = self._signer.sign(register_wh, timestamp, context.value)
        return messages.meter_value(timestamp, [sample])

    def _event(
        self,
        event_type: EventType,
        timestamp: str,
        trigger: Trigger,
        content: Payload,
        offline: bool,  # noqa: FBT001 - passed on
        about: dict[str, Any] | None = None,
    ) -> Payload:
        event = {
            "eventType": event_type.value,
            "timestamp": timestamp,
            "triggerReason": trigger.value,
            "seqNo": self._seq_no,
            "transactionInfo": {
                "transactionId": self._record.transaction_id,
                "chargingState": self._state.value,
                **(about or {}),
            },
            **content,
        }
        self._seq_no += 1
        return {**event, "offline": True} if offline else event
