"""Periodic event streams: the values of a monitor, sent without waiting for answers (OCPP 2.1 N11 to N14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import UNSET
from msgspec.structs import replace

from csms.events.notices import EventStreamClosed, EventStreamData, EventStreamOpened, StreamValue
from csms.ledger import facts, notices
from csms.ledger.clock import Instant
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePointState

STREAMS = "EventStreams"
"""The kind of the fact that holds the open streams of a station: monitor ids by stream ids."""
MOST_STREAMS = 64
_OPEN, _CLOSE, _NOTIFY = "OpenPeriodicEventStream", "ClosePeriodicEventStream", "NotifyPeriodicEventStream"


def open_stream(
    state: ChargePointState,
    context: Context,
    *,
    stream_id: int,
    monitor_id: int,
    interval: int | None,
    values: int | None,
    body: object,
) -> Decision[str]:
    """A station opens a stream (N11); the answer is Rejected where it has `MOST_STREAMS` open."""
    accepted = stream_id in state.streams or len(state.streams) < MOST_STREAMS
    answer = "Accepted" if accepted else "Rejected"

    def make(draft: Draft) -> EventStreamOpened:
        if accepted:
            _remember(draft, context, {**state.streams, stream_id: monitor_id})
        return EventStreamOpened(
            stream_id=stream_id,
            variable_monitoring_id=monitor_id,
            status=answer,
            interval=interval if interval is not None else UNSET,
            values=values if values is not None else UNSET,
        )

    decision = notices.tell(state, context, kind=_OPEN, body=body, make=make)
    return Decision(answer, decision.state, decision.changes, decision.events)


def close_stream(state: ChargePointState, context: Context, *, stream_id: int, body: object) -> Decision[None]:
    """A station closes a stream (N13), known or not."""

    def make(draft: Draft) -> EventStreamClosed:
        known = state.streams
        if stream_id in known:
            _remember(draft, context, {key: value for key, value in known.items() if key != stream_id})
        return EventStreamClosed(stream_id=stream_id, variable_monitoring_id=known.get(stream_id, UNSET))

    return notices.tell(state, context, kind=_CLOSE, body=body, make=make)


def data(
    state: ChargePointState,
    context: Context,
    *,
    stream_id: int,
    pending: int,
    base: Instant,
    values: Sequence[tuple[float, str]],
    body: object,
) -> Decision[None]:
    """Values of a stream, each at its seconds after the base time, in order."""
    notice = EventStreamData(
        stream_id=stream_id,
        pending=pending,
        values=[StreamValue(timestamp=_after(base.at, seconds), value=value) for seconds, value in values],
        variable_monitoring_id=state.streams.get(stream_id, UNSET),
    )
    return notices.tell(state, context, kind=_NOTIFY, body=body, make=lambda _draft: notice)


def observe(state: ChargePointState, context: Context, open_streams: Mapping[int, int]) -> Decision[None]:
    """A station has told all the streams that are open (N12)."""
    if dict(open_streams) == state.streams:
        return Decision(None, state)
    draft = Draft(state, context)
    _remember(draft, context, dict(list(open_streams.items())[:MOST_STREAMS]))
    return draft.decide(None)


def _remember(draft: Draft, context: Context, streams: dict[int, int]) -> None:
    draft.state = replace(draft.state, streams=streams)
    facts.know(draft, context, STREAMS, "", {str(key): value for key, value in streams.items()})


def _after(base: datetime, seconds: float) -> datetime:
    try:
        return base + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return base
