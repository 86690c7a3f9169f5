"""What the ledger knows of one charge point. Each of the structures but the last is also a row of the store.

All of them are frozen: a rule returns new ones, and they take effect when they are committed. Energies are Wh, times UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from csms.events.business import Quality, SignedValue
from csms.ledger.cost import Tariff
from csms.ledger.energy import EnergyMeter
from csms.ledger.model import Report

Registration = Literal["Accepted", "Pending", "Rejected"]
TransactionStatus = Literal["active", "completed", "closed"]
TariffKind = Literal["DefaultTariff", "DriverTariff"]
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
    certificate_name: str | None = None
    """The CN of its client certificate, as its serial number, where that is not its identity."""
    accept_expired_certificate: bool = False
    """Whether it may come once more with a client certificate that has ended, to get a new one (2.0.1 A00.FR.429)."""
    vendor: str | None = None
    model: str | None = None
    serial_number: str | None = None
    firmware_version: str | None = None
    booted_at: datetime | None = None
    booted_as: Registration | None = None
    """What its latest BootNotification was answered; the operator may have decided otherwise since."""
    gateway_id: str | None = None
    """The daemon that holds its socket, or held the last one."""
    version: str | None = None
    connected_since: datetime | None = None
    """None while it is offline."""
    disconnected_at: datetime | None = None
    local_list_version: int | None = None
    """Of its local authorization list, as its answers told it last."""
    local_list_seen_at: datetime | None = None

    @property
    def is_online(self) -> bool:
        """Whether a daemon holds its socket, by the ledger."""
        return self.connected_since is not None

    @property
    def registered(self) -> Registration | None:
        """What it was answered when it booted, as far as that is worth on a new connection: an accepted one need not boot."""
        return "Accepted" if self.booted_as == "Accepted" and self.registration == "Accepted" else None


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
    certificate_name: str | None
    accept_expired_certificate: bool


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
    certificate_names: frozenset[str] = frozenset()
    """The CNs of client certificates that name it and nobody else."""
    accept_expired_certificate: bool = False
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


class EvseConnector(Struct, frozen=True, kw_only=True):
    """Which connector of which EVSE a flat connector number stands for (OCPP 2.x); it is given once, and stays."""

    client_id: str
    connector_id: int
    evse_id: int
    station_connector_id: int
    """The connector's number within its EVSE."""
    station_status: str | None = None
    """The station's own word for its status, as it told it last."""


class EventTrail(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the events of a transaction told in OCPP 2.x, beside what every version tells."""

    highest: int = -1
    """The highest seqNo that came."""
    latest_at: datetime | None = None
    """The time of that event."""
    missing: tuple[tuple[int, int], ...] = ()
    """The seqNos below the highest one that did not come: first and last of each gap."""
    has_begun: bool = False
    """Whether its Started came; without it the transaction was opened from what was known."""
    ended: int | None = None
    """The seqNo of its Ended."""
    open_meter: EnergyMeter | None = None
    """Once it has ended, its meter before the stop: what comes late counts from there."""
    knows_end: bool = False
    """Whether the register at its end was told."""
    tag_from: int | None = None
    """The seqNo of the event that told its id tag."""
    tag_type: str | None = None
    knows_begin: bool = False
    """Whether the register at its beginning was told."""
    begin_at: datetime | None = None
    """The time of the register that its energy counts from."""
    has_moved: bool = False
    """Whether its connector became known only after its first event."""
    charging_state: str | None = None
    has_charged: bool = False
    trigger_reason: str | None = None
    """What its first event was sent for."""
    remote_start_id: int | None = None
    phases_used: int | None = None
    cable_max_current: int | None = None
    started_event_id: str | None = None


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
    station_transaction_id: str | None = None
    """The station's own id of it (OCPP 2.x), as the three that follow."""
    evse_id: int | None = None
    station_connector_id: int | None = None
    trail: EventTrail | None = None

    @property
    def is_told(self) -> bool:
        """Whether its `started` has been told: of OCPP 2.x it waits until the transaction is somebody's, or energy flows.

        Until then nothing that is published names it: in 1.6 there is no transaction before that either.
        """
        return self.trail is None or self.trail.started_event_id is not None


class EventProgress(Struct, frozen=True, gc=False):
    """As `MeterProgress`, by an event of OCPP 2.x."""

    transaction_id: int
    meter: EnergyMeter
    signed: tuple[SignedValue, ...]
    trail: EventTrail | None


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
    id_tag_status: str | None = None
    """How the tag was judged when it was reserved (a `TagStatus`); None where it could not be."""
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


class StationTariff(Struct, frozen=True, kw_only=True):
    """A tariff that a charge point has been given, or told that it has (OCPP 2.1 I07, I09); EVSE 0 is all of them."""

    client_id: str
    evse_id: int
    tariff_id: str
    """The id that OCPP knows it by, which is not the ledger's name of it."""
    kind: TariffKind
    valid_from: datetime | None = None
    is_installed: bool = True
    """False where it was replaced or cleared."""
    seen_at: datetime


class ConfigurationResult(Struct, frozen=True, kw_only=True):
    """What came of a configuration key that the operator wants, when the charge point booted last."""

    client_id: str
    key: str
    """Folded: keys are the same in any case."""
    wanted: str
    """The value that was wanted then, without secrets."""
    status: str
    read_value: str | None
    """The value that it had before; None where it told none."""
    at: datetime


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


class Fact(Struct, frozen=True, kw_only=True):
    """Something known of a charge point by its kind and a key within that: ``value`` is JSON."""

    client_id: str
    kind: str
    key: str
    value: bytes
    changed_at: datetime


class Parts(Struct, frozen=True, gc=False):
    """What has come of a report that comes in parts; ``size`` is that of their JSON in bytes."""

    items: tuple[Any, ...]
    size: int
    is_complete: bool


class Finished(Struct, frozen=True, gc=False):
    """The last transaction that ended on a connector: closing meter values still belong to it."""

    transaction_id: int
    start_time: datetime
    stop_time: datetime


NOTHING_ASKED: frozenset[str] = frozenset()
"""One for all charge points: an empty set is larger than most."""


class ChargePointState(Struct, frozen=True, kw_only=True):
    """All that rules need of a charge point, held in memory while it is connected."""

    charge_point: ChargePoint
    is_new: bool = False
    """Whether the store did not know it when it connected."""
    has_expired_certificate: bool = False
    """Whether it came with a client certificate that has ended: it is Pending until it comes with a new one (2.0.1 A00.FR.429)."""
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
    evses: dict[int, EvseConnector] = {}
    """By flat connector number; empty where it speaks OCPP 1.6."""
    remote_starts: dict[int, str] = {}
    """The id tags of the remote starts that it accepted lately, by remoteStartId (OCPP 2.x)."""
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
    asked_for: frozenset[str] = NOTHING_ASKED
    """What it may send though its registration is not Accepted, because it was asked for it since it booted (2.x B02.FR.02)."""
    parts: dict[tuple[str, int], Parts] = {}
    """Of reports whose last part has not come, by action and request id; as far as they came on this connection."""
    streams: dict[int, int] = {}
    """Of the periodic event streams that are open (2.1): the id of the monitor whose values they bring, by their own."""
    reports: dict[int, Report] = {}
    """Those of the device model that were asked for, or came, on this connection; the latest few."""
    refused_starts: tuple[tuple[int, str, str, Decimal], ...] = ()
    """The latest starts that were refused on this connection: connector, tag, the station's own time, and meter."""
    registers: dict[int, Decimal] = {}
    """The latest energy register of a connector, Wh, as far as it was heard on this connection."""

    @property
    def registration(self) -> Registration:
        """What it is told when it boots: the operator's word, if its certificate has not ended."""
        registration = self.charge_point.registration
        return "Pending" if self.has_expired_certificate and registration == "Accepted" else registration
