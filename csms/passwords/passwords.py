"""Whether a password is right: held against its hash on a thread, or against the memory of those that were right before."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred

from csms.passwords import hashing
from csms.passwords.attempts import Attempts, Recent
from csms.passwords.threads import Busy, Workers

_REMEMBERED = 20_000
_AT_ONCE = 4
"""How many passwords of one identity are looked at at once: guesses at one must not keep all others waiting."""


@define(eq=False)
class Passwords:
    """See the module. ``_key`` is this process's own, at random: what is remembered is worth nothing elsewhere."""

    _workers: Workers
    _key: bytes = field(repr=False)
    attempts: Attempts
    _verified: Recent[str, bytes] = field(factory=lambda: Recent(_REMEMBERED), repr=False)
    """The mark of the password that was right last, by identity."""
    _under_way: Counter[str] = field(factory=Counter)

    def hash(self, secret: bytes, like: str | None = None) -> Deferred[str]:
        """Return the hash of a password (see `hashing.make`); fails with `Busy`."""
        return self._workers.run(hashing.make, secret, like)

    def knows(self, client_id: str) -> bool:
        """Tell whether a password of this identity was right since the start."""
        return client_id in self._verified

    def remembered(self, client_id: str, secret: bytes, hashes: Sequence[str]) -> str | None:
        """Return the hash that a password belongs to, if it was found to do so before."""
        mark = self._verified.get(client_id)
        if mark is None:
            return None
        found = None
        for stored in hashes:
            if hmac.compare_digest(mark, self._mark(client_id, secret, stored)):
                found = stored
        if found is not None:
            self._verified.move_to_end(client_id)
        return found

    async def verify(self, client_id: str, secret: bytes, hashes: Sequence[str]) -> str | None:
        """Return the hash that a password belongs to, None where it is wrong.

        Without hashes, as for an identity that is not known, it takes as long.

        :raises Busy: too many wait.
        """
        if self._under_way[client_id] >= _AT_ONCE:
            raise Busy("too many passwords of this identity wait to be looked at")
        self._under_way[client_id] += 1
        try:
            found = await self._workers.run(hashing.matching, secret, tuple(hashes))
        finally:
            self._under_way[client_id] -= 1
            if not self._under_way[client_id]:
                del self._under_way[client_id]
        if found is not None:
            self._verified.put(client_id, self._mark(client_id, secret, found))
        return found

    def _mark(self, client_id: str, secret: bytes, stored: str) -> bytes:
        parts = (client_id.encode("utf-8"), secret, stored.encode("utf-8"))
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._key, message, hashlib.sha256)
