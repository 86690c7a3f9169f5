"""Which charge point has which session. One live session for each; the ledger hears of every end.

A newcomer under an identity whose socket stands takes its place only if it has proved who it is, or if the old socket gives
no sign of life. An old socket that closes late does not unregister the new one: sessions are compared, not identities.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from attrs import define, field
from msgspec.structs import replace
from twisted.internet.defer import Deferred, DeferredList, gatherResults, maybeDeferred
from twisted.logger import Logger

from csms.chargepoint.presence import SessionLeft
from csms.chargepoint.session import Session
from csms.chargepoint.shared import Shared
from csms.chargepoint.transport import CLOSE_POLICY
from csms.ledger import chargepoints
from csms.ledger.decision import Rule
from csms.ledger.state import ChargePointState, Credentials
from csms.ocppj.versions import Version
from csms.store import queries
from csms.store.certificates import who_is_named
from csms.store.errors import StoreError

_RECOVERED_AT_ONCE = 128
_log = Logger()


class IdentityInUse(Exception):
    """Another socket of this identity is alive, and the newcomer did not prove who it is."""


class UnknownChargePoint(Exception):
    """The operator wants only charge points that are known, and this one is not."""


@define(eq=False)
class Visit:
    """A charge point whose handshake is under way, as it was read; ``state`` is None where that may be true no more."""

    client_id: str
    credentials: Credentials = field(factory=Credentials)
    state: ChargePointState | None = None
    is_outdated: bool = False
    """Whether something has happened since the visit began; what was read meanwhile may be from before."""


class Registry:
    """The sessions of this daemon; ``on_held`` and ``on_released`` are told whose session comes and goes."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._sessions: dict[str, Session] = {}
        self.on_held: Callable[[str], None] = lambda _client_id: None
        self.on_released: Callable[[str], None] = lambda _client_id: None
        self._arriving: set[str] = set()
        self._recovering: set[str] = set()
        self._deciding: set[str] = set()
        self._waiting: dict[str, list[Deferred[None]]] = {}
        self._visits: dict[str, list[Visit]] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def get(self, client_id: str) -> Session | None:
        """Return the session of a charge point that is connected."""
        return self._sessions.get(client_id)

    async def look(self, client_id: str) -> Visit:
        """Return what is asked of a charge point that will hardly be refused, with its state, by one question of the ledger.

        The caller ends the visit by `look_away`.

        :raises StoreError: the ledger cannot be read.
        """
        visit = Visit(client_id)
        self._visits.setdefault(client_id, []).append(visit)
        try:
            visit.credentials, state = await self._shared.ledger.read(
                queries.arrival, client_id, self._shared.unknown_chargepoints
            )
            visit.state = None if visit.is_outdated else state
        except BaseException:
            self.look_away(visit)
            raise
        return visit

    def look_away(self, visit: Visit) -> None:
        """The visit is over."""
        visits = self._visits.get(visit.client_id)
        if visits is not None and visit in visits:
            visits.remove(visit)
            if not visits:
                del self._visits[visit.client_id]

    async def admit(
        self,
        client_id: str,
        version: Version,
        *,
        authenticated: bool = False,
        has_expired_certificate: bool = False,
        visit: Visit | None = None,
    ) -> Session:
        """Return a new session for a charge point whose handshake is under way.

        With a ``visit`` its state is not read again, unless something has happened since. One with a certificate that has
        ended is Pending, whatever it was told when it booted.

        :raises IdentityInUse: see the module.
        :raises UnknownChargePoint: it is not known, and unknown ones are rejected.
        :raises StoreError: the ledger cannot be read.
        """
        if client_id in self._arriving or client_id in self._recovering:
            raise IdentityInUse(client_id)
        self._arriving.add(client_id)
        try:
            old = self._sessions.get(client_id)
            if old is not None:
                await self._displace(old, authenticated=authenticated)
            while client_id in self._deciding:
                await self._wait(client_id)
            state = visit.state if visit is not None else None
            if state is None:
                state = await self._shared.ledger.read(
                    queries.charge_point_state, client_id, self._shared.unknown_chargepoints
                )
            if state.is_new and state.charge_point.registration == "Rejected":
                raise UnknownChargePoint(client_id)
            if has_expired_certificate:
                registered = "Pending" if state.registered is not None else None
                state = replace(state, has_expired_certificate=True, registered=registered)
            session = Session(self._shared, client_id, version, state)
            self._sessions[client_id] = session
            self.on_held(client_id)
        finally:
            self._arriving.discard(client_id)
            self._wake(client_id)
        return session

    async def decide(self, client_id: str, rule: Rule[Any], message_id: str | None = None) -> Any:
        """Decide something about a charge point, and return the answer when it is committed.

        Where it is connected here its session decides, in turn with its messages; else the store does. Meanwhile it cannot
        arrive, or its session would begin with what was true before.

        :raises StoreError: the ledger cannot be written.
        """
        while True:
            session = await self.settled(client_id)
            if session is None:
                return await self._decide_offline(client_id, rule, message_id)
            try:
                return await session.decide(rule, message_id)
            except SessionLeft:
                await self.discard(session, "nothing could be stored")

    def _decide_offline(self, client_id: str, rule: Rule[Any], message_id: str | None) -> Deferred[Any]:
        shared = self._shared
        context = shared.context(message_id)
        return self.keep_away(
            client_id,
            lambda: shared.ledger.decide(client_id, shared.unknown_chargepoints, lambda state: rule(state, context)),
        )

    async def settled(self, client_id: str) -> Session | None:
        """Wait until a charge point neither arrives nor is decided about; return its session, if it is connected."""
        while self._is_taken(client_id):
            await self._wait(client_id)
        return self._sessions.get(client_id)

    def keep_away(self, client_id: str, job: Callable[[], Deferred[Any]]) -> Deferred[Any]:
        """Do something about a charge point that is settled and not connected; it cannot arrive before that is done."""

        def done(result: Any) -> Any:
            self._deciding.discard(client_id)
            self._wake(client_id)
            return result

        self._deciding.add(client_id)
        return maybeDeferred(job).addBoth(done)

    def _is_taken(self, client_id: str) -> bool:
        return client_id in self._arriving or client_id in self._deciding or client_id in self._recovering

    def _wait(self, client_id: str) -> Deferred[None]:
        """Return what fires when something about a charge point that keeps others from it has ended."""
        waiting: Deferred[None] = Deferred()
        self._waiting.setdefault(client_id, []).append(waiting)
        return waiting

    def _wake(self, client_id: str) -> None:
        self._changed(client_id)
        for waiting in self._waiting.pop(client_id, ()):
            waiting.callback(None)

    def _changed(self, client_id: str) -> None:
        """What was read of a charge point may be true no more."""
        for visit in self._visits.get(client_id, ()):
            visit.state, visit.is_outdated = None, True

    async def credentials(self, client_id: str) -> Credentials:
        """Return what is asked of somebody who says that he is this charge point.

        :raises StoreError: the ledger cannot be read.
        """
        found: Credentials = await self._shared.ledger.read(queries.credentials, client_id)
        return found

    async def named(self, certificate_name: str) -> frozenset[str]:
        """Return the charge points that the CN of a client certificate names.

        :raises StoreError: the ledger cannot be read.
        """
        found: frozenset[str] = await self._shared.ledger.read(who_is_named, certificate_name)
        return found

    async def _displace(self, old: Session, *, authenticated: bool) -> None:
        transport = old.transport
        if transport is not None and not old.ended and not authenticated and await transport.is_alive():
            raise IdentityInUse(old.client_id)
        old.close(CLOSE_POLICY, "replaced by a newer connection")
        await self.discard(old, "connection replaced")

    def discard(self, session: Session, reason: str) -> Deferred[None]:
        """End a session whose socket is gone; fires when the ledger knows."""
        return session.closed(reason).addCallback(self._forget, session)

    def _forget(self, _result: None, session: Session) -> None:
        self._changed(session.client_id)
        if self._sessions.get(session.client_id) is session:
            del self._sessions[session.client_id]
            self.on_released(session.client_id)

    def discard_all(self, reason: str) -> Deferred[None]:
        """End all sessions."""
        return DeferredList([self.discard(session, reason) for session in self]).addCallback(lambda _: None)

    async def recover(self, reason: str) -> int:
        """Mark offline what the ledger takes for connected here but is not: after an unclean end, or a failed commit.

        Many at once, which share their commits: one after the other would keep thousands waiting outside.
        """
        held = deque(await self._shared.ledger.read(queries.held_by, self._shared.gateway_id))
        recovering = [Deferred.fromCoroutine(self._recover_from(held, reason)) for _ in range(_RECOVERED_AT_ONCE)]
        return sum(await gatherResults(recovering, consumeErrors=True))

    async def _recover_from(self, held: deque[str], reason: str) -> int:
        """Recover one after the other, until none is left or the ledger cannot be written; return how many."""
        recovered = 0
        while held:
            client_id = held.popleft()
            if client_id in self._sessions or self._is_taken(client_id) or not self._shared.ledger.available:
                continue
            self._recovering.add(client_id)
            try:
                state = await self._shared.ledger.read(
                    queries.charge_point_state, client_id, self._shared.unknown_chargepoints
                )
                await self._shared.ledger.commit(
                    chargepoints.disconnect(state, self._shared.context(None), reason=reason)
                )
                recovered += 1
            except StoreError as error:
                _log.warn("{client_id}: could not be marked offline: {error}", client_id=client_id, error=str(error))
                held.clear()
            finally:
                self._recovering.discard(client_id)
                self._wake(client_id)
        return recovered
