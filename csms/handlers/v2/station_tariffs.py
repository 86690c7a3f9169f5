"""Tariffs of stations (OCPP 2.1, functional block I): what their answers mean. It must bear any response."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ocpp.v21.enums import Action

from csms.handlers.command_set import Learner, Payload
from csms.ledger import station_tariffs
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState, StationTariff
from csms.ledger.station_tariffs import ALL_EVSES, Assignment
from csms.store.station_tariffs import installed_tariffs

_MOST_EVSES = 256
_LARGEST_EVSE = 2**31 - 1
_DONE = ("Accepted", "NoTariff")
"""A tuple: a station's word may be anything, also what no set can be asked for."""
Known = Sequence[StationTariff]


def set_default_tariff(
    state: ChargePointState, context: Context, request: Payload, response: Payload, known: Known
) -> Decision[None]:
    """Learn from the answer to SetDefaultTariff (I07)."""
    if response.get("status") != "Accepted" or not _is_evse(request["evseId"]):
        return Decision(None, state)
    tariff = request["tariff"]
    return station_tariffs.set_default(
        state,
        context,
        evse_id=int(request["evseId"]),
        tariff_id=tariff["tariffId"],
        valid_from=_time(tariff.get("validFrom")),
        known=known,
    )


def get_tariffs(
    state: ChargePointState, context: Context, request: Payload, response: Payload, known: Known
) -> Decision[None]:
    """Learn from the answer to GetTariffs (I09)."""
    if response.get("status") not in _DONE or not _is_evse(request["evseId"]):
        return Decision(None, state)
    told = list(_assignments(response.get("tariffAssignments")))
    return station_tariffs.observe(state, context, evse_id=int(request["evseId"]), told=told, known=known)


def clear_tariffs(
    state: ChargePointState, context: Context, request: Payload, response: Payload, known: Known
) -> Decision[None]:
    """Learn from the answer to ClearTariffs (I10): each result tells of one tariff or, without its id, of all that were meant."""
    results = response.get("clearTariffsResult")
    done = [
        item
        for item in (results if isinstance(results, list) else [])
        if isinstance(item, dict) and item.get("status") in _DONE
    ]
    if not done:
        return Decision(None, state)
    told = [item.get("tariffId") for item in done]
    evse_id = request.get("evseId")
    return station_tariffs.clear(
        state,
        context,
        evse_id=int(evse_id) if evse_id is not None else None,
        tariff_ids=request.get("tariffIds") if None in told else [str(tariff_id) for tariff_id in told],
        known=known,
    )


def _assignments(members: Any) -> Iterator[Assignment]:
    for member in members if isinstance(members, list) else []:
        if not isinstance(member, dict) or not isinstance(member.get("tariffId"), str):
            continue
        evses = member.get("evseIds")
        numbers = tuple(
            number for number in (evses if isinstance(evses, list) else [])[:_MOST_EVSES] if _is_evse(number)
        )
        kind = member.get("tariffKind")
        yield Assignment(
            member["tariffId"],
            "DriverTariff" if kind == "DriverTariff" else "DefaultTariff",
            numbers or (ALL_EVSES,),
            _time(member.get("validFrom")),
        )


def _is_evse(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _LARGEST_EVSE


def _time(text: object) -> datetime | None:
    """Read a time; what is none counts as valid already."""
    try:
        at = datetime.fromisoformat(str(text))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


LEARNERS: dict[str, Learner] = {
    Action.clear_tariffs.value: Learner(clear_tariffs, installed_tariffs),
    Action.get_tariffs.value: Learner(get_tariffs, installed_tariffs),
    Action.set_default_tariff.value: Learner(set_default_tariff, installed_tariffs),
}
