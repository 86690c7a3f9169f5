"""Basic authentication (RFC 7617), as charge points give it: the password may be any bytes."""

from __future__ import annotations

import binascii
from base64 import b64decode

from attrs import field, frozen

_SCHEME = "basic"


@frozen
class Given:
    """A user name and a password, as bytes: they are split at the first colon, and never taken for UTF-8."""

    user: bytes
    password: bytes = field(repr=False)


NOTHING_USABLE = Given(b"", b"")


def given(header: str | None) -> Given | None:
    """Return what an ``Authorization`` header holds, None without one; what cannot be understood is nobody's."""
    if header is None:
        return None
    scheme, _, token = header.strip().partition(" ")
    if scheme.lower() != _SCHEME:
        return NOTHING_USABLE
    token = token.strip().rstrip("=")
    try:
        data = b64decode(token + "=" * (-len(token) % 4), validate=True)
    except (binascii.Error, ValueError):
        return NOTHING_USABLE
    user, colon, password = data.partition(b":")
    return Given(user, password) if colon else NOTHING_USABLE
