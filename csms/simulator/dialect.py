"""What one OCPP version makes of the things that every charge point says: the port between behaviour and wire."""

from __future__ import annotations

from random import Random
from typing import Any, Protocol

from attrs import frozen
from ocpp.v16.enums import ChargePointStatus, ReadingContext

from csms.ocppj.schemas import Schemas
from csms.ocppj.versions import Version
from csms.simulator.curve import ChargingCurve, Reading
from csms.simulator.sessions import SessionRecord
from csms.simulator.transaction_queue import QueuedMessage

Payload = dict[str, Any]


@frozen
class Order:
    """Who wants to charge, and where. ``remote_start_id`` and ``token_type`` are OCPP 2.x's, of RequestStartTransaction."""

    connector_id: int
    id_tag: str
    is_remote: bool = False
    remote_start_id: int | None = None
    token_type: str | None = None


class TransactionMessages(Protocol):
    """The messages of one session, each made at its moment. ``offline``: the server cannot be reached at that moment."""

    def started(self, *, offline: bool) -> QueuedMessage:
        """Say that the transaction has started, with what the record says."""

    def sampled(
        self, reading: Reading, register_wh: int, timestamp: str, context: ReadingContext, *, offline: bool
    ) -> QueuedMessage:
        """Say what the meter shows."""

    def state_changed(self, status: ChargePointStatus, timestamp: str, *, offline: bool) -> QueuedMessage | None:
        """Say that charging began or paused, where this version says so within the transaction."""

    def ended(self, *, offline: bool) -> QueuedMessage:
        """Say that the transaction has ended, with what the record says."""


class Dialect(Protocol):
    """One OCPP version, as one charge point speaks it. Statuses and contexts are given in the words of 1.6."""

    @property
    def version(self) -> Version:
        """The version."""

    @property
    def schemas(self) -> Schemas:
        """Its schemas."""

    @property
    def boots_on_every_connection(self) -> bool:
        """Whether BootNotification is sent on each new socket, or only after the charge point has booted."""

    @property
    def triggered_meter_values_name_the_transaction(self) -> bool:
        """Whether MeterValues that the server asks for belong to the running transaction, where there is one."""

    def boot_notification(self, reason: str) -> Payload:
        """Build BootNotification; ``reason`` is a BootReasonEnumType of 2.x."""

    def status_word(self, status: ChargePointStatus) -> str:
        """Return the word of this version for a status."""

    def status_notification(self, connector_id: int, status: ChargePointStatus, timestamp: str) -> Payload | None:
        """Build StatusNotification, None for connector 0 where that has no status."""

    def authorize(self, order: Order) -> Payload | None:
        """Build Authorize, None where nobody is to be asked."""

    def verdict(self, answer: Payload) -> str:
        """Return the status in the answer to Authorize."""

    def transaction_id(self, random: Random) -> str | None:
        """Make up a transaction's id, None where the server gives it."""

    def transaction(
        self, record: SessionRecord, curve: ChargingCurve, random: Random, order: Order, reservation_id: int | None
    ) -> TransactionMessages:
        """Return what says how a session goes."""

    def meter_values(
        self, connector_id: int, timestamp: str, register_wh: int, reading: Reading | None, curve: ChargingCurve | None
    ) -> Payload:
        """Build MeterValues that belong to no transaction, as a server may ask for them."""
