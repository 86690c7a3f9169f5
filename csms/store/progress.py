"""Transactions as they stand: while one runs, its progress is kept by itself; its own row has what it began and ended with."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select, type_coerce

from csms.store.tables import meters, transactions

IS_RUNNING = transactions.c.status == "active"
WITH_METERS = transactions.outerjoin(meters, meters.c.transaction_id == transactions.c.transaction_id)


def _as_it_stands(name: str) -> ColumnElement[Any]:
    kept = transactions.c[name]
    return type_coerce(func.coalesce(case((IS_RUNNING, meters.c[name])), kept), kept.type).label(name)


METER, _SIGNED, TRAIL = _as_it_stands("meter"), _as_it_stands("signed"), _as_it_stands("trail")
"""``METER`` and ``TRAIL`` need the join `WITH_METERS`."""
TRANSACTIONS: Select[Any] = select(
    *(column for column in transactions.c if column.name not in ("meter", "signed", "trail")), METER, _SIGNED, TRAIL
).select_from(WITH_METERS)
"""With the fields of `csms.ledger.state.Transaction`."""
