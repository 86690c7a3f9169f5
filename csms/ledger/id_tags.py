"""What an id tag may be: the bounds of what an operator enters."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import get_args

from csms.ledger.authorization import BudgetPeriod, IdTag

_MAX_LENGTH = 255
"""An IdToken has up to 20 characters in OCPP 1.6, 36 in 2.0.1 and 255 in 2.1."""
_MAX_TYPE_LENGTH = 50
_MAX_CHARGE_POINTS = 1000
_MAX_EVSES = 256
_LARGEST_EVSE = 2**31 - 1
_MAX_TRANSACTIONS = 1_000_000
_MAX_BUDGET_KWH = Decimal(10**9)
_BUDGET_DECIMALS = 6
_SHOWN = 40
_STATUSES = ("Accepted", "Blocked")
_PERIODS = get_args(BudgetPeriod)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class BadTag(ValueError):
    """A tag is none that may be entered; the message names the field and says what is allowed."""


def check(tag: IdTag) -> None:
    """Check a tag that an operator enters.

    :raises BadTag: a field is out of its bounds.
    """
    check_text("idTag", tag.id_tag)
    if tag.status not in _STATUSES:
        raise BadTag(f"status: {shown(tag.status)} is not allowed: {' and '.join(_STATUSES)} are")
    if tag.expiry_date is not None and tag.expiry_date.tzinfo is None:
        raise BadTag("expiryDate: the time zone is missing")
    if tag.parent_id_tag is not None:
        check_text("parentIdTag", tag.parent_id_tag)
    if tag.type is not None:
        check_text("type", tag.type, _MAX_TYPE_LENGTH)
    if tag.charge_points is not None:
        if not 0 < len(tag.charge_points) <= _MAX_CHARGE_POINTS:
            raise BadTag(f"chargePoints: {len(tag.charge_points)} are not allowed: 1 to {_MAX_CHARGE_POINTS} are")
        for client_id in tag.charge_points:
            check_text("chargePoints", client_id)
    if tag.max_transactions is not None and not 1 <= tag.max_transactions <= _MAX_TRANSACTIONS:
        raise BadTag(f"maxTransactions: {tag.max_transactions} is not allowed: 1 to {_MAX_TRANSACTIONS} are")
    if tag.evses is not None and not (
        0 < len(tag.evses) <= _MAX_EVSES and all(0 < evse_id <= _LARGEST_EVSE for evse_id in tag.evses)
    ):
        raise BadTag(f"evses: allowed are 1 to {_MAX_EVSES} numbers from 1 on")
    _check_budget(tag.budget_kwh, tag.budget_period)


def parse_time(name: str, text: str) -> datetime:
    """Return a time in UTC; ``name`` is the field's.

    :raises BadTag: it is no RFC 3339 time.
    """
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise BadTag(f"{name}: {shown(text)} is no time as in 2030-01-31T12:00:00Z (RFC 3339)")


def shown(value: object) -> str:
    """Return a value as an error may show it: short, and without control characters."""
    return repr(str(value)[:_SHOWN])


def _check_budget(budget_kwh: Decimal | None, period: BudgetPeriod | None) -> None:
    if budget_kwh is None and period is None:
        return
    if budget_kwh is None or period is None:
        raise BadTag("budgetKwh, budgetPeriod: one of them is missing, they go together")
    if not (budget_kwh.is_finite() and 0 <= budget_kwh <= _MAX_BUDGET_KWH):
        raise BadTag(f"budgetKwh: {shown(budget_kwh)} is not allowed: 0 to {_MAX_BUDGET_KWH} are")
    if round(budget_kwh, _BUDGET_DECIMALS) != budget_kwh:
        raise BadTag(f"budgetKwh: {shown(budget_kwh)} is not allowed: {_BUDGET_DECIMALS} decimals are")
    if period not in _PERIODS:
        raise BadTag(f"budgetPeriod: {shown(period)} is not allowed: {', '.join(_PERIODS)} are")


def check_text(name: str, text: str, longest: int = _MAX_LENGTH) -> None:
    """Check a text; ``name`` is its field's.

    :raises BadTag: it is empty, too long, or holds control characters.
    """
    if not 0 < len(text) <= longest:
        raise BadTag(f"{name}: {len(text)} characters are not allowed: 1 to {longest} are")
    if _CONTROL.search(text):
        raise BadTag(f"{name}: control characters are not allowed")
