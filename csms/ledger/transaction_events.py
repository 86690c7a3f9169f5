"""Transactions by the events of OCPP 2.x (E01 to E16), under the rules of 1.6: the same events, the same numbers.

Events come in any order, again, or not at all. A transaction is opened by whichever comes first; what a late one tells is a
correction, of the `started` or of the `completed` that it concerns.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from csms.events.business import Started
from csms.ledger import chargepoints, connectors, energy, evses, reservations, trail, transactions
from csms.ledger.clock import Instant
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.energy import ZERO
from csms.ledger.event_readings import Split, split
from csms.ledger.evses import NoSuchConnector
from csms.ledger.metering import MeterValue
from csms.ledger.numbers import number
from csms.ledger.readings import Known, take_readings
from csms.ledger.state import ChargePointState, EventProgress, EventTrail, Transaction
from csms.ledger.trail import Arrival
from csms.ledger.transactions import UNKNOWN_METER

EventKind = Literal["Started", "Updated", "Ended"]
AFTER_END = "TransactionEventAfterEnd"
STOPS = frozenset({"StopAuthorized", "Deauthorized", "RemoteStop"})
"""The trigger of an event whose id token stops, rather than starts."""
_DEFAULT_REASON = "Local"


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


class Taken(Struct, frozen=True, gc=False):
    """What came of an event: the transaction after it, and how the event came."""

    transaction: Transaction
    arrival: Arrival
    is_new: bool
    is_after_end: bool


def is_of(event: TransactionEvent, found: Transaction | None) -> bool:
    """Tell whether an event is of a stored transaction; a station that counts from 1 again uses an old id for a new one."""
    if found is None:
        return False
    is_reused = (
        event.kind == "Started"
        and found.status != "active"
        and found.trail is not None
        and found.trail.has_begun
        and found.station_start != event.instant.station
    )
    return not is_reused


def take(
    state: ChargePointState,
    context: Context,
    event: TransactionEvent,
    *,
    found: Transaction | None,
    transaction_id: int,
    known: Known,
    tariff: Tariff,
    body: object,
) -> Decision[Taken]:
    """Take an event. ``found`` is the transaction that it is of, running or not; None opens one under ``transaction_id``."""
    draft = Draft(state, context)
    tariff = state.tariff or tariff
    before = found if found is not None and found.trail is not None else None
    connector_id = _place(draft, event)
    parts = split(event.kind, event.readings)
    transaction = before if before is not None else _blank(draft, event, transaction_id, connector_id)
    arrived = trail.arrive(
        transaction.trail or EventTrail(), event.seq_no, event.instant, is_start=event.kind == "Started"
    )
    is_after_end = before is not None and _is_after_end(before, event, arrived.arrival)
    transaction = replace(transaction, trail=arrived.trail)
    if not is_after_end:
        transaction = _learn(draft, context, event, transaction, connector_id, parts)
        if event.kind == "Started" and arrived.arrival != "again":
            _close_others(draft, transaction, tariff)
    elif arrived.arrival != "again":
        draft.change(chargepoints.record(state, context, AFTER_END, body))
    if _differs(transaction, before):
        transaction = _tell_started(draft, transaction)
    transaction = _read(draft, context, transaction, parts, known, is_settled=is_after_end)
    draft.state = replace(draft.state, latest_start=max(draft.state.latest_start, transaction.start_time))
    is_live = arrived.arrival == "in order" and not event.is_offline and not is_after_end
    if is_live:
        transaction = _move_on(transaction, event)
    transaction = _settle(draft, event, transaction, before, parts, tariff, is_after_end=is_after_end)
    if is_live and transaction.evse_id is not None:
        connectors.charging_state_changed(
            draft, context, transaction.connector_id, event.charging_state, event.instant.at
        )
    return draft.decide(Taken(transaction, arrived.arrival, before is None, is_after_end))


def _blank(draft: Draft, event: TransactionEvent, transaction_id: int, connector_id: int | None) -> Transaction:
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


def _place(draft: Draft, event: TransactionEvent) -> int | None:
    """Return the flat number of an event's connector, None where it does not say; 0 is the station, and no place to charge."""
    if not event.evse_id:
        return None
    try:
        return evses.place(draft, event.evse_id, event.station_connector_id)
    except NoSuchConnector:
        return None


def _is_after_end(before: Transaction, event: TransactionEvent, arrival: Arrival) -> bool:
    ended = before.trail.ended if before.trail is not None else None
    return before.status == "completed" and ended is not None and event.seq_no >= ended and arrival != "late"


def _learn(
    draft: Draft,
    context: Context,
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
    elif not transaction.id_tag and event.remote_start_id in draft.state.remote_starts:
        told = replace(told, tag_from=event.seq_no)
        transaction = replace(transaction, id_tag=draft.state.remote_starts[event.remote_start_id])
    if event.reservation_id is not None and transaction.reservation_id is None:
        reservations.use(draft, context, event.reservation_id, transaction.transaction_id)
        transaction = replace(transaction, reservation_id=event.reservation_id)
    told = replace(
        told,
        remote_start_id=_either(told.remote_start_id, event.remote_start_id),
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
    told, meter = transaction.trail or EventTrail(), _open_meter(transaction)
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
    return _with_open_meter(transaction, meter)


def _close_others(draft: Draft, transaction: Transaction, tariff: Tariff) -> None:
    """A new transaction begins where one runs that began before: that one was forgotten."""
    for running in list(draft.state.running.values()):
        is_here = running.connector_id == transaction.connector_id != evses.STATION or (
            transaction.evse_id is not None and running.evse_id == transaction.evse_id
        )
        is_other = running.transaction_id != transaction.transaction_id
        if is_here and is_other and running.start_time <= transaction.start_time:
            transactions.close_forgotten(draft, running, transaction.start_time, tariff)


def _differs(transaction: Transaction, before: Transaction | None) -> bool:
    """Tell whether `started` has to be told, or told anew."""
    return (
        before is None
        or any(getattr(transaction, name) != getattr(before, name) for name in ("id_tag", "connector_id", "evse_id"))
        or (
            transaction.trail is not None
            and before.trail is not None
            and transaction.trail.has_begun != before.trail.has_begun
        )
    )


def _tell_started(draft: Draft, transaction: Transaction) -> Transaction:
    told = transaction.trail or EventTrail()
    register = draft.state.registers.get(transaction.connector_id) if transaction.connector_id else None
    meter_start_wh = transaction.meter_start_wh
    if not told.knows_begin and told.begin_at is None and register is not None:
        meter_start_wh = register
    event_id = draft.emit(
        "started",
        Started(
            transaction_id=transaction.transaction_id,
            connector_id=transaction.connector_id,
            id_tag=transaction.id_tag,
            meter_start=number(meter_start_wh),
            start_time=transaction.start_time,
            current_meter=number(register) if register is not None else UNSET,
            **evses.transaction_names(transaction),
        ),
        supersedes=told.started_event_id,
    )
    return replace(transaction, trail=replace(told, started_event_id=event_id))


def _read(
    draft: Draft, context: Context, transaction: Transaction, parts: Split, known: Known, *, is_settled: bool
) -> Transaction:
    """Take the readings: those of begin and end say what `started` and `completed` say, and are no events of their own."""
    told = transaction.trail
    if told is not None and told.has_moved:
        known |= {(transaction.connector_id, at, samples) for _, at, samples in known}
    open_meter = _open_meter(transaction)
    owner = transaction if is_settled else replace(transaction, status="active", meter=open_meter)
    for values, is_silent, counts in (
        (parts.opening, True, False),
        (parts.between, False, True),
        (parts.closing, parts.closing_is_plain, False),
    ):
        if values:
            after = take_readings(
                draft, context.now, transaction.connector_id, owner, values, known, is_silent=is_silent
            )
            if after is not None:
                owner = after if counts else replace(after, meter=owner.meter)
    if is_settled:
        return transaction
    return _with_open_meter(replace(transaction, signed=owner.signed), owner.meter)


def _move_on(transaction: Transaction, event: TransactionEvent) -> Transaction:
    told = transaction.trail or EventTrail()
    if event.charging_state is None:
        return transaction
    has_charged = told.has_charged or event.charging_state == "Charging"
    return replace(transaction, trail=replace(told, charging_state=event.charging_state, has_charged=has_charged))


def _settle(
    draft: Draft,
    event: TransactionEvent,
    transaction: Transaction,
    before: Transaction | None,
    parts: Split,
    tariff: Tariff,
    *,
    is_after_end: bool,
) -> Transaction:
    """End the transaction, correct how it ended, or have its progress kept."""
    if is_after_end:
        if before is not None and transaction.trail != before.trail:
            draft.change(transaction)
        return transaction
    told = transaction.trail or EventTrail()
    if event.kind == "Ended" and transaction.status != "completed":
        told = replace(told, ended=event.seq_no, open_meter=transaction.meter, knows_end=parts.end is not None)
        return _complete(
            draft,
            replace(transaction, trail=told),
            meter_stop_wh=parts.end[1] if parts.end is not None else UNKNOWN_METER,
            stop_time=event.instant.at,
            clock_suspect=event.instant.suspect,
            reason=event.stopped_reason or _DEFAULT_REASON,
            tariff=tariff,
        )
    if transaction.status == "completed" and before is not None and _corrects(transaction, before):
        return _complete(
            draft,
            replace(transaction, meter=told.open_meter or transaction.meter),
            meter_stop_wh=(transaction.meter_stop_wh or ZERO) if told.knows_end else UNKNOWN_METER,
            stop_time=transaction.stop_time or event.instant.at,
            clock_suspect=before.quality == "clock_suspect",
            reason=transaction.reason or _DEFAULT_REASON,
            tariff=tariff,
        )
    _keep(draft, transaction, before)
    return transaction


def _complete(
    draft: Draft,
    transaction: Transaction,
    *,
    meter_stop_wh: Decimal,
    stop_time: datetime,
    clock_suspect: bool,
    reason: str,
    tariff: Tariff,
) -> Transaction:
    return transactions.complete(
        draft,
        transaction,
        status="completed",
        meter_stop_wh=meter_stop_wh,
        stop_time=stop_time,
        clock_suspect=clock_suspect,
        reason=reason,
        stop_id_tag=transaction.stop_id_tag,
        tariff=tariff,
    )


def _corrects(transaction: Transaction, before: Transaction) -> bool:
    """Tell whether what came late changes what `completed` said."""
    names = ("id_tag", "connector_id", "evse_id", "start_time", "meter_start_wh", "signed")
    if any(getattr(transaction, name) != getattr(before, name) for name in names):
        return True
    told, earlier = transaction.trail or EventTrail(), before.trail or EventTrail()
    is_better = transactions.is_partly_known(before) and not transactions.is_partly_known(transaction)
    return is_better or told.open_meter != earlier.open_meter


def _keep(draft: Draft, transaction: Transaction, before: Transaction | None) -> None:
    """Have written what an event changed: in the narrow row where that is all."""
    state = draft.state
    if transaction.status == "active":
        draft.state = replace(state, running={**state.running, transaction.transaction_id: transaction})
    if transaction == before:
        return
    if before is None or transaction.status != "active":
        draft.change(transaction)
        return
    progressed = {"meter": before.meter, "signed": before.signed, "trail": before.trail}
    if replace(transaction, **progressed) != before:
        draft.change(transaction)
    draft.change(EventProgress(transaction.transaction_id, transaction.meter, transaction.signed, transaction.trail))


def _open_meter(transaction: Transaction) -> energy.EnergyMeter:
    told = transaction.trail
    return transaction.meter if told is None or told.open_meter is None else told.open_meter


def _with_open_meter(transaction: Transaction, meter: energy.EnergyMeter) -> Transaction:
    told = transaction.trail
    if told is None or told.open_meter is None:
        return replace(transaction, meter=meter)
    return replace(transaction, trail=replace(told, open_meter=meter))


def _either(one: int | None, other: int | None) -> int | None:
    return one if one is not None else other
