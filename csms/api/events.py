"""``/events``: the event log from any position, a page at a time or as a stream that goes on live."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import msgspec
from attrs import define
from msgspec import UNSET, Meta, UnsetType

from csms.api.event_feed import EventFeed, TooManyStreams
from csms.api.exchange import accepted
from csms.api.parameters import ClientId, Limit, given
from csms.api.ports import Ledger
from csms.api.problems import Problem, unavailable
from csms.api.routes import EVENT_STREAM, JSON, Answer, Asked, Exchange, Header, Route, Shown
from csms.store.log_slices import OutOfReach, Slice, Wanted, log_slice

_LARGEST = 2**63 - 1
_MOST_TYPES = 20
"""More than there are, and few enough for a request line."""
Position = Annotated[int, Meta(ge=0, le=_LARGEST)]
_POSITION = re.compile(r"[0-9]{1,18}")
_LAST_EVENT_ID = Header(
    "Last-Event-ID",
    "The position of the last event that was taken, as a stream gave it; it goes before `after`",
    {"type": "string", "pattern": "^[0-9]{1,18}$"},
)


class EventsQuery(Asked, frozen=True):
    """Which events. Without a position a page begins where the log does, and a stream with what happens from now on."""

    after: Position | UnsetType = UNSET
    cursor: Annotated[str, Meta(pattern="^[0-9]{1,18}$", description="As `after`")] | UnsetType = UNSET
    type: (
        Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=_MOST_TYPES)] | UnsetType
    ) = UNSET
    client_id: ClientId | UnsetType = UNSET
    limit: Limit = 50


class EventItem(Shown, frozen=True):
    """An event of the log; `event` is as it was published."""

    position: int
    topic: str
    event: msgspec.Raw


class EventPage(Shown, frozen=True):
    """A page of the log. `position` is how far it looked; `next` is there where there is more."""

    items: Sequence[EventItem]
    position: int
    next: str | UnsetType = UNSET


@define(eq=False)
class Events:
    """The event log."""

    _ledger: Ledger
    _feed: EventFeed

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        return [
            Route(
                "GET", "/events", "listEvents",
                "The event log after a position; with `Accept: text/event-stream` it goes on live",
                self.list, {200: EventPage}, query=EventsQuery, problems=(410,), headers=(_LAST_EVENT_ID,),
                media=(EVENT_STREAM,),
            )
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer | None:
        """Return a page of the log, or go on live."""
        query: EventsQuery = exchange.query
        after = _position(exchange)
        wanted = Wanted(
            frozenset(query.type) if query.type is not UNSET else None,
            given(query.client_id),
        )
        request = exchange.request
        try:
            if accepted(request, (JSON, EVENT_STREAM)) == EVENT_STREAM and request.method == b"GET":
                await self._feed.stream(request, after, wanted)
                return None
            slice_ = await self._ledger.browse(log_slice, after, query.limit, wanted)
        except OutOfReach as error:
            raise _gone(error) from None
        except TooManyStreams:
            raise unavailable("there are as many streams as may be") from None
        return Answer(_page(slice_))


def _position(exchange: Exchange) -> int | None:
    last: str | None = exchange.request.getHeader("last-event-id")
    if last is not None:
        if not _POSITION.fullmatch(last):
            raise Problem(400, "Last-Event-ID: it is no position")
        return int(last)
    cursor = exchange.query.cursor
    return int(cursor) if cursor is not UNSET else given(exchange.query.after)


def _page(found: Slice) -> EventPage:
    return EventPage(
        items=[
            EventItem(position=event.position, topic=event.topic, event=msgspec.Raw(event.body))
            for event in found.events
        ],
        position=found.position,
        next=str(found.position) if found.position < found.latest else UNSET,
    )


def _gone(error: OutOfReach) -> Problem:
    return Problem(
        410,
        f"the log goes on after positions {error.oldest} to {error.latest}",
        members={"oldest": error.oldest, "latest": error.latest},
    )
