"""Meter readings: which transaction they belong to, and what they add to it (OCPP 1.6 §4.7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from msgspec import UNSET, Raw, json
from msgspec.structs import replace

from csms.events.business import MeterReading, SignedValue
from csms.ledger import energy, evses, starts
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.energy import EnergyMeter
from csms.ledger.metering import Digest, MeterValue
from csms.ledger.state import ChargePointState, EventProgress, MeterProgress, Reading, Transaction

Known = frozenset[tuple[int, datetime, bytes]]
"""Readings that are stored already, by connector, time and samples."""

NOTHING_KNOWN: Known = frozenset()
STATION = 0
_MAX_SIGNED = 64
_MAX_SIGNED_CHARACTERS = 128 * 1024
_encode = json.Encoder().encode


def meter_values(
    state: ChargePointState,
    context: Context,
    *,
    connector_id: int,
    transaction: Transaction | None,
    readings: Sequence[MeterValue],
    known: Known,
) -> Decision[None]:
    """Take MeterValues.

    ``transaction`` is the one that they name, if this charge point has it. Without one they belong to the transaction that
    ran on the connector at their time; connector 0 is the station, and a connector's values never belong to another's.
    """
    draft = Draft(state, context)
    if transaction is not None and transaction.connector_id == connector_id:
        _take(draft, context, connector_id, transaction, readings, known)
    else:
        _take_by_time(draft, context, connector_id, readings, known)
    return draft.decide(None)


def evse_values(
    state: ChargePointState, context: Context, *, evse_id: int, readings: Sequence[MeterValue], known: Known
) -> Decision[None]:
    """Take MeterValues of OCPP 2.x (J01): they name an EVSE, and no transaction; EVSE 0 is the station.

    :raises NoSuchConnector: no station has such an EVSE, or so many.
    """
    draft = Draft(state, context)
    connector_id = evses.place(draft, evse_id, None)
    _take_by_time(draft, context, connector_id, readings, known)
    return draft.decide(None)


def _take_by_time(
    draft: Draft, context: Context, connector_id: int, readings: Sequence[MeterValue], known: Known
) -> None:
    state = draft.state
    for owner, group in groupby(readings, key=lambda reading: _ran_at(state, connector_id, reading.instant.at)):
        running = draft.state.running.get(owner) if owner is not None else None
        _take(draft, context, connector_id, running or owner, list(group), known)


def _take(
    draft: Draft,
    context: Context,
    connector_id: int,
    owner: Transaction | int | None,
    readings: Sequence[MeterValue],
    known: Known,
) -> None:
    before = owner
    if isinstance(owner, Transaction) and not owner.is_told:
        owner = starts.tell(draft, owner)
    after = take_readings(draft, context.now, connector_id, owner, readings, known)
    if after is not None and after is not before and after.status == "active":
        if after.trail is None:
            draft.change(MeterProgress(after.transaction_id, after.meter, after.signed))
        else:
            draft.change(EventProgress(after.transaction_id, after.meter, after.signed, after.trail))
        draft.state = replace(draft.state, running={**draft.state.running, after.transaction_id: after})


def may_be_known(state: ChargePointState, connector_id: int, readings: Sequence[MeterValue]) -> bool:
    """Tell whether the store has to be asked for readings of the same times: a message may have come again."""
    latest = state.latest_reading.get(connector_id, state.readings_known_since)
    return any(reading.instant.at <= latest for reading in readings)


def take_readings(
    draft: Draft,
    now: datetime,
    connector_id: int,
    owner: Transaction | int | None,
    readings: Sequence[MeterValue],
    known: Known,
    *,
    is_silent: bool = False,
) -> Transaction | None:
    """Add readings to a draft, leaving out those that are known; return their transaction with what they added.

    ``owner`` is the transaction that they belong to, or only its id where it has ended, or None. One that is completed
    keeps its readings, but its energy is settled. The caller has the returned transaction written. ``is_silent`` where
    another event says what they say.
    """
    transaction = owner if isinstance(owner, Transaction) else None
    transaction_id = owner.transaction_id if isinstance(owner, Transaction) else owner
    open_transaction = transaction if transaction is not None and transaction.status != "completed" else None
    meter, signed = (open_transaction.meter, open_transaction.signed) if open_transaction is not None else (None, ())
    state = draft.state
    client_id = state.charge_point.client_id
    names = _names(state, connector_id, transaction) if state.evses else {}
    latest = state.latest_reading.get(connector_id)
    register = state.registers.get(connector_id)
    for reading in readings:
        at, contents = reading.instant.at, reading.contents
        samples = _encode(reading.samples)
        if known and (connector_id, at, samples) in known:
            continue
        if meter is not None:
            meter = _progress(meter, contents, at)
            signed = _add_signed(signed, contents.signed)
        energy_wh = contents.registers[-1][1] if contents.registers else None
        draft.change(
            Reading(
                client_id=client_id,
                connector_id=connector_id,
                transaction_id=transaction_id,
                taken_at=at,
                received_at=now,
                energy_wh=energy_wh,
                samples=samples,
            )
        )
        if contents.measurands and not is_silent:
            draft.emit("meter_reading", _event(connector_id, transaction_id, contents, at, names))
        if latest is None or at >= latest:
            latest, register = at, energy_wh if energy_wh is not None else register
    _remember(draft, connector_id, latest, register)
    if open_transaction is None or meter is None:
        return transaction
    if meter is open_transaction.meter and signed is open_transaction.signed:
        return open_transaction
    return replace(open_transaction, meter=meter, signed=signed)


def _remember(draft: Draft, connector_id: int, latest: datetime | None, register: Decimal | None) -> None:
    state = draft.state
    changes: dict[str, Any] = {}
    if latest is not None and latest != state.latest_reading.get(connector_id):
        since = max(latest, state.readings_known_since)
        changes["latest_reading"] = {**state.latest_reading, connector_id: since}
    if register is not None:
        changes["registers"] = {**state.registers, connector_id: register}
    if changes:
        draft.state = replace(state, **changes)


def _progress(meter: EnergyMeter, contents: Digest, at: datetime) -> EnergyMeter:
    for context, register_wh in contents.registers:
        meter = energy.read(meter, register_wh, at, context)
    for context, energy_wh in contents.intervals:
        meter = energy.read_interval(meter, energy_wh, at, context)
    return meter


def _add_signed(have: tuple[SignedValue, ...], new: list[SignedValue]) -> tuple[SignedValue, ...]:
    """Add signed values, each once; of very many the first and the latest are kept, the rest is in the readings."""
    if not new:
        return have
    together = (*have, *(value for value in new if value not in have))
    kept = [together[0]]
    room = _MAX_SIGNED_CHARACTERS - len(together[0].value)
    for value in reversed(together[1:][1 - _MAX_SIGNED :]):
        room -= len(value.value)
        if room < 0:
            break
        kept.insert(1, value)
    return tuple(kept)


def _names(state: ChargePointState, connector_id: int, transaction: Transaction | None) -> dict[str, Any]:
    if transaction is not None:
        return evses.transaction_names(transaction)
    return evses.names(state, connector_id)


def _event(
    connector_id: int, transaction_id: int | None, contents: Digest, at: datetime, names: dict[str, Any]
) -> MeterReading:
    return MeterReading(
        connector_id=connector_id,
        timestamp=at,
        measurands=Raw(contents.measurands),  # type: ignore[arg-type]  # encoded already
        transaction_id=transaction_id if transaction_id is not None else UNSET,
        current_power=contents.power if contents.power is not None else UNSET,  # type: ignore[arg-type]
        total_energy=contents.register if contents.register is not None else UNSET,  # type: ignore[arg-type]
        **names,
    )


def _ran_at(state: ChargePointState, connector_id: int, at: datetime) -> int | None:
    """Return the id of the transaction that ran on a connector at a time: a running one, or the last that ended."""
    if connector_id == STATION:
        return None
    candidates = [
        transaction
        for transaction in state.running.values()
        if transaction.connector_id == connector_id and transaction.start_time <= at
    ]
    if candidates:
        return max(candidates, key=lambda transaction: transaction.start_time).transaction_id
    finished = state.finished.get(connector_id)
    if finished is not None and finished.start_time <= at <= finished.stop_time:
        return finished.transaction_id
    return None
