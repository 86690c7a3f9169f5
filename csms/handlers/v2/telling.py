"""What a station tells that changes nothing else, on its way into the ledger."""

from __future__ import annotations

from typing import TypeVar

from msgspec import UNSET, UnsetType

from csms.handlers.request import Request
from csms.ledger import notices
from csms.ledger.decision import Decision

Value = TypeVar("Value")


def tell(request: Request, kind: str, make: notices.MakeNotice) -> Decision[None]:
    """Have a message kept, and what ``make`` makes of it published."""
    return notices.tell(request.state, request.context, kind=kind, body=request.payload, make=make)


def given(value: Value | None) -> Value | UnsetType:
    """Return a member of a notice that may be absent."""
    return value if value is not None else UNSET


def truth(value: object) -> bool | None:
    """Return a truth value that may be absent; tolerant validation lets 0 and 1 pass."""
    return None if value is None else bool(value)
