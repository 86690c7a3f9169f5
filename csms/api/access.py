"""Who may ask for what: the token of the settings, those of the ledger, and their roles.

The ledger's tokens are few. All of them are held in memory for a moment: strangers cost no more than one short read then.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any, Protocol, get_args

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest

from csms.store import tokens
from csms.store.tokens import Role, Token

LIFE_S = 5.0
"""How long tokens are held: what another daemon on the same database does to them is noticed after that."""
PREFIX = "csms_"
"""Of each token of the ledger: programs that look for secrets in files know it by that."""
_BYTES = 32
_ROLES: tuple[Role, ...] = get_args(Role)


class Reader(Protocol):
    """The store, as it is asked for tokens."""

    def read(self, query: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Have ``query(connection, *arguments)`` run on a reader's thread."""


@frozen
class Bearer:
    """Who asks: a role, and the name of the token where it is one of the ledger's."""

    role: Role
    name: str | None = None

    def may(self, wanted: Role) -> bool:
        """Tell whether the role suffices: each can do what those before it can."""
        return _ROLES.index(self.role) >= _ROLES.index(wanted)


_ADMIN = Bearer("admin")


def new_text() -> str:
    """Return the text of a new token."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def digest(text: bytes) -> bytes:
    """Return what is kept of a token's text."""
    return sha256(text).digest()


@define(eq=False)
class Access:
    """The tokens. Without one in the settings everybody who reaches the API is admin (it is on loopback then)."""

    _ledger: Reader
    _monotonic: Callable[[], float]
    _token: str | None = field(default=None, repr=False)
    _held: Sequence[Token] = field(default=(), repr=False)
    _held_until: float | None = None
    """None where what is held is not to be used."""
    _waiting: list[Deferred[Sequence[Token]]] = field(factory=list)
    _changes: int = 0

    @property
    def is_open(self) -> bool:
        """Whether no token is asked for."""
        return self._token is None

    def bearer(self, request: IRequest) -> Deferred[Bearer | None]:
        """Return who asks, None for a stranger (RFC 6750); fails with `StoreUnavailable`.

        It has fired already unless the ledger has to be read.
        """
        if self._token is None:
            return succeed(_ADMIN)
        headers = request.requestHeaders.getRawHeaders(b"authorization") or [b""]
        scheme, _, given = headers[0].partition(b" ")
        given = given.strip()
        if len(headers) != 1 or scheme.lower() != b"bearer":
            return succeed(None)
        if compare_digest(given, self._token.encode()):
            return succeed(_ADMIN)
        if not given.startswith(PREFIX.encode()):
            return succeed(None)
        return self._tokens().addCallback(_find, digest(given))

    def changed(self) -> None:
        """Hear that the ledger's tokens were changed: what is held, or just being read, is not used any more."""
        self._changes += 1
        self._held_until = None

    def _tokens(self) -> Deferred[Sequence[Token]]:
        if self._held_until is not None and self._monotonic() < self._held_until:
            return succeed(self._held)
        waiting: Deferred[Sequence[Token]] = Deferred()
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            self._read()
        return waiting

    def _read(self) -> None:
        self._ledger.read(tokens.every).addCallbacks(self._were_read, self._failed, (self._changes,))

    def _were_read(self, found: Sequence[Token], changes: int) -> None:
        if changes != self._changes:
            self._read()
            return
        self._held, self._held_until = found, self._monotonic() + LIFE_S
        self._answer(found)

    def _failed(self, failure: Failure) -> None:
        """While the ledger is away nobody can delete a token: those that were known last hold."""
        self._answer(self._held if self._held_until is not None else failure)

    def _answer(self, result: Sequence[Token] | Failure) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(result)


def _find(known: Sequence[Token], wanted: bytes) -> Bearer | None:
    """Return whose token has a digest; each is compared, in constant time."""
    found = None
    for token in known:
        if compare_digest(token.digest, wanted):
            found = Bearer(token.role, token.name)
    return found
