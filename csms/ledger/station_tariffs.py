"""Which tariffs a charge point has: what it has taken, cleared and told (OCPP 2.1 I07, I09, I10).

``known`` are those that were installed as far as is known. What becomes valid later is not followed: GetTariffs tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState, StationTariff, TariffKind

ALL_EVSES = 0
_LONGEST_ID = 60
_MOST = 1000


class Assignment(Struct, frozen=True):
    """A tariff that a charge point tells of (TariffAssignmentType)."""

    tariff_id: str
    kind: TariffKind
    evse_ids: tuple[int, ...]
    valid_from: datetime | None = None


def set_default(
    state: ChargePointState,
    context: Context,
    *,
    evse_id: int,
    tariff_id: str,
    valid_from: datetime | None,
    known: Sequence[StationTariff],
) -> Decision[None]:
    """Take a default tariff that was accepted: it replaces the one before, if it is valid already (I07.FR.20 to FR.23)."""
    draft = Draft(state, context)
    is_valid = valid_from is None or valid_from <= context.now
    gone = [
        row
        for row in _at(known, evse_id)
        if is_valid and row.kind == "DefaultTariff" and (row.valid_from is None or row.valid_from <= context.now)
    ]
    _replace(draft, context, gone, [Assignment(tariff_id, "DefaultTariff", (evse_id,), valid_from)])
    return draft.decide(None)


def observe(
    state: ChargePointState,
    context: Context,
    *,
    evse_id: int,
    told: Sequence[Assignment],
    known: Sequence[StationTariff],
) -> Decision[None]:
    """Take what a charge point tells of the tariffs of an EVSE, or of all (I09): others are not there."""
    draft = Draft(state, context)
    _replace(draft, context, _at(known, evse_id), told)
    return draft.decide(None)


def clear(
    state: ChargePointState,
    context: Context,
    *,
    evse_id: int | None,
    tariff_ids: Iterable[str] | None,
    known: Sequence[StationTariff],
) -> Decision[None]:
    """Take that tariffs are gone (I10); None is any."""
    draft = Draft(state, context)
    wanted = set(tariff_ids) if tariff_ids is not None else None
    gone = [row for row in _at(known, evse_id or ALL_EVSES) if wanted is None or row.tariff_id in wanted]
    _replace(draft, context, gone, [])
    return draft.decide(None)


def _at(known: Iterable[StationTariff], evse_id: int) -> list[StationTariff]:
    return [row for row in known if evse_id in {ALL_EVSES, row.evse_id}]


def _replace(draft: Draft, context: Context, gone: Iterable[StationTariff], told: Iterable[Assignment]) -> None:
    client_id = draft.state.charge_point.client_id
    rows = {
        (evse_id, one.tariff_id): StationTariff(
            client_id=client_id,
            evse_id=evse_id,
            tariff_id=one.tariff_id,
            kind=one.kind,
            valid_from=one.valid_from,
            seen_at=context.now,
        )
        for one in told
        for evse_id in one.evse_ids or (ALL_EVSES,)
        if 0 < len(one.tariff_id) <= _LONGEST_ID
    }
    for row in gone:
        if (row.evse_id, row.tariff_id) not in rows:
            draft.change(replace(row, is_installed=False, seen_at=context.now))
    draft.change(*list(rows.values())[:_MOST])
