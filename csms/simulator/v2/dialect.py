"""OCPP 2.0.1 and 2.1 as a charging station speaks them: TransactionEvent."""

from __future__ import annotations

from random import Random
from uuid import UUID

from attrs import define, field
from ocpp.v16.enums import ChargePointStatus, ReadingContext
from ocpp.v201.enums import IdTokenEnumType

from csms.ocppj.schemas import Schemas, schemas_of
from csms.ocppj.versions import Version
from csms.simulator.behaviour import Behaviour
from csms.simulator.curve import ChargingCurve, Reading
from csms.simulator.dialect import Order
from csms.simulator.sessions import SessionRecord
from csms.simulator.v2 import messages
from csms.simulator.v2.messages import Payload
from csms.simulator.v2.signing import Signer
from csms.simulator.v2.transactions import TransactionEvents

_CONTEXT = ReadingContext.trigger.value


@define(eq=False)
class Dialect2:
    """OCPP 2.0.1 or 2.1, as one charging station speaks it.

    A station that lost its socket has not booted: it does not say so (2.0.1 B04).
    """

    _behaviour: Behaviour
    _client_id: str
    boots_on_every_connection: bool = False
    triggered_meter_values_name_the_transaction: bool = False
    _signer: Signer | None = field(default=None, init=False)

    @property
    def version(self) -> Version:
        """2.0.1 or 2.1."""
        return self._behaviour.version

    @property
    def schemas(self) -> Schemas:
        """The schemas of the version."""
        return schemas_of(self.version)

    def boot_notification(self, reason: str) -> Payload:
        """Build BootNotification."""
        return messages.boot_notification(self._behaviour.vendor, self._behaviour.model, self._client_id, reason)

    def status_word(self, status: ChargePointStatus) -> str:
        """Return the connectorStatus."""
        return messages.connector_status(status)

    def status_notification(self, connector_id: int, status: ChargePointStatus, timestamp: str) -> Payload | None:
        """Build StatusNotification; the station itself has none."""
        return messages.status_notification(connector_id, status, timestamp) if connector_id else None

    def authorize(self, order: Order) -> Payload | None:
        """Build Authorize; NoAuthorization is not to be asked for (2.0.1 C02)."""
        if order.token_type == IdTokenEnumType.no_authorization:
            return None
        return messages.authorize(order.id_tag, order.token_type)

    def verdict(self, answer: Payload) -> str:
        """Return the status in the answer to Authorize."""
        return str(answer["idTokenInfo"]["status"])

    def transaction_id(self, random: Random) -> str:
        """Make up a UUID."""
        return str(UUID(int=random.getrandbits(128), version=4))

    def transaction(
        self, record: SessionRecord, curve: ChargingCurve, random: Random, order: Order, reservation_id: int | None
    ) -> TransactionEvents:
        """Return what says how a session goes."""
        if self._behaviour.signed_readings and self._signer is None:
            self._signer = Signer.make(self._client_id, random)
        return TransactionEvents(record, curve, random, order, reservation_id, self._signer)

    def meter_values(
        self, connector_id: int, timestamp: str, register_wh: int, reading: Reading | None, curve: ChargingCurve | None
    ) -> Payload:
        """Build MeterValues of an EVSE."""
        if reading is None or curve is None:
            samples = [messages.register_sample(register_wh, _CONTEXT)]
        else:
            # Triggered readings are no part of what a seed decides: when they come is the server's choice.
            samples = messages.samples(reading, register_wh, curve, Random(register_wh), _CONTEXT)  # noqa: S311
        return messages.meter_values(connector_id, timestamp, samples)
