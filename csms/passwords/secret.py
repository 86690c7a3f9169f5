"""What a charge point's password may be, and the one form of it that is hashed.

OCPP 1.6 sets a password as up to 40 hexadecimal digits (AuthorizationKey), and a charge point gives the bytes that they stand
for, or the digits (security whitepaper A00.FR.205, OCPP-J 1.6 §6). OCPP 2.x has a text of 16 to 40 characters, 2.1 up to 64
(A00.FR.205). Shorter ones are taken: there are charge points in the field that have them, and without one they would have none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

SHORTEST = 8
LONGEST = 64
_MOST_BYTES = 256
_KEY_BYTES = 20
_DIGITS = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,20}")


class BadPassword(ValueError):
    """That cannot be a password; the message says why, and nothing of it."""


def checked(text: str) -> bytes:
    """Return the form of a password that is hashed.

    :raises BadPassword: it cannot be one.
    """
    if not SHORTEST <= len(text) <= LONGEST:
        raise BadPassword(f"allowed are {SHORTEST} to {LONGEST} characters")
    if not text.isprintable():
        raise BadPassword("allowed are printable characters")
    return canonical(text.encode("utf-8"))


def canonical(given: bytes) -> bytes:
    """Return the form that is hashed: hexadecimal digits, whatever their case, and the bytes that they stand for are the same."""
    return bytes.fromhex(given.decode("ascii")) if _DIGITS.fullmatch(given) else given


def is_possible(given: bytes) -> bool:
    """Tell whether something can be a password at all: what is longer is not worth a hash."""
    return 0 < len(given) <= _MOST_BYTES


def new_password(random_bytes: Callable[[int], bytes]) -> str:
    """Return a new password: 40 hexadecimal digits, which every version of OCPP takes.

    No byte of it is zero: there are charge points that keep it as a text that ends there.
    """
    key = b""
    while len(key) < _KEY_BYTES:
        key += random_bytes(_KEY_BYTES).replace(b"\0", b"")
    return key[:_KEY_BYTES].hex()
