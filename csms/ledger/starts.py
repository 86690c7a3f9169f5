"""That a transaction started, as it is told in every version of OCPP: once it is somebody's, or energy flows."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from csms.events.business import Started
from csms.ledger import evses
from csms.ledger.decision import Draft
from csms.ledger.numbers import number
from csms.ledger.state import Transaction


def tell(draft: Draft, transaction: Transaction) -> Transaction:
    """Have `started` published, in the place of the one that was told before; return the transaction with its id.

    It has to be told before anything else names the transaction.
    """
    told = transaction.trail
    register = draft.state.registers.get(transaction.connector_id) if transaction.connector_id else None
    meter_start_wh = transaction.meter_start_wh
    if told is not None and not told.knows_begin and told.begin_at is None and register is not None:
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
        supersedes=told.started_event_id if told is not None else None,
    )
    return transaction if told is None else replace(transaction, trail=replace(told, started_event_id=event_id))
