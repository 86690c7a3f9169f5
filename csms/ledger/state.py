"""What the ledger knows of one charge point. Each of the structures but the last is also a row of the store.

All of them are frozen: a rule returns new ones, and they take effect when they are committed. Energies are Wh, times UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from csms.events.business import Quality, SignedValue
from csms.ledger.cost import Tariff
from csms.ledger.energy import EnergyMeter

Registration = Literal["Accepted", "Pending", "Rejected"]
TransactionStatus = Literal["active", "completed", "closed"]
ReservationStatus = Literal["ACTIVE", "USED", "CANCELLED", "EXPIRED", "REJECTED"]


class ChargePoint(Struct, frozen=True, kw_only=True, gc=False):
    """A charge point: who it is, what the operator allows it, and where it is connected now."""

    client_id: str
    registration: Registration
    validation: str | None = None
    allow_no_subprotocol: bool = False
    tariff_id: str | None = None
    """Its own tariff; None is the default of the settings."""
    meter_factor: Decimal | None = None
    """What its energy and power values are multiplied by; None is 1."""
    group_name: str | None = None
    security_profile: int | None = None
    """The least that it has to keep to (OCPP security profiles); None is the setting."""
    vendor: str | None = None
    model: str | None = None
    serial_number: str | None = None
    firmware_version: str | None = None
    booted_at: datetime | None = None
    gateway_id: str | None = None
    """The daemon that holds its socket, or held the last one."""
    version: str | None = None
    connected_since: datetime | None = None
    """None while it is offline."""
    disconnected_at: datetime | None = None

    @property
    def is_online(self) -> bool:
        """Whether a daemon holds its socket, by the ledger."""
        return self.connected_since is not None

    @property
    def registered(self) -> Registration | None:
        """What it was answered when it booted, as far as that is worth on a new connection: an accepted one need not boot."""
        return "Accepted" if self.booted_at is not None and self.registration == "Accepted" else None


class Provisioned(Struct, frozen=True, kw_only=True):
    """The operator's part of a charge point's row: sessions do not write it, so that a late word of theirs undoes nothing."""

    client_id: str
    registration: Registration
    validation: str | None
    allow_no_subprotocol: bool
    tariff_id: str | None
    meter_factor: Decimal | None
    group_name: str | None
    security_profile: int | None


class PasswordHash(Struct, frozen=True, kw_only=True):
    """The operator's word about a charge point's password; ``registration`` and ``allow_no_subprotocol`` for its row to be there.

    Nobody holds it in memory: it is read when somebody comes who says that he is this charge point.
    """

    client_id: str
    registration: Registration
    allow_no_subprotocol: bool
    password_hash: str | None
    new_password_hashes: str | None = None
    """None: a password that is on its way to the charge point counts no more."""


class Credentials(Struct, frozen=True, kw_only=True):
    """What is asked of somebody who says that he is this charge point."""

    is_known: bool = False
    allow_no_subprotocol: bool = False
    security_profile: int = 0
    password_hash: str | None = None
    new_password_hashes: tuple[str, ...] = ()
    """Of passwords that were sent to the charge point: they count beside the old one until it has come back with one."""

    @property
    def hashes(self) -> tuple[str, ...]:
        """The hashes of all passwords that are right now."""
        return (*((self.password_hash,) if self.password_hash is not None else ()), *self.new_password_hashes)


class Connector(Struct, frozen=True, kw_only=True):
    """A connector as its last StatusNotification left it; connector 0 is the station."""

    client_id: str
    connector_id: int
    status: str
    error_code: str
    info: str | None = None
    vendor_id: str | None = None
    vendor_error_code: str | None = None
    changed_at: datetime


class Transaction(Struct, frozen=True, kw_only=True):
    """A transaction. ``closed`` means that the daemon or an operator ended it, without the charge point's word."""

    transaction_id: int
    client_id: str
    connector_id: int
    id_tag: str
    status: TransactionStatus
    start_time: datetime
    station_start: str
    """The start as the charge point's own text: a StartTransaction that comes again is known by it."""
    meter_start_wh: Decimal
    meter: EnergyMeter
    quality: Quality = "good"
    reservation_id: int | None = None
    stop_time: datetime | None = None
    meter_stop_wh: Decimal | None = None
    energy_wh: Decimal | None = None
    reason: str | None = None
    stop_id_tag: str | None = None
    cost: Decimal | None = None
    currency: str | None = None
    completed_event_id: str | None = None
    cost_event_id: str | None = None
    signed: tuple[SignedValue, ...] = ()


class MeterProgress(Struct, frozen=True, gc=False):
    """How far a running transaction has come by its readings."""

    transaction_id: int
    meter: EnergyMeter
    signed: tuple[SignedValue, ...]


class Reservation(Struct, frozen=True, kw_only=True):
    """A reservation of a connector (OCPP 1.6 §5.13); connector 0 is any."""

    client_id: str
    reservation_id: int
    connector_id: int
    id_tag: str
    parent_id_tag: str | None = None
    expiry_date: datetime
    status: ReservationStatus
    transaction_id: int | None = None
    """The transaction that used it."""
    created_at: datetime
    changed_at: datetime


class ConfigurationKey(Struct, frozen=True, kw_only=True):
    """A configuration key as the charge point last told it (OCPP 1.6 §7.29)."""

    client_id: str
    key: str
    value: str | None = None
    readonly: bool
    seen_at: datetime


class Reading(Struct, frozen=True, kw_only=True):
    """The raw meter values of one reading time; ``samples`` is their JSON."""

    client_id: str
    connector_id: int
    transaction_id: int | None
    taken_at: datetime
    received_at: datetime
    energy_wh: Decimal | None
    samples: bytes


class Record(Struct, frozen=True, kw_only=True):
    """A message that has no row of its own but must not be lost; ``body`` is its payload's JSON."""

    client_id: str
    received_at: datetime
    kind: str
    message_id: str | None
    body: bytes


class Finished(Struct, frozen=True, gc=False):
    """The last transaction that ended on a connector: closing meter values still belong to it."""

    transaction_id: int
    start_time: datetime
    stop_time: datetime


class ChargePointState(Struct, frozen=True, kw_only=True):
    """All that rules need of a charge point, held in memory while it is connected."""

    charge_point: ChargePoint
    is_new: bool = False
    """Whether the store did not know it when it connected."""
    registered: Registration | None = None
    """What its latest BootNotification was answered on this connection, or on an earlier one where that was Accepted; None
    where it has to boot before it is spoken to. A registration that the operator changes takes effect when it boots."""
    sequence: int
    """Of its latest event."""
    readings_known_since: datetime
    """The time of the latest reading in the store when this state was read: later ones are new, a message that came
    again brings earlier ones."""
    latest_start: datetime = datetime(1970, 1, 1, tzinfo=UTC)
    """Of all its transactions: a StartTransaction of a later time is no repetition."""
    connectors: dict[int, Connector] = {}
    running: dict[int, Transaction] = {}
    finished: dict[int, Finished] = {}
    latest_reading: dict[int, datetime] = {}
    reservations: dict[int, Reservation] = {}
    """Those that are active."""
    lapsed: dict[int, Reservation] = {}
    """Those that expired lately: a start that was queued may still have used them."""
    tariff: Tariff | None = None
    """The charge point's own tariff; None is the default of the settings."""
    has_wishes: bool = False
    """Whether the operator wanted a configuration of it when this state was read."""
    has_queued: bool = False
    """Whether commands waited for it when it connected."""
    registers: dict[int, Decimal] = {}
    """The latest energy register of a connector, Wh, as far as it was heard on this connection."""
