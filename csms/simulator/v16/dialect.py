"""OCPP 1.6 as a charge point speaks it: StartTransaction, MeterValues, StopTransaction."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from attrs import define, frozen
from ocpp.v16.enums import Action, ChargePointStatus, ReadingContext, Reason

from csms.ocppj.schemas import Schemas, schemas_of
from csms.ocppj.versions import V16, Version
from csms.simulator.behaviour import Behaviour
from csms.simulator.curve import ChargingCurve, Reading
from csms.simulator.dialect import Order, Payload
from csms.simulator.sessions import SessionRecord
from csms.simulator.transaction_queue import BadAnswer, Kind, QueuedMessage
from csms.simulator.v16 import messages


@define(eq=False)
class Transaction16:
    """The messages of one session. The transactionId is filled in when they are sent: only then it is surely known."""

    _record: SessionRecord
    _curve: ChargingCurve
    _random: Random
    _reservation_id: int | None

    def started(self, *, offline: bool) -> QueuedMessage:  # noqa: ARG002 - 1.6 does not say it
        """Build StartTransaction."""
        record = self._record
        payload = messages.start_transaction(
            record.connector_id, record.id_tag, record.meter_start_wh, record.start_timestamp, self._reservation_id
        )
        return QueuedMessage(
            record, Kind.STARTED, Action.start_transaction.value, lambda: payload, learn=self._learn_transaction_id
        )

    def _learn_transaction_id(self, answer: Payload) -> None:
        transaction_id = answer.get("transactionId")
        if type(transaction_id) is not int:
            raise BadAnswer("the answer to StartTransaction has no transactionId")
        self._record.transaction_id = transaction_id
        info = answer.get("idTagInfo")
        self._record.id_tag_status = info.get("status") if isinstance(info, dict) else None

    def sampled(
        self,
        reading: Reading,
        register_wh: int,
        timestamp: str,
        context: ReadingContext,
        *,
        offline: bool,  # noqa: ARG002 - 1.6 does not say it
    ) -> QueuedMessage:
        """Build MeterValues."""
        samples = messages.samples(reading, register_wh, self._curve, self._random, context)
        payload = messages.meter_values(self._record.connector_id, timestamp, samples)
        return QueuedMessage(self._record, Kind.SAMPLED, Action.meter_values.value, self._with_id(payload))

    def state_changed(self, status: ChargePointStatus, timestamp: str, *, offline: bool) -> None:
        """Say nothing: in 1.6 it is a StatusNotification."""

    def ended(self, *, offline: bool) -> QueuedMessage:  # noqa: ARG002 - 1.6 does not say it
        """Build StopTransaction."""
        record = self._record
        reason = Reason(record.reason)
        # Whoever stopped it is known only where somebody held a card to the charge point.
        id_tag = record.id_tag if reason is Reason.local else None
        payload = messages.stop_transaction(id_tag, record.meter_stop_wh or 0, record.stop_timestamp or "", reason)
        return QueuedMessage(record, Kind.ENDED, Action.stop_transaction.value, self._with_id(payload))

    def _with_id(self, payload: Payload) -> Callable[[], Payload]:
        return lambda: {**payload, "transactionId": self._record.transaction_id}


@frozen
class Dialect16:
    """OCPP 1.6, as one charge point speaks it."""

    _behaviour: Behaviour
    _client_id: str
    version: Version = V16
    boots_on_every_connection: bool = True
    triggered_meter_values_name_the_transaction: bool = True

    @property
    def schemas(self) -> Schemas:
        """The schemas of 1.6."""
        return schemas_of(V16)

    def boot_notification(self, reason: str) -> Payload:  # noqa: ARG002 - 1.6 has no reason
        """Build BootNotification."""
        return messages.boot_notification(self._behaviour.vendor, self._behaviour.model, self._client_id)

    def status_word(self, status: ChargePointStatus) -> str:
        """Return the status."""
        return str(status.value)

    def status_notification(self, connector_id: int, status: ChargePointStatus, timestamp: str) -> Payload:
        """Build StatusNotification."""
        return messages.status_notification(connector_id, status, timestamp)

    def authorize(self, order: Order) -> Payload:
        """Build Authorize."""
        return messages.authorize(order.id_tag)

    def verdict(self, answer: Payload) -> str:
        """Return the status in the answer to Authorize."""
        return str(answer["idTagInfo"]["status"])

    def transaction_id(self, random: Random) -> None:
        """Return nothing: the server gives the id."""

    def transaction(
        self,
        record: SessionRecord,
        curve: ChargingCurve,
        random: Random,
        order: Order,  # noqa: ARG002 - the record says all that 1.6 has
        reservation_id: int | None,
    ) -> Transaction16:
        """Return what says how a session goes."""
        return Transaction16(record, curve, random, reservation_id)

    def meter_values(
        self,
        connector_id: int,
        timestamp: str,
        register_wh: int,
        reading: Reading | None,  # noqa: ARG002 - what belongs to a session goes with it
        curve: ChargingCurve | None,  # noqa: ARG002
    ) -> Payload:
        """Build MeterValues that belong to no transaction."""
        register = messages.register_sample(register_wh, ReadingContext.trigger)
        return messages.meter_values(connector_id, timestamp, [register])
