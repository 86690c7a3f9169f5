"""``/tokens``: who may use the API besides the bearer of ``http.token``, and as what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from attrs import define
from msgspec import Meta
from twisted.logger import Logger

from csms.api.access import Access, digest, new_text
from csms.api.event_feed import EventFeed
from csms.api.parameters import TokenName
from csms.api.ports import Ledger
from csms.api.problems import Problem, not_found
from csms.api.routes import Answer, Asked, Body, Exchange, Route, Shown
from csms.store import tokens
from csms.store.tokens import MOST_TOKENS, NameTaken, Role, Token, TooManyTokens

_log = Logger()


class TokenEntry(Asked, frozen=True):
    """A token that is wanted: read, operate (read and command) or admin (everything)."""

    name: TokenName
    role: Role


class ShownToken(Shown, frozen=True):
    """A token, without its text."""

    name: str
    role: Role
    created_at: datetime


class NewToken(Shown, frozen=True):
    """A token with its text, which is told this once and kept nowhere."""

    name: str
    role: Role
    created_at: datetime
    token: Annotated[str, Meta(description="The text for the Authorization header")]


class TokenList(Shown, frozen=True):
    """All tokens, by name."""

    items: Sequence[ShownToken]


@define(eq=False)
class Tokens:
    """The ledger's tokens."""

    _ledger: Ledger
    _access: Access
    _feed: EventFeed
    _now: Callable[[], datetime]

    def routes(self) -> Sequence[Route]:
        """Return the routes of this resource."""
        return [
            Route("GET", "/tokens", "listTokens", "Tokens, by name", self.list, {200: TokenList}, role="admin"),
            Route(
                "POST", "/tokens", "addToken", "Make a token; its text is in this answer only",
                self.add, {201: NewToken}, body=Body(TokenEntry), problems=(409, 422), role="admin",
            ),
            Route(
                "DELETE", "/tokens/{tokenName}", "deleteToken", "Delete a token; its streams of events end",
                self.delete, {204: None}, problems=(404,), role="admin",
            ),
        ]  # fmt: skip

    async def list(self, exchange: Exchange) -> Answer:
        """Return all tokens."""
        del exchange
        found = await self._ledger.browse(tokens.every)
        items = [ShownToken(name=token.name, role=token.role, created_at=token.created_at) for token in found]
        return Answer(TokenList(items=items))

    async def add(self, exchange: Exchange) -> Answer:
        """Make a token."""
        entry: TokenEntry = exchange.body
        text = new_text()
        token = Token(entry.name, entry.role, digest(text.encode()), self._now())
        try:
            await self._ledger.write(lambda connection: tokens.add(connection, token))
        except NameTaken:
            raise Problem(409, f"there is a token {entry.name} already") from None
        except TooManyTokens:
            raise Problem(409, f"there are {MOST_TOKENS} tokens: more are not taken") from None
        finally:
            self._access.changed()
        _log.info("token {token_name} was made, its role is {role}", token_name=token.name, role=token.role)
        shown = NewToken(name=token.name, role=token.role, created_at=token.created_at, token=text)
        return Answer(shown, 201)

    async def delete(self, exchange: Exchange) -> Answer:
        """Delete a token."""
        name = exchange.path["tokenName"]
        try:
            existed = await self._ledger.write(lambda connection: tokens.remove(connection, name))
        finally:
            self._access.changed()
        if not existed:
            raise not_found(f"token {name!r}")
        self._feed.end_of(name)
        _log.info("token {token_name} was deleted", token_name=name)
        return Answer(status=204)
