"""Transactions: how they start, and how they end (OCPP 1.6 §4.8, §4.10).

One original `completed` and one `session_cost` for each; whatever is learnt later is a further event that supersedes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from csms.events.business import Completed, CostBreakdown, OrphanStop, Quality, SessionCost
from csms.ledger import chargepoints, clock, energy, evses, reservations, starts
from csms.ledger.clock import Instant
from csms.ledger.cost import Tariff, cost
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.energy import ZERO
from csms.ledger.metering import MeterValue
from csms.ledger.numbers import kilo, number, rounded
from csms.ledger.readings import Known, take_readings
from csms.ledger.state import ChargePointState, Finished, Transaction, TransactionStatus

UNKNOWN_METER = Decimal(-1)
_FORGOTTEN_REASON = "Other"


class StartRequest(Struct, frozen=True, gc=False):
    """A start as any OCPP version tells it; ``meter_start_wh`` below zero means unknown."""

    connector_id: int
    id_tag: str
    meter_start_wh: Decimal
    instant: Instant
    reservation_id: int | None = None

    def repeats(self, earlier: Transaction) -> bool:
        """Tell whether this start is one that was stored already.

        A charge point without a clock gives every start the same time: there, only a running transaction can be meant.
        """
        return (
            earlier.connector_id == self.connector_id
            and earlier.id_tag == self.id_tag
            and earlier.station_start == self.instant.station
            and earlier.meter_start_wh == max(self.meter_start_wh, ZERO)
            and (not self.instant.suspect or earlier.status == "active")
        )


class StopRequest(Struct, frozen=True, gc=False):
    """A stop as any OCPP version tells it; ``meter_stop_wh`` below zero means unknown."""

    transaction_id: int
    meter_stop_wh: Decimal
    instant: Instant
    reason: str
    id_tag: str | None = None
    readings: Sequence[MeterValue] = ()


def may_be_stored(state: ChargePointState, request: StartRequest) -> bool:
    """Tell whether the store has to be asked if a start came before; of those that run, the state knows."""
    return request.instant.at <= state.latest_start and not request.instant.suspect


def start(
    state: ChargePointState,
    context: Context,
    request: StartRequest,
    *,
    transaction_id: int,
    earlier: Transaction | None,
    tariff: Tariff,
) -> Decision[int]:
    """Start a transaction; the answer is its id.

    ``earlier`` is a stored transaction that looks the same, if there is one: then this is a repetition. A running
    transaction on the connector that began before is closed as forgotten. A start that was queued and is older than the
    running one closes nothing.
    """
    for known in (*state.running.values(), *((earlier,) if earlier is not None else ())):
        if request.repeats(known):
            return Decision(known.transaction_id, state)
    tariff = state.tariff or tariff
    draft = Draft(state, context)
    for running in list(state.running.values()):
        if running.connector_id == request.connector_id and running.start_time <= request.instant.at:
            close_forgotten(draft, running, request.instant.at, tariff)
    transaction = Transaction(
        transaction_id=transaction_id,
        client_id=state.charge_point.client_id,
        connector_id=request.connector_id,
        id_tag=request.id_tag,
        status="active",
        start_time=request.instant.at,
        station_start=request.instant.station,
        meter_start_wh=max(request.meter_start_wh, ZERO),
        meter=energy.begin(request.meter_start_wh, request.instant.at),
        quality="clock_suspect" if request.instant.suspect else "good",
        reservation_id=request.reservation_id,
    )
    draft.change(transaction)
    starts.tell(draft, transaction)
    draft.state = replace(
        draft.state,
        running={**draft.state.running, transaction_id: transaction},
        latest_start=max(state.latest_start, transaction.start_time),
    )
    if request.reservation_id is not None:
        reservations.use(draft, context, request.reservation_id, transaction_id)
    return draft.decide(transaction_id)


def stop(
    state: ChargePointState,
    context: Context,
    request: StopRequest,
    *,
    transaction: Transaction | None,
    known: Known,
    tariff: Tariff,
    body: object,
) -> Decision[None]:
    """End a transaction.

    ``transaction`` is the one that this charge point has under the id, running or not; None makes an orphan stop, which is
    kept and told of. A stop that comes again changes nothing; the true stop of a transaction that was closed as forgotten
    is a correction.
    """
    draft = Draft(state, context)
    if transaction is None:
        draft.change(chargepoints.record(state, context, "OrphanStop", body))
        draft.emit(
            "orphan_stop",
            OrphanStop(
                transaction_id=request.transaction_id,
                stop_time=request.instant.at,
                meter_stop=number(request.meter_stop_wh),
                id_tag=request.id_tag or UNSET,
                reason=request.reason,
            ),
        )
        return draft.decide(None)
    if transaction.status == "completed":
        return Decision(None, state)
    with_readings = take_readings(draft, context.now, transaction.connector_id, transaction, request.readings, known)
    complete(
        draft,
        with_readings or transaction,
        status="completed",
        meter_stop_wh=request.meter_stop_wh,
        stop_time=request.instant.at,
        clock_suspect=request.instant.suspect,
        reason=request.reason,
        stop_id_tag=request.id_tag,
        tariff=state.tariff or tariff,
    )
    return draft.decide(None)


def close(state: ChargePointState, context: Context, transaction_id: int, *, tariff: Tariff) -> Decision[bool]:
    """Close a transaction that the charge point forgot, by an operator's word; the answer is whether it was running.

    The charge point's own stop, should it come, is a correction.
    """
    running = state.running.get(transaction_id)
    if running is None:
        return Decision(False, state)
    draft = Draft(state, context)
    close_forgotten(draft, running, context.now, state.tariff or tariff)
    return draft.decide(True)


def close_forgotten(draft: Draft, transaction: Transaction, at: datetime, tariff: Tariff) -> None:
    """Close a transaction whose stop never came: up to its last reading, with the last known meter."""
    complete(
        draft,
        transaction,
        status="closed",
        meter_stop_wh=UNKNOWN_METER,
        stop_time=transaction.meter.latest_at or at,
        clock_suspect=False,
        reason=_FORGOTTEN_REASON,
        stop_id_tag=None,
        tariff=tariff,
    )


def complete(
    draft: Draft,
    transaction: Transaction,
    *,
    status: TransactionStatus,
    meter_stop_wh: Decimal,
    stop_time: datetime,
    clock_suspect: bool,
    reason: str,
    stop_id_tag: str | None,
    tariff: Tariff,
) -> Transaction:
    """End a transaction, or correct how it ended; ``status`` is whose word it is. Below zero the meter is unknown."""
    if not transaction.is_told:
        transaction = starts.tell(draft, transaction)
    before = transaction.meter.latest_wh
    meter = energy.finish(transaction.meter, meter_stop_wh, stop_time)
    energy_wh = meter.energy_wh
    seconds = Decimal(str((stop_time - transaction.start_time).total_seconds()))
    quality = _quality(
        estimated=meter.estimated or status == "closed" or is_partly_known(transaction),
        clock_suspect=clock_suspect or seconds < 0 or _began_suspect(transaction),
    )
    seconds = max(seconds, ZERO)
    price = cost(tariff, energy_wh, seconds)
    if meter_stop_wh < 0:
        meter_stop_wh = meter.latest_wh if meter.latest_wh is not None else transaction.meter_start_wh
    ended = replace(
        transaction,
        status=status,
        # The true stop of a forgotten transaction goes on from what its readings said, not from our guess.
        meter=transaction.meter if status == "closed" else meter,
        quality=quality,
        stop_time=stop_time,
        meter_stop_wh=meter_stop_wh,
        energy_wh=energy_wh,
        reason=reason,
        stop_id_tag=stop_id_tag,
        cost=price.total,
        currency=tariff.currency,
    )
    names = evses.transaction_names(ended)
    completed_event_id = draft.emit(
        "completed",
        Completed(
            transaction_id=ended.transaction_id,
            connector_id=ended.connector_id,
            id_tag=ended.id_tag,
            meter_start=number(ended.meter_start_wh),
            meter_stop=number(meter_stop_wh),
            current_meter=number(before) if before is not None else UNSET,
            start_time=ended.start_time,
            stop_time=stop_time,
            energy_used=kilo(energy_wh),
            duration=rounded(seconds / 60, 2),
            reason=reason,
            quality=quality,
            signed_data=list(ended.signed) or UNSET,
            **names,
        ),
        supersedes=transaction.completed_event_id,
    )
    cost_event_id = draft.emit(
        "session_cost",
        SessionCost(
            transaction_id=ended.transaction_id,
            connector_id=ended.connector_id,
            id_tag=ended.id_tag,
            start_time=ended.start_time,
            end_time=stop_time,
            energy_consumed=kilo(energy_wh),
            duration=rounded(seconds / 60, 2),
            estimated_cost=number(price.total),
            currency=tariff.currency,
            pricing_model=tariff.pricing_model,
            energy_rate=number(tariff.energy_rate),
            time_rate=number(tariff.time_rate),
            breakdown=CostBreakdown(
                energy=rounded(price.energy, 6), time=rounded(price.time, 6), session=rounded(price.session, 6)
            ),
            **names,
        ),
        supersedes=transaction.cost_event_id,
    )
    ended = replace(ended, completed_event_id=completed_event_id, cost_event_id=cost_event_id)
    draft.change(ended)
    state = draft.state
    finished = Finished(ended.transaction_id, ended.start_time, stop_time)
    last = state.finished.get(ended.connector_id)
    if last is not None and last.transaction_id > ended.transaction_id:
        finished = last  # the late stop of an older transaction does not make it the last
    draft.state = replace(
        state,
        running={key: value for key, value in state.running.items() if key != ended.transaction_id},
        finished={**state.finished, ended.connector_id: finished},
    )
    return ended


def is_partly_known(transaction: Transaction) -> bool:
    """Tell whether a station of OCPP 2.x did not tell how a transaction began: its time, or the register then."""
    trail = transaction.trail
    return trail is not None and not (trail.has_begun and trail.knows_begin)


def _began_suspect(transaction: Transaction) -> bool:
    """Tell whether the start was at a time not to be believed; a close as forgotten has overwritten the quality."""
    if transaction.status == "active":
        return transaction.quality == "clock_suspect"
    return clock.judge(transaction.station_start, transaction.start_time).suspect


def _quality(*, estimated: bool, clock_suspect: bool) -> Quality:
    """Return the one word that says most about how far the numbers can be trusted."""
    if estimated:
        return "estimated"
    return "clock_suspect" if clock_suspect else "good"
