"""The charge point's clock, and when not to believe it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from msgspec import Struct

_EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
_AHEAD = timedelta(hours=24)


class Instant(Struct, frozen=True, gc=False):
    """A time that a charge point gave: ``at`` is what the ledger goes by, ``station`` the charge point's own text."""

    at: datetime
    station: str
    suspect: bool
    """Whether the charge point's time was implausible, so that ``at`` is the time of arrival."""


def judge(text: str | None, now: datetime) -> Instant:
    """Read a charge point's time.

    Without a zone it is taken as UTC. Where it is no time, before 2020 or more than 24 hours ahead, the time of arrival
    stands in. An old time is not a fault: a charge point that was offline sends its queue afterwards.
    """
    if text is None:
        return Instant(now, "", False)
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return Instant(now, text, True)
    if at < _EARLIEST or at > now + _AHEAD:
        return Instant(now, text, True)
    return Instant(at, text, False)
