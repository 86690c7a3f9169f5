"""The status of connectors: as OCPP 1.6 has it (§4.9), and in its words what OCPP 2.x says in two others.

A station of 2.x tells a connector's status (Occupied) apart from what the transaction there does (chargingState).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from csms.events.business import StatusChanged
from csms.ledger import evses, reservations
from csms.ledger.clock import Instant
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState, Connector, Transaction

_NO_ERROR = "NoError"
_ERROR_OF = {"Faulted": "OtherError"}
"""OCPP 2.x tells of an error in NotifyEvent, not with the status."""
_OCCUPIED = "Occupied"
_BLOCKED = frozenset({"Faulted", "Unavailable"})
_CHARGES = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})
"""The same words in both: chargingState in 2.x, status in 1.6."""
_CONNECTED = _CHARGES | {"EVConnected"}
_IN_SESSION = _CHARGES | {"Preparing", "Finishing"}


def status(
    state: ChargePointState,
    context: Context,
    *,
    connector_id: int,
    status: str,
    error_code: str,
    instant: Instant,
    info: str | None = None,
    vendor_id: str | None = None,
    vendor_error_code: str | None = None,
) -> Decision[None]:
    """Take a StatusNotification; an event only where the status or the error code changed."""
    before = state.connectors.get(connector_id)
    if before is not None and (before.status, before.error_code) == (status, error_code):
        return Decision(None, state)
    connector = Connector(
        client_id=state.charge_point.client_id,
        connector_id=connector_id,
        status=status,
        error_code=error_code,
        info=info or None,
        vendor_id=vendor_id or None,
        vendor_error_code=vendor_error_code or None,
        changed_at=instant.at,
    )
    draft = Draft(state, context)
    evses.told(draft, connector_id, None)
    _put(draft, context, connector, before)
    return draft.decide(None)


def station_status(
    state: ChargePointState,
    context: Context,
    *,
    evse_id: int,
    station_connector_id: int | None,
    status: str,
    instant: Instant,
) -> Decision[None]:
    """Take a connector's status as a station of OCPP 2.x tells it (G01); EVSE 0 is the station.

    :raises NoSuchConnector: no station has such a connector, or so many.
    """
    draft = Draft(state, context)
    connector_id = evses.place(draft, evse_id, station_connector_id)
    evses.told(draft, connector_id, status)
    if status == _OCCUPIED:
        before = draft.state.connectors.get(connector_id)
        status = _occupied(_running(draft.state, connector_id), before.status if before is not None else None)
    _derived(draft, context, connector_id, status, instant.at)
    return draft.decide(None)


def charging_state_changed(
    draft: Draft, context: Context, connector_id: int, charging_state: str | None, at: datetime
) -> None:
    """A transaction of OCPP 2.x on a connector began, went on or ended: the status in 1.6's words follows from it."""
    state = draft.state
    known = state.evses.get(connector_id)
    before = state.connectors.get(connector_id)
    word = known.station_status if known is not None else None
    if known is None or word in _BLOCKED:
        return
    transaction = _running(state, connector_id)
    if transaction is not None and (word == _OCCUPIED or charging_state in _CONNECTED):
        _derived(draft, context, connector_id, _occupied(transaction, before.status if before else None), at)
    elif transaction is None and word in (_OCCUPIED, None) and (before is not None or charging_state in _CONNECTED):
        if before is None or before.status in _IN_SESSION:
            _derived(draft, context, connector_id, "Finishing", at)
    elif transaction is None and word not in (_OCCUPIED, None):
        _derived(draft, context, connector_id, word, at)


def _occupied(transaction: Transaction | None, before: str | None) -> str:
    """Return 1.6's word for an occupied connector."""
    if transaction is None:
        return "Finishing" if before in _CHARGES or before == "Finishing" else "Preparing"
    trail = transaction.trail
    charging_state = trail.charging_state if trail is not None else None
    if charging_state in _CHARGES:
        return charging_state
    if charging_state is None:  # not every station can tell
        return "Charging" if transaction.id_tag else "Preparing"
    return "Finishing" if trail is not None and trail.has_charged else "Preparing"


def _derived(draft: Draft, context: Context, connector_id: int, status: str, at: datetime) -> None:
    before = draft.state.connectors.get(connector_id)
    error_code = _ERROR_OF.get(status, _NO_ERROR)
    if before is not None and (before.status, before.error_code) == (status, error_code):
        return
    connector = Connector(
        client_id=draft.state.charge_point.client_id,
        connector_id=connector_id,
        status=status,
        error_code=error_code,
        changed_at=at,
    )
    _put(draft, context, connector, before)


def _put(draft: Draft, context: Context, connector: Connector, before: Connector | None) -> None:
    state, connector_id = draft.state, connector.connector_id
    draft.state = replace(state, connectors={**state.connectors, connector_id: connector})
    draft.change(connector)
    running = _running(state, connector_id)
    if running is not None and not running.is_told:
        running = None
    draft.emit(
        "status_changed",
        StatusChanged(
            connector_id=connector_id,
            status=connector.status,
            previous_status=before.status if before is not None else UNSET,
            transaction_id=running.transaction_id if running is not None else UNSET,
            error_code=connector.error_code or UNSET,
            info=connector.info or UNSET,
            vendor_id=connector.vendor_id or UNSET,
            vendor_error_code=connector.vendor_error_code or UNSET,
            **(_station_names(state, connector_id, running) if state.evses else {}),
        ),
    )
    if state.reservations and connector.status in reservations.ENDS_RESERVATIONS:
        reservations.terminate(draft, context, connector_id, connector.status)


def _station_names(state: ChargePointState, connector_id: int, running: Transaction | None) -> dict[str, Any]:
    known = state.evses.get(connector_id)
    station_id: str | UnsetType | None = running.station_transaction_id if running is not None else None
    return {
        **evses.names(state, connector_id),
        "station_transaction_id": station_id or UNSET,
        "station_status": (known.station_status if known is not None else None) or UNSET,
    }


def _running(state: ChargePointState, connector_id: int) -> Transaction | None:
    """Return the transaction of a connector; of several the youngest, the others were queued and are over."""
    running = [transaction for transaction in state.running.values() if transaction.connector_id == connector_id]
    return max(running, key=lambda transaction: transaction.start_time) if running else None
