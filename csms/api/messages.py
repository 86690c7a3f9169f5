"""``/chargepoints/{clientId}/messages``: the raw OCPP log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from attrs import define
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import Connection

from csms.api import paging
from csms.api.parameters import Listing, Time, given, utc
from csms.api.ports import Ledger
from csms.api.problems import not_found
from csms.api.routes import Answer, Exchange, Route, Shown
from csms.store import listings
from csms.store.messages import Message, list_messages

_SUFFIX = {"CALL": "", "SEND": "", "CALLRESULT": "Response", "CALLERROR": "Error", "CALLRESULTERROR": "ResponseError"}


class MessagesQuery(Listing, frozen=True):
    """Which messages: those of an action, since a time, and before another."""

    action: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    since: Time | UnsetType = UNSET
    until: Time | UnsetType = UNSET


class ShownMessage(Shown, frozen=True):
    """A message; `messageType` is the action, with `Response`, `Error` or `ResponseError` behind it. `size` is that of its frame in bytes."""

    timestamp: datetime
    direction: str
    message_type: str
    action: str
    message_id: str
    payload: msgspec.Raw
    size: int
    deviations: Sequence[str] | UnsetType = UNSET


class MessagePage(Shown, frozen=True):
    """A page of messages, newest first."""

    items: Sequence[ShownMessage]
    next: str | UnsetType = UNSET


@define(eq=False)
class Messages:
    """The raw log."""

    _ledger: Ledger

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        return [
            Route(
                "GET", "/chargepoints/{clientId}/messages", "listMessages",
                "The last messages of a charge point in both directions, newest first, without their secrets",
                self.list, {200: MessagePage}, query=MessagesQuery, problems=(404,),
            )
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return a page of messages."""
        query: MessagesQuery = exchange.query
        client_id = exchange.path["clientId"]
        before = paging.decode(query.cursor, Annotated[int, Meta(ge=0, le=2**63 - 1)])
        wanted = (given(query.action), utc(query.since), utc(query.until))
        found = await self._ledger.browse(_messages, client_id, before, query.limit + 1, wanted)
        if found is None:
            raise not_found(f"charge point {client_id!r}")
        page, following = paging.split(found, query.limit, lambda row: row.entry_id)
        return Answer(MessagePage(items=[_shown(row) for row in page], next=following))


def _messages(
    connection: Connection, client_id: str, before: int | None, limit: int, wanted: tuple[Any, ...]
) -> Sequence[Message] | None:
    action, since, until = wanted
    found = list_messages(connection, client_id, action=action, since=since, until=until, before=before, limit=limit)
    return found if found or listings.is_known(connection, client_id) else None


def _shown(row: Message) -> ShownMessage:
    return ShownMessage(
        timestamp=row.at,
        direction=row.direction,
        message_type=row.action + _SUFFIX[row.kind],
        action=row.action,
        message_id=row.message_id,
        payload=row.payload,
        size=row.size,
        deviations=row.deviations,
    )
