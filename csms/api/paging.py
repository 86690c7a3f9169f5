"""Pages of lists: opaque cursors that say after which key a list goes on."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from csms.api.problems import Problem

Row = TypeVar("Row")


def decode(cursor: str | UnsetType, kind: Any) -> Any:
    """Return the key that a cursor stands for, None without one.

    :raises Problem: 400, it is no cursor of this list.
    """
    if cursor is UNSET:
        return None
    try:
        key = msgspec.json.decode(urlsafe_b64decode(cursor.encode("ascii") + b"=="), type=kind)
    except (ValueError, msgspec.MsgspecError):
        raise Problem(400, "query: cursor: it is not of this list") from None
    if "\\u0000" in repr(key) or "\\x00" in repr(key):
        raise Problem(400, "query: cursor: it is not of this list")
    return key


def encode(key: Any) -> str:
    """Return the cursor of a key."""
    return urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def split(rows: Sequence[Row], limit: int, key: Callable[[Row], Any]) -> tuple[Sequence[Row], str | UnsetType]:
    """Return a page of rows of which one more than the limit was read, and the cursor of the next page if there is one."""
    if len(rows) <= limit:
        return rows, UNSET
    page = rows[:limit]
    return page, encode(key(page[-1]))
