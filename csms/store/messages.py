"""The raw log in the ledger: the last messages of each charge point, in both directions, without their secrets.

A row is a *segment*: some messages of one charge point that followed each other, as one JSON text, compressed where that
helps. A row for each message would cost twice the time, and ten times the space.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from sqlalchemy import Connection, select

from csms.events.protocol import ProtocolEvent, parts
from csms.events.redaction import HOLDS_NO_TEXT, frame_without_secrets, redacted
from csms.ocppj import frames
from csms.store.tables import messages

SEGMENT_BYTES = 64 * 1024
SEGMENT_MESSAGES = 500
_ENTRIES = 1000
"""The id of an entry is that of its segment times this, and its place in it."""
_LONGEST_ACTION = 100
_ROW_BYTES = 128
"""What a row takes beside its body, about."""
_COMPRESSED_FROM = 2048
_LEVEL, _WINDOW_BITS, _MEMORY = 1, 14, 7
"""For texts as short as these: with zlib's larger defaults every call would have the system find it fresh memory."""
_FEW, _MANY = 4, 64
_KINDS = {
    frames.CALL: "CALL",
    frames.CALLRESULT: "CALLRESULT",
    frames.CALLERROR: "CALLERROR",
    frames.CALLRESULTERROR: "CALLRESULTERROR",
    frames.SEND: "SEND",
}


class Segment(Struct, frozen=True, gc=False):
    """A row of the table; ``size`` is what counts for the charge point's bound."""

    client_id: str
    first_at: datetime
    last_at: datetime
    size: int
    actions: str
    body: bytes


class Message(Struct, frozen=True, rename="camel", kw_only=True):
    """A message of the raw log. ``size`` is that of its frame in bytes; ``payload`` is null where it was too large to keep."""

    entry_id: int
    at: datetime
    direction: str
    kind: str
    action: str
    message_id: str
    payload: Raw
    size: int
    deviations: tuple[str, ...] | UnsetType = UNSET


class Entry(Struct, array_like=True, gc=False):
    """A message inside of a segment; ``size`` only where the frame is not as it was on the wire."""

    at: datetime
    direction: str
    action: str
    frame: Raw
    deviations: tuple[str, ...] = ()
    size: int | None = None


_encode = msgspec.json.Encoder().encode
_entries = msgspec.json.Decoder(list[Entry])


def segments_of(client_id: str, events: Iterable[ProtocolEvent], largest: int) -> Iterator[Segment]:
    """Pack messages of a charge point, in order. The payload of one that would take more than `largest` bytes is left out."""
    entries: list[tuple[Any, ...]] = []
    size = 0
    for event in events:
        frame = given = event.frame
        if event.action not in HOLDS_NO_TEXT:
            frame = frame_without_secrets(event.action, given)
        if entries and (size + len(frame) > SEGMENT_BYTES or len(entries) == SEGMENT_MESSAGES):
            yield _segment(client_id, entries, largest)
            entries, size = [], 0
        size += len(frame)
        entry: tuple[Any, ...] = (event.timestamp, event.direction, event.action[:_LONGEST_ACTION], Raw(frame))
        if frame is not given or event.deviations:
            entry = (*entry, tuple(map(redacted, event.deviations)), len(given))
        entries.append(entry)
    if entries:
        yield _segment(client_id, entries, largest)


def _segment(client_id: str, entries: list[tuple[Any, ...]], largest: int) -> Segment:
    first, last = entries[0][0], entries[-1][0]
    body = _packed(entries)
    if len(body) > largest and len(entries) == 1:
        body = _packed([_without_payload(*entries[0])])
    return Segment(
        client_id,
        min(first, last),
        max(first, last),
        len(body) + _ROW_BYTES,
        " ".join({entry[2] for entry in entries}),
        body,
    )


def _packed(entries: list[tuple[Any, ...]]) -> bytes:
    body = _encode(entries)
    if len(body) < _COMPRESSED_FROM:
        return body
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY)
    return stream.compress(body) + stream.flush()


def unpacked(body: bytes) -> list[Entry]:
    """Return the messages of a segment."""
    # A zlib stream begins with another byte than a JSON array.
    return _entries.decode(body if body.startswith(b"[") else zlib.decompress(body))


def _without_payload(
    at: datetime, direction: str, action: str, frame: Raw, deviations: tuple[str, ...] = (), size: int | None = None
) -> tuple[Any, ...]:
    kind, message_id, _ = parts(frame)
    head: list[Any] = [kind, message_id, action, None] if kind in frames.MESSAGES else [kind, message_id, None]
    return at, direction, action, Raw(_encode(head)), deviations, len(bytes(frame)) if size is None else size


def list_messages(
    connection: Connection,
    client_id: str,
    *,
    action: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    limit: int,
) -> list[Message]:
    """Return messages of a charge point, newest first: of an action, from ``since``, before ``until``, before an entry."""
    table = messages.c
    wanted = [table.client_id == client_id]
    if action is not None:
        wanted.append(table.actions.contains(action[:_LONGEST_ACTION], autoescape=True))
    if since is not None:
        wanted.append(table.last_at >= since)
    if until is not None:
        wanted.append(table.first_at < until)
    query = select(table.segment_id, table.body).where(*wanted).order_by(table.segment_id.desc())
    found: list[Message] = []
    after_all, size = before, _FEW
    while limit > len(found):
        page = query.limit(size)
        if after_all is not None:
            page = page.where(table.segment_id <= (after_all - 1) // _ENTRIES)
        rows = connection.execute(page).all()
        for segment_id, body in rows:
            for entry_id, entry in _newest_first(segment_id, body):
                if (
                    (before is None or entry_id < before)
                    and (action is None or entry.action == action[:_LONGEST_ACTION])
                    and (since is None or entry.at >= since)
                    and (until is None or entry.at < until)
                ):
                    found.append(_message(entry_id, entry))
                    if len(found) == limit:
                        return found
        if len(rows) < size:
            break
        after_all, size = rows[-1].segment_id * _ENTRIES, _MANY
    return found


def _newest_first(segment_id: int, body: bytes) -> Sequence[tuple[int, Entry]]:
    return list(enumerate(unpacked(body), segment_id * _ENTRIES))[::-1]


def _message(entry_id: int, entry: Entry) -> Message:
    kind, message_id, payload = parts(entry.frame)
    return Message(
        entry_id=entry_id,
        at=entry.at,
        direction=entry.direction,
        kind=_KINDS[kind],
        action=entry.action,
        message_id=msgspec.json.decode(message_id),
        payload=payload,
        size=len(bytes(entry.frame)) if entry.size is None else entry.size,
        deviations=entry.deviations or UNSET,
    )
