"""What an event of a transaction tells of it (OCPP 2.x): how it began, whose it is, where, and from which register it counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from csms.ledger import energy, evses
from csms.ledger.clock import Instant
from csms.ledger.decision import Draft
from csms.ledger.energy import ZERO
from csms.ledger.event_readings import Split
from csms.ledger.evses import NoSuchConnector
from csms.ledger.metering import MeterValue
from csms.ledger.state import EventTrail, Transaction

EventKind = Literal["Started", "Updated", "Ended"]
STOPS = frozenset({"StopAuthorized", "Deauthorized", "RemoteStop"})
"""The trigger of an event whose id token stops, rather than starts."""


class TransactionEvent(Struct, frozen=True, kw_only=True, gc=False):
    """A TransactionEvent; ``id_tag`` is None where it names none, or one that is no tag."""

    kind: EventKind
    station_transaction_id: str
    seq_no: int
    instant: Instant
    trigger_reason: str
    is_offline: bool = False
    evse_id: int | None = None
    station_connector_id: int | None = None
    shows_token: bool = False
    """Whether it names an id token, be it one that is no tag."""
    id_tag: str | None = None
    tag_type: str | None = None
    charging_state: str | None = None
    stopped_reason: str | None = None
    remote_start_id: int | None = None
    reservation_id: int | None = None
    phases_used: int | None = None
    cable_max_current: int | None = None
    readings: Sequence[MeterValue] = ()

    @property
    def stops(self) -> bool:
        """Whether its id token is one that was shown to stop."""
        return self.kind == "Ended" or self.trigger_reason in STOPS


def blank(draft: Draft, event: TransactionEvent, transaction_id: int, connector_id: int | None) -> Transaction:
    """Return a transaction of which nothing is known but that this event is of it."""
    return Transaction(
        transaction_id=transaction_id,
        client_id=draft.state.charge_point.client_id,
        connector_id=connector_id or evses.STATION,
        id_tag="",
        status="active",
        start_time=event.instant.at,
        station_start=event.instant.station,
        meter_start_wh=ZERO,
        meter=energy.EnergyMeter(begun_at=event.instant.at, segment_start_wh=None),
        quality="estimated",
        station_transaction_id=event.station_transaction_id,
        trail=EventTrail(trigger_reason=event.trigger_reason),
    )


def place(draft: Draft, event: TransactionEvent) -> int | None:
    """Return the flat number of an event's connector, None where it does not say; 0 is the station, and no place to charge."""
    if not event.evse_id:
        return None
    try:
        return evses.place(draft, event.evse_id, event.station_connector_id)
    except NoSuchConnector:
        return None


def learn(
    draft: Draft,
    event: TransactionEvent,
    transaction: Transaction,
    connector_id: int | None,
    parts: Split,
) -> Transaction:
    """Take what an event tells of its transaction: how it began, whose it is, where, and from which register it counts."""
    told = transaction.trail or EventTrail()
    if event.kind == "Started" and not told.has_begun:
        told = replace(told, has_begun=True, trigger_reason=event.trigger_reason)
        transaction = replace(
            transaction,
            start_time=event.instant.at,
            station_start=event.instant.station,
            quality="clock_suspect" if event.instant.suspect else "good",
        )
    elif not told.has_begun and event.instant.at < transaction.start_time:
        transaction = replace(transaction, start_time=event.instant.at, station_start=event.instant.station)
    if event.id_tag is not None:
        if not transaction.id_tag or (not event.stops and event.seq_no < (told.tag_from or 0)):
            told = replace(told, tag_from=event.seq_no, tag_type=event.tag_type)
            transaction = replace(transaction, id_tag=event.id_tag)
        if event.stops:
            transaction = replace(transaction, stop_id_tag=event.id_tag)
    remote_start_id = _either(told.remote_start_id, event.remote_start_id)
    if not transaction.id_tag and remote_start_id in draft.state.remote_starts:
        told = replace(told, tag_from=event.seq_no)
        transaction = replace(transaction, id_tag=draft.state.remote_starts[remote_start_id])
    if event.reservation_id is not None and transaction.reservation_id is None:
        transaction = replace(transaction, reservation_id=event.reservation_id)
    told = replace(
        told,
        remote_start_id=remote_start_id,
        phases_used=_either(event.phases_used, told.phases_used),
        cable_max_current=_either(event.cable_max_current, told.cable_max_current),
    )
    transaction = _locate(event, replace(transaction, trail=told), connector_id)
    return _count_from(transaction, parts)


def _locate(event: TransactionEvent, transaction: Transaction, connector_id: int | None) -> Transaction:
    """Take where a transaction is. What it said before stays: it never becomes another connector's."""
    if connector_id is None:
        return transaction
    is_known = transaction.evse_id is not None
    is_finer = (
        transaction.evse_id == event.evse_id and not transaction.station_connector_id and event.station_connector_id
    )
    if is_known and not is_finer:
        return transaction
    told = transaction.trail or EventTrail()
    has_moved = told.started_event_id is not None and transaction.connector_id != connector_id
    return replace(
        transaction,
        connector_id=connector_id,
        evse_id=event.evse_id,
        station_connector_id=event.station_connector_id or None,
        trail=replace(told, has_moved=told.has_moved or has_moved),
    )


def _count_from(transaction: Transaction, parts: Split) -> Transaction:
    """Take the register at the beginning, or the earliest that came where it is not told."""
    told, meter = transaction.trail or EventTrail(), open_meter(transaction)
    if told.knows_begin:
        return transaction
    if parts.begin is not None:
        at, register_wh = parts.begin
        meter = energy.rebase(meter, register_wh, transaction.start_time)
        told = replace(told, knows_begin=True, begin_at=at)
    elif parts.earliest is not None and (told.begin_at is None or parts.earliest[0] < told.begin_at):
        at, register_wh = parts.earliest
        meter = energy.rebase(meter, register_wh, transaction.start_time)
        told = replace(told, begin_at=at)
    else:
        return transaction
    transaction = replace(transaction, meter_start_wh=register_wh, trail=told)
    return with_open_meter(transaction, meter)


def move_on(transaction: Transaction, event: TransactionEvent) -> Transaction:
    """Take what an event says is true now; not that of one that comes late, or from when the station was offline."""
    told = transaction.trail or EventTrail()
    if event.charging_state is None:
        return transaction
    has_charged = told.has_charged or event.charging_state == "Charging"
    return replace(transaction, trail=replace(told, charging_state=event.charging_state, has_charged=has_charged))


def open_meter(transaction: Transaction) -> energy.EnergyMeter:
    """Return the meter that readings count on: of one that has ended as it stood before the stop."""
    told = transaction.trail
    return transaction.meter if told is None or told.open_meter is None else told.open_meter


def with_open_meter(transaction: Transaction, meter: energy.EnergyMeter) -> Transaction:
    """Return a transaction with another `open_meter`."""
    told = transaction.trail
    if told is None or told.open_meter is None:
        return replace(transaction, meter=meter)
    return replace(transaction, trail=replace(told, open_meter=meter))


def _either(one: int | None, other: int | None) -> int | None:
    return one if one is not None else other
