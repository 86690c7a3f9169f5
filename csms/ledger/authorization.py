"""Id tags: what a charge point is told about one (OCPP 1.6 §4.1). Tags compare without case (CiString20Type)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from msgspec import Struct

TagStatus = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]
BudgetPeriod = Literal["day", "week", "month"]


class IdTag(Struct, frozen=True, kw_only=True):
    """An id tag that the operator entered."""

    id_tag: str
    status: Literal["Accepted", "Blocked"]
    expiry_date: datetime | None = None
    parent_id_tag: str | None = None
    type: str | None = None
    charge_points: tuple[str, ...] | None = None
    """The charge points that it may use; None is all."""
    max_transactions: int | None = None
    """How many transactions it may have at once; None is any number."""
    budget_kwh: Decimal | None = None
    """How much energy it may take in a period; None is any amount."""
    budget_period: BudgetPeriod | None = None


class TagInfo(Struct, frozen=True, gc=False):
    """The answer about a tag (IdTagInfo, OCPP 1.6 §7.27)."""

    status: TagStatus
    expiry_date: datetime | None = None
    parent_id_tag: str | None = None


def fold(id_tag: str) -> str:
    """Return the form under which a tag is known, whatever its case."""
    return id_tag.casefold()


def authorize(tag: IdTag | None, unknown: TagStatus, now: datetime) -> TagInfo:
    """Judge a tag; `unknown` is what the operator wants an unknown one to be told."""
    if tag is None:
        return TagInfo(unknown)
    status: TagStatus = tag.status
    if status == "Accepted" and tag.expiry_date is not None and tag.expiry_date <= now:
        status = "Expired"
    return TagInfo(status, tag.expiry_date, tag.parent_id_tag)
