"""Tokens of the HTTP API: of each its name, its role, and the SHA-256 of its text.

The text is 256 random bits, so that a fast hash without salt is as good as a slow one: there is nothing to guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct
from sqlalchemy import Connection, delete, func, insert, select

from csms.store.tables import tokens

Role = Literal["read", "operate", "admin"]
MOST_TOKENS = 100
"""All of them are held in memory, and compared with each request's."""


class Token(Struct, frozen=True):
    """A token; ``digest`` is the SHA-256 of its text."""

    name: str
    role: Role
    digest: bytes
    created_at: datetime


class NameTaken(Exception):
    """There is a token of this name."""


class TooManyTokens(Exception):
    """There are as many tokens as may be."""


def every(connection: Connection) -> Sequence[Token]:
    """Return all tokens, by name."""
    columns = (tokens.c.name, tokens.c.role, tokens.c.digest, tokens.c.created_at)
    return [Token(*row) for row in connection.execute(select(*columns).order_by(tokens.c.name))]


def add(connection: Connection, token: Token) -> None:
    """Enter a token.

    :raises NameTaken: there is one of this name.
    :raises TooManyTokens: there are as many as may be.
    """
    if connection.execute(select(tokens.c.name).where(tokens.c.name == token.name)).first() is not None:
        raise NameTaken
    if connection.execute(select(func.count()).select_from(tokens)).scalar_one() >= MOST_TOKENS:
        raise TooManyTokens
    row = {"name": token.name, "role": token.role, "digest": token.digest, "created_at": token.created_at}
    connection.execute(insert(tokens).values(row))


def remove(connection: Connection, name: str) -> bool:
    """Delete a token; tell whether there was one."""
    return connection.execute(delete(tokens).where(tokens.c.name == name)).rowcount > 0
