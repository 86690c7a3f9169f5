"""The status of connectors (OCPP 1.6 §4.9)."""

from __future__ import annotations

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from csms.events.business import StatusChanged
from csms.ledger import reservations
from csms.ledger.clock import Instant
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState, Connector


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
    draft = Draft(replace(state, connectors={**state.connectors, connector_id: connector}), context)
    draft.change(connector)
    draft.emit(
        "status_changed",
        StatusChanged(
            connector_id=connector_id,
            status=status,
            previous_status=before.status if before is not None else UNSET,
            transaction_id=_running_on(state, connector_id),
            error_code=error_code or UNSET,
            info=connector.info or UNSET,
            vendor_id=connector.vendor_id or UNSET,
            vendor_error_code=connector.vendor_error_code or UNSET,
        ),
    )
    if state.reservations and status in reservations.ENDS_RESERVATIONS:
        reservations.terminate(draft, context, connector_id, status)
    return draft.decide(None)


def _running_on(state: ChargePointState, connector_id: int) -> int | UnsetType:
    """Return the transaction of a connector; of several the youngest, the others were queued and are over."""
    running = [transaction for transaction in state.running.values() if transaction.connector_id == connector_id]
    return max(running, key=lambda transaction: transaction.start_time).transaction_id if running else UNSET
