"""Transactions by the events of OCPP 2.x (E01 to E16), under the rules of 1.6: the same events, the same numbers.

Events come in any order, again, or not at all. A transaction is opened by whichever comes first; what a late one tells is a
correction, of the `started` or of the `completed` that it concerns.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from csms.ledger import chargepoints, connectors, event_facts, evses, reservations, starts, trail, transactions
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.energy import ZERO
from csms.ledger.event_facts import TransactionEvent
from csms.ledger.event_readings import Split, split
from csms.ledger.readings import Known, take_readings
from csms.ledger.state import ChargePointState, EventProgress, EventTrail, Transaction
from csms.ledger.trail import Arrival
from csms.ledger.transactions import UNKNOWN_METER

AFTER_END = "TransactionEventAfterEnd"
_DEFAULT_REASON = "Local"


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
    connector_id = event_facts.place(draft, event)
    parts = split(event.kind, event.readings)
    transaction = before if before is not None else event_facts.blank(draft, event, transaction_id, connector_id)
    arrived = trail.arrive(
        transaction.trail or EventTrail(), event.seq_no, event.instant, is_start=event.kind == "Started"
    )
    is_after_end = before is not None and _is_after_end(before, event, arrived.arrival)
    transaction = replace(transaction, trail=arrived.trail)
    if not is_after_end:
        transaction = event_facts.learn(draft, event, transaction, connector_id, parts)
        if event.kind == "Started" and arrived.arrival != "again":
            _close_others(draft, transaction, tariff)
    elif arrived.arrival != "again":
        draft.change(chargepoints.record(state, context, AFTER_END, body))
    if _differs(transaction, before) if transaction.is_told else _begins(transaction, event, parts):
        transaction = starts.tell(draft, transaction)
    if transaction.reservation_id is not None and (before is None or before.reservation_id is None):
        reservations.use(draft, context, transaction.reservation_id, transaction.transaction_id)
    transaction = _read(draft, context, transaction, parts, known, is_settled=is_after_end)
    draft.state = replace(draft.state, latest_start=max(draft.state.latest_start, transaction.start_time))
    is_live = arrived.arrival == "in order" and not event.is_offline and not is_after_end
    if is_live:
        transaction = event_facts.move_on(transaction, event)
    transaction = _settle(draft, event, transaction, before, parts, tariff, is_after_end=is_after_end)
    if is_live and transaction.evse_id is not None:
        connectors.charging_state_changed(
            draft, context, transaction.connector_id, event.charging_state, event.instant.at
        )
    return draft.decide(Taken(transaction, arrived.arrival, before is None, is_after_end))


def _is_after_end(before: Transaction, event: TransactionEvent, arrival: Arrival) -> bool:
    ended = before.trail.ended if before.trail is not None else None
    return before.status == "completed" and ended is not None and event.seq_no >= ended and arrival != "late"


def _close_others(draft: Draft, transaction: Transaction, tariff: Tariff) -> None:
    """A new transaction begins where one runs that began before: that one was forgotten."""
    for running in list(draft.state.running.values()):
        is_here = running.connector_id == transaction.connector_id != evses.STATION or (
            transaction.evse_id is not None and running.evse_id == transaction.evse_id
        )
        is_other = running.transaction_id != transaction.transaction_id
        if is_here and is_other and running.start_time <= transaction.start_time:
            transactions.close_forgotten(draft, running, transaction.start_time, tariff)


def _begins(transaction: Transaction, event: TransactionEvent, parts: Split) -> bool:
    """Tell whether `started` has to be told: a cable that is plugged in, and nobody who wants to charge yet, is no session.

    Of one that nobody is seen to begin it is told when energy flows or a reading is told of it, and when it ends.
    """
    has_charged = transaction.trail is not None and transaction.trail.has_charged
    return (
        bool(transaction.id_tag)
        or event.shows_token
        or transaction.reservation_id is not None
        or event.kind == "Ended"
        or has_charged
        or event.charging_state == "Charging"
        or bool(parts.between or parts.closing)
    )


def _differs(transaction: Transaction, before: Transaction | None) -> bool:
    """Tell whether `started` has to be told anew."""
    return before is not None and (
        any(getattr(transaction, name) != getattr(before, name) for name in ("id_tag", "connector_id", "evse_id"))
        or (
            transaction.trail is not None
            and before.trail is not None
            and transaction.trail.has_begun != before.trail.has_begun
        )
    )


def _read(
    draft: Draft, context: Context, transaction: Transaction, parts: Split, known: Known, *, is_settled: bool
) -> Transaction:
    """Take the readings: those of begin and end say what `started` and `completed` say, and are no events of their own."""
    told = transaction.trail
    if told is not None and told.has_moved:
        known |= {(transaction.connector_id, at, samples) for _, at, samples in known}
    open_meter = event_facts.open_meter(transaction)
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
    return event_facts.with_open_meter(replace(transaction, signed=owner.signed), owner.meter)


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
