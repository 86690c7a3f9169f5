"""EVSEs and their connectors (OCPP 2.x) under the flat connector numbers that every event speaks of.

A number is given once and stays: the EVSE's own where it is free, else the next free one. EVSE 0 is the station, and so is
connector 0.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from csms.ledger.decision import Draft
from csms.ledger.state import ChargePointState, EvseConnector, Transaction

STATION = 0
MOST_CONNECTORS = 256
LARGEST_ID = 2**31 - 1
_FIRST_CONNECTOR = 1


class NoSuchConnector(ValueError):
    """No station has such an EVSE or connector, or so many."""


def find(state: ChargePointState, evse_id: int, station_connector_id: int | None = None) -> int | None:
    """Return the flat number of a connector, None where it has none yet.

    Without a connector it is the EVSE's: where a transaction runs there its connector, else the only or the first one.
    """
    if evse_id == STATION:
        return STATION
    if station_connector_id is None:
        running = running_at(state, evse_id)
        if running is not None:
            return running.connector_id
    mine = [
        known
        for known in state.evses.values()
        if known.evse_id == evse_id and station_connector_id in (None, known.station_connector_id)
    ]
    return min(mine, key=lambda known: known.station_connector_id).connector_id if mine else None


def place(draft: Draft, evse_id: int, station_connector_id: int | None) -> int:
    """Return the flat number of a connector; one that has none yet is given one, and it is stored.

    :raises NoSuchConnector: no station has such an EVSE or connector, or so many.
    """
    if not 0 <= evse_id <= LARGEST_ID or not 0 <= (station_connector_id or 0) <= LARGEST_ID:
        raise NoSuchConnector(f"EVSE {evse_id}, connector {station_connector_id}: allowed are 0 to {LARGEST_ID}")
    state = draft.state
    found = find(state, evse_id, station_connector_id or None)
    if found is not None:
        return found
    if len(state.evses) >= MOST_CONNECTORS:
        raise NoSuchConnector(f"more than {MOST_CONNECTORS} connectors are not allowed")
    number = evse_id
    while number in state.evses:
        number += 1
    connector = EvseConnector(
        client_id=state.charge_point.client_id,
        connector_id=number,
        evse_id=evse_id,
        station_connector_id=station_connector_id or _FIRST_CONNECTOR,
    )
    draft.change(connector)
    draft.state = replace(state, evses={**state.evses, number: connector})
    return number


def told(draft: Draft, connector_id: int, station_status: str | None) -> None:
    """Keep the station's own word for a connector's status; None where it spoke 1.6, which has no other word."""
    known = draft.state.evses.get(connector_id)
    if known is not None and known.station_status != station_status:
        connector = replace(known, station_status=station_status)
        draft.change(connector)
        draft.state = replace(draft.state, evses={**draft.state.evses, connector_id: connector})


def names(state: ChargePointState, connector_id: int) -> dict[str, Any]:
    """Return how the station names a connector, as members of an event; of one that it does not name so, none."""
    known = state.evses.get(connector_id)
    if known is None:
        return {}
    return {"evse_id": known.evse_id, "station_connector_id": known.station_connector_id}


def transaction_names(transaction: Transaction) -> dict[str, Any]:
    """Return how the station names a transaction and its connector, as members of an event; in OCPP 1.6 none."""
    if transaction.station_transaction_id is None:
        return {}
    return {
        "evse_id": transaction.evse_id if transaction.evse_id is not None else UNSET,
        "station_connector_id": (
            transaction.station_connector_id if transaction.station_connector_id is not None else UNSET
        ),
        "station_transaction_id": transaction.station_transaction_id,
    }


def running_under(state: ChargePointState, station_transaction_id: str) -> Transaction | None:
    """Return the running transaction that the station has under an id of its own."""
    for transaction in state.running.values():
        if transaction.station_transaction_id == station_transaction_id:
            return transaction
    return None


def running_at(state: ChargePointState, evse_id: int) -> Transaction | None:
    """Return the transaction of an EVSE; of several the youngest, the others were queued and are over."""
    running = [transaction for transaction in state.running.values() if transaction.evse_id == evse_id]
    return max(running, key=lambda transaction: transaction.start_time) if running else None
