"""Values as every OCPP version writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from csms.handlers.request import Request
from csms.ledger import clock
from csms.ledger.clock import Instant


def instant(request: Request, text: str | None) -> Instant:
    """Return a time of the charge point; one that is not to be believed is named as a deviation."""
    at = clock.judge(text, request.context.now)
    if at.suspect:
        request.deviations.append(f"timestamp: {str(text)[:40]!r} is not to be believed, the time of arrival stands in")
    return at


def own_time(text: str, now: datetime) -> datetime:
    """Read a time of an operator's; what is none was over when it was sent."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return now


def wire_time(at: datetime) -> str:
    """Return a time as OCPP writes it: UTC, milliseconds (OCPP 1.6 §3.14)."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
