"""The order of a transaction's events in OCPP 2.x: what came, what is missing, what comes late or again (E01 to E16)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from csms.ledger.clock import Instant
from csms.ledger.state import EventTrail

Arrival = Literal["in order", "late", "again"]
LARGEST_SEQ_NO = 2**31 - 1
_MOST_GAPS = 32


class Arrived(Struct, frozen=True, gc=False):
    """How an event came, and the trail with it."""

    arrival: Arrival
    trail: EventTrail


def arrive(trail: EventTrail, seq_no: int, instant: Instant, *, is_start: bool) -> Arrived:
    """Take the number of an event.

    A station that counts nothing gives all events one number: of these a later time is in order. A Started is the first,
    whatever its number: some stations do not begin at 0.
    """
    at, latest = instant.at, trail.latest_at
    is_later = latest is not None and at > latest and not instant.suspect
    if seq_no > trail.highest or (seq_no == trail.highest and is_later):
        missing = trail.missing
        if seq_no > trail.highest + 1 and not (is_start and trail.highest < 0):
            missing = _bounded((*missing, (trail.highest + 1, seq_no - 1)))
        return Arrived("in order", replace(trail, highest=seq_no, latest_at=at, missing=missing))
    gap = next((gap for gap in trail.missing if gap[0] <= seq_no <= gap[1]), None)
    missing = trail.missing
    if gap is not None:
        parts = [part for part in ((gap[0], seq_no - 1), (seq_no + 1, gap[1])) if part[0] <= part[1]]
        missing = _bounded(tuple(sorted((*(other for other in missing if other != gap), *parts))))
    if is_start:
        missing = tuple((max(first, seq_no + 1), last) for first, last in missing if last > seq_no)
    return Arrived("again" if gap is None else "late", replace(trail, missing=missing))


def missing_text(trail: EventTrail) -> str:
    """Return the numbers that are missing as a text."""
    return ", ".join(str(first) if first == last else f"{first} to {last}" for first, last in trail.missing)


def _bounded(gaps: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Of very many gaps the oldest are taken as one: an event in between that came counts as missing again."""
    if len(gaps) <= _MOST_GAPS:
        return gaps
    first, second, *rest = gaps
    return ((first[0], second[1]), *rest)


def deviations(trail: EventTrail | None, seq_no: int) -> list[str]:
    """Return what a number says of the events before it, where they did not come as they should."""
    if trail is None or seq_no <= trail.highest:
        return []
    notes = []
    if seq_no > trail.highest + 1:
        notes.append(f"seqNo: {trail.highest + 1} to {seq_no - 1} did not come before {seq_no}")
    if trail.ended is not None:
        notes.append(f"seqNo: {seq_no} came after the Ended")
    return notes
