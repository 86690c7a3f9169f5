"""Reports of the device model, which come in parts: which parts are there, and when a report is complete (B07, B08, N02).

Parts may come in any order and more than once; one that never comes takes nothing from the others.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from csms.events.business import ReportCompleted
from csms.events.redaction import without_secrets
from csms.ledger.clock import Instant
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.model import Report, ReportKind
from csms.ledger.state import ChargePointState

_AT_HAND = 8
"""How many reports are remembered between messages."""
_MOST_RANGES = 200
_LONGEST_REQUEST = 10_000
"""Bytes: of a longer request it is not kept what was asked."""
ACCEPTED = "Accepted"
EMPTY = "EmptyResultSet"


class Part(Struct, frozen=True, gc=False):
    """A part of a report: ``is_last`` where no other follows it."""

    kind: ReportKind
    request_id: int
    number: int
    is_last: bool
    generated: Instant


def requested(
    state: ChargePointState,
    context: Context,
    *,
    kind: ReportKind,
    action: str,
    request_id: int,
    request: object,
    status: str,
) -> Decision[None]:
    """Take a charge point's answer to the request of a report: a report of this number begins anew."""
    draft = Draft(state, context)
    early = state.reports.get(request_id)
    if early is None or early.kind != kind or early.action is not None:
        early = Report(client_id=state.charge_point.client_id, request_id=request_id, kind=kind, begun_at=context.now)
    body = msgspec.json.encode(without_secrets(request))
    report = replace(early, action=action, request=body if len(body) <= _LONGEST_REQUEST else None, status=status)
    if status == EMPTY:
        report = _complete(draft, report, context.now)
    keep(draft, report)
    return draft.decide(None)


def with_part(before: Report | None, part: Part, client_id: str, now: datetime) -> Report | None:
    """Return a report with a part more, None where the part is a repetition."""
    if before is None or before.kind != part.kind:
        before = Report(client_id=client_id, request_id=part.request_id, kind=part.kind, begun_at=now)
    is_there = any(first <= part.number <= last for first, last in before.received)
    latest = before.generated_at
    is_newer = not part.generated.suspect and (latest is None or part.generated.at > latest)
    if is_there and not is_newer:
        return None
    received = before.received if is_there else _added(before.received, part.number)
    return replace(
        before,
        received=received,
        last_part=part.number if part.is_last else before.last_part,
        generated_at=part.generated.at if is_newer else latest,
    )


def close_if_complete(draft: Draft, report: Report, now: datetime) -> Report:
    """Return a report, completed where all its parts are there, which is told once."""
    last = report.last_part
    is_whole = (
        last is not None and bool(report.received) and report.received[0][0] == 0 <= last <= report.received[0][1]
    )
    return _complete(draft, report, now) if is_whole and report.completed_at is None else report


def keep(draft: Draft, report: Report) -> None:
    """Have a report written, and remember it."""
    draft.change(report)
    others = {number: other for number, other in draft.state.reports.items() if number != report.request_id}
    while len(others) >= _AT_HAND:
        del others[next(iter(others))]
    draft.state = replace(draft.state, reports={**others, report.request_id: report})


def _complete(draft: Draft, report: Report, now: datetime) -> Report:
    draft.emit(
        "report_completed",
        ReportCompleted(
            request_id=report.request_id,
            report=report.kind,
            parts=report.last_part + 1 if report.last_part is not None else 0,
            action=report.action or UNSET,
            status=report.status or UNSET,
            generated_at=report.generated_at or UNSET,
        ),
    )
    return replace(report, completed_at=now)


def _added(ranges: tuple[tuple[int, int], ...], number: int) -> tuple[tuple[int, int], ...]:
    """Return ranges, in order and with gaps between them, with a number more; too many of them stay as they are."""
    first, last = number, number
    others = []
    for range_ in ranges:
        if range_[1] + 1 == first:
            first = range_[0]
        elif range_[0] - 1 == last:
            last = range_[1]
        else:
            others.append(range_)
    return ranges if len(others) >= _MOST_RANGES else tuple(sorted([*others, (first, last)]))
