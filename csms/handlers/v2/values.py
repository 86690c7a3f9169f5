"""Values of OCPP 2.x messages that need care before the ledger may see them."""

from __future__ import annotations

from typing import Any, TypeVar

from msgspec import UNSET, UnsetType

from csms.handlers.request import Request
from csms.handlers.wire import wire_time
from csms.ledger import chargepoints, notices
from csms.ledger.authorization import TagInfo, TagStatus
from csms.ledger.decision import Decision

Value = TypeVar("Value")

_STATUSES: dict[TagStatus, str] = {}
"""Words of 2.x for what 1.6 says otherwise: none as yet."""


def id_token_info(info: TagInfo) -> dict[str, Any]:
    """Return the idTokenInfo of an answer (OCPP 2.0.1 part 2 §2.26)."""
    parent = info.parent_id_tag
    return {
        "status": _STATUSES.get(info.status, info.status),
        "cache_expiry_date_time": wire_time(info.expiry_date) if info.expiry_date is not None else None,
        "group_id_token": {"id_token": parent, "type": "Central"} if parent is not None else None,
    }


def keep(request: Request, kind: str) -> Decision[None]:
    """Have a message kept that changes nothing else."""
    return chargepoints.keep(request.state, request.context, kind=kind, body=request.payload)


def tell(request: Request, kind: str, make: notices.MakeNotice) -> Decision[None]:
    """Have a message kept, and what ``make`` makes of it published."""
    return notices.tell(request.state, request.context, kind=kind, body=request.payload, make=make)


def given(value: Value | None) -> Value | UnsetType:
    """Return a member of a notice that may be absent."""
    return value if value is not None else UNSET


def whole(number: float) -> int:
    """Return a number that the schema wants whole; tolerant validation lets fractions pass."""
    return int(number)
