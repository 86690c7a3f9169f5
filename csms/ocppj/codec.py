"""JSON as OCPP-J carries it: strict where a lenient parser would let poison through.

Refused are: bytes that are not UTF-8, NUL characters, lone surrogates, NaN and infinite numbers, more than `MAX_DEPTH` levels
and duplicate member names. All of them are valid for some JSON parser and break a database, a broker or the next parser.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

MAX_DEPTH = 64
_NUL_ESCAPE = b"\\u0000"
_BUT_OPENING = bytes(byte for byte in range(256) if byte not in b"[{")
_BUT_BRACKETS_AND_QUOTES = bytes(byte for byte in range(256) if byte not in b'[]{}"')


class BadJson(ValueError):
    """The text is not JSON that may enter; the message says what is wrong with it."""


class BadUtf8(BadJson):
    """The bytes are not UTF-8: a WebSocket must be closed with 1007 (RFC 6455 §8.1)."""


def parse(data: bytes) -> Any:
    """Parse UTF-8 JSON text.

    :raises BadUtf8: the bytes are not UTF-8.
    :raises BadJson: the text is not JSON, or holds something that is refused (see above).
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            raise BadUtf8("the text is not UTF-8") from None
        raise BadJson(f"not JSON: {error}") from None
    if len(data.translate(None, _BUT_OPENING)) > MAX_DEPTH and _is_too_deep(data, value):
        raise BadJson(f"nested deeper than {MAX_DEPTH} levels")
    # A text that is its own canonical form has no member twice; only other texts need the exact look.
    if orjson.dumps(value) != data:
        _refuse_duplicates(data)
    if _NUL_ESCAPE in data and _holds_nul(value):
        raise BadJson("holds a NUL character")
    return value


def dump(value: Any) -> bytes:
    """Encode a value as compact JSON, members in the order given."""
    # A copy: orjson's own bytes hold on to four kilobytes however short they are, and answers wait for their commit.
    return bytes(memoryview(orjson.dumps(value)))


def _is_too_deep(data: bytes, value: Any) -> bool:
    """Tell whether a text is nested deeper than allowed: by its brackets alone, where no string holds any."""
    if b"\\" not in data:
        brackets = data.translate(None, _BUT_BRACKETS_AND_QUOTES).replace(b'""', b"")
        if b'"' not in brackets:
            # Each turn takes off one level, two where arrays and objects take turns.
            for _ in range(MAX_DEPTH // 2):
                brackets = brackets.replace(b"{}", b"").replace(b"[]", b"")
                if not brackets:
                    return False
    depth = 0
    level = [value]
    while level and depth <= MAX_DEPTH:
        containers = [item for item in level if isinstance(item, dict | list)]
        depth += bool(containers)
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    return depth > MAX_DEPTH


def _refuse_duplicates(data: bytes) -> None:
    json.loads(data, object_pairs_hook=_pairs, parse_float=_ignore, parse_int=_ignore)


def _ignore(text: str) -> None:
    del text


def _pairs(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise BadJson(f"member {twice[:50]!r} is there twice")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in name or _holds_nul(item) for name, item in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))
