"""What is told of handshakes that were refused: an event and a line in the log for each, but no flood of either.

The first refusal of an identity from an address is told at once; those that follow within the minute are counted, and told
together at its end. Of a minute only so many are told by themselves, and fewest of identities that the ledger does not know,
for those are whatever somebody made up; the others are counted under an identity that no charge point can have.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import define, evolve, field
from msgspec import UNSET
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.chargepoint.registry import Registry
from csms.events.business import LoginRefused
from csms.ledger.chargepoints import login_refused
from csms.passwords.attempts import network_of
from csms.store.errors import StoreError
from csms.websocket.handshake import Refusal, is_identity

_log = Logger()
FLUSH_S = 60.0
OTHERS = ":others"
KNOWN_PER_FLUSH = 20
UNKNOWN_PER_FLUSH = 3
AGAIN_PER_FLUSH = 10
LINES_PER_FLUSH = 300
_MOST_OPEN = 1000


@define
class _Untold:
    since: datetime
    reason: str
    address: str
    count: int = 0


@define(eq=False)
class Refusals:
    """See the module. `flush` is called at the end of each minute."""

    _registry: Registry
    _now: Callable[[], datetime]
    _is_available: Callable[[], bool]
    _open: dict[tuple[str, str], _Untold] = field(factory=dict)
    """What was told in this minute, and what came after that."""
    _others: _Untold | None = None
    _told: dict[bool, int] = field(factory=lambda: {True: 0, False: 0})
    """How many events there were in this minute, of charge points that are known and of others."""
    _lines: int = 0

    async def note_named(self, name: str | None, refusal: Refusal, address: str) -> None:
        """A client certificate was refused, whose CN is the name, if it is known."""
        client_id = None
        if name is not None:
            try:
                found = await self._registry.named(name)
            except StoreError:
                found = frozenset()
            if len(found) == 1:
                client_id, refusal = min(found), evolve(refusal, is_known=True)
            elif is_identity(name):
                client_id = name
        self.note(client_id, address, refusal)

    def note(self, client_id: str | None, address: str, refusal: Refusal) -> None:
        """A handshake was refused."""
        if client_id is None or refusal.why is None:
            self._write(client_id, address, refusal)
            if refusal.why is not None:
                self._add_to_others(_Untold(self._now(), refusal.why, address, 1))
            return
        untold = self._open.get((client_id, network_of(address)))
        if untold is not None:
            untold.count, untold.reason, untold.address = untold.count + 1, refusal.why, address
            return
        self._write(client_id, address, refusal)
        untold = _Untold(self._now(), refusal.why, address, 1)
        if self._take(is_known=refusal.is_known):
            self._open[client_id, network_of(address)] = untold
            self._tell(client_id, untold)
        else:
            self._add_to_others(untold)

    def _write(self, client_id: str | None, address: str, refusal: Refusal) -> None:
        self._lines += 1
        if self._lines <= LINES_PER_FLUSH:
            _log.warn(
                "{client_id}: handshake from {address} refused with {status}: {reason}",
                client_id=client_id,
                address=address,
                status=refusal.status or "a TLS alert",
                reason=f"{refusal.reason} ({refusal.why})" if refusal.why is not None else refusal.reason,
            )

    def flush(self) -> None:
        """Tell what was counted, and begin anew."""
        if not self._is_available():
            return
        self._told = {True: 0, False: 0}
        if self._lines > LINES_PER_FLUSH:
            _log.warn("{count} refused handshakes have no line of their own", count=self._lines - LINES_PER_FLUSH)
        self._lines = 0
        # What was refused again stays open: a charge point that is refused all day is told of once a minute, not twice.
        self._open = {key: untold for key, untold in self._open.items() if untold.count}
        for number, ((client_id, _), untold) in enumerate(list(self._open.items())):
            if number < AGAIN_PER_FLUSH:
                _log.warn(
                    "{client_id}: {count} more handshakes from {address} refused ({reason})",
                    client_id=client_id,
                    count=untold.count,
                    address=untold.address,
                    reason=untold.reason,
                )
                self._tell(client_id, untold)
            else:
                self._add_to_others(untold)
        others, self._others = self._others, None
        if others is not None:
            self._tell(OTHERS, others)

    def _take(self, *, is_known: bool) -> bool:
        most = KNOWN_PER_FLUSH if is_known else UNKNOWN_PER_FLUSH
        if self._told[is_known] >= most or len(self._open) >= _MOST_OPEN:
            return False
        self._told[is_known] += 1
        return True

    def _tell(self, client_id: str, untold: _Untold) -> None:
        told = LoginRefused(
            reason=untold.reason, count=untold.count, since=untold.since, remote_address=untold.address or UNSET
        )
        untold.count, untold.since = 0, self._now()
        decided = Deferred.fromCoroutine(
            self._registry.decide(client_id, lambda state, context: login_refused(state, context, told))
        )
        decided.addErrback(self._not_told, told)

    def _not_told(self, failure: Failure, told: LoginRefused) -> None:
        """The ledger is away: tell it later, with the others."""
        _log.warn("a refused handshake could not be told of: {error}", error=failure.getErrorMessage())
        self._add_to_others(_Untold(told.since, told.reason, told.remote_address or "", told.count))

    def _add_to_others(self, untold: _Untold) -> None:
        others = self._others
        if others is None:
            self._others = _Untold(untold.since, untold.reason, untold.address, untold.count)
        else:
            others.count, others.reason, others.address = others.count + untold.count, untold.reason, untold.address
            others.since = min(others.since, untold.since)
        untold.count = 0
