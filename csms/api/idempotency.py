"""``Idempotency-Key``: a request that comes again within an hour is answered as the first time, and done once.

What was refused before anything was done (unknown, a bad payload, not connected, busy) is not kept: the same key may be used
to try again. Of a request that ran when its daemon died it is not known whether it was done: that is the answer from then on.
Secrets are not kept: an answer that is given again says ``(redacted)`` in their place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec
from attrs import define, field
from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.api.ports import Ledger
from csms.api.problems import Problem
from csms.api.routes import Answer, Exchange, Header
from csms.chargepoint.commands import LONGEST
from csms.chargepoint.outcomes import ConnectionLost
from csms.events.redaction import answer_without_secrets
from csms.ocppj import codec
from csms.store import seen_requests
from csms.store.errors import StoreError
from csms.store.seen_requests import Arrears, Claim, Seen

FACE = "http"
HEADER = Header(
    "Idempotency-Key",
    "A request with a key that was used in the last hour is not done again: it gets the first answer",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
)
_NOTHING_WAS_DONE = frozenset({400, 404, 422, 503})
_DIED = "the daemon ended before the answer came: whether the charge point took it is not known"
_log = Logger()


Work = Callable[[], Awaitable[Answer]]
Job = Callable[[Connection], None]


@define(eq=False)
class Idempotency:
    """Requests with a key."""

    _ledger: Ledger
    _gateway_id: str
    _now: Callable[[], datetime]
    _running: dict[str, str] = field(factory=dict)
    """By key, the fingerprints of requests that are at work here."""
    _arrears: Arrears = field(factory=Arrears)

    async def once(self, exchange: Exchange, work: Work) -> Answer:
        """Do the work of a request, unless its key says that it was done.

        :raises Problem: 400 no key of ours, 409 the first request is still running, 422 the key was used for another, 504 the
            daemon of the first one died; or the work's own.
        :raises StoreError: it cannot be told whether it was done: nothing was.
        """
        keys = exchange.request.requestHeaders.getRawHeaders(b"idempotency-key")
        if keys is None:
            return await work()
        key, fingerprint = _key(keys), _fingerprint(exchange)
        if key in self._running:
            raise _refusal(self._running[key], fingerprint)
        self._running[key] = fingerprint
        try:
            seen = await self._claim(key, fingerprint, self._now())
            if seen is None:
                return await self._first(key, exchange.body, work)
            return self._again(key, seen, fingerprint)
        finally:
            del self._running[key]

    async def _claim(self, key: str, fingerprint: str, now: datetime) -> Seen | None:
        claim = Claim(self._gateway_id, now).encode()

        def job(connection: Connection) -> Seen | None:
            return seen_requests.claim(connection, FACE, key, fingerprint, now, body=claim)

        seen = await self._ledger.write(self._arrears.before(key, job))
        self._arrears.clear(key)
        return seen

    async def _first(self, key: str, payload: Any, work: Work) -> Answer:
        try:
            answer = await work()
        except Problem as problem:
            if problem.status in _NOTHING_WAS_DONE:
                self._release(key)
            else:
                self._settle(key, problem.status, answer_without_secrets(payload, problem.body))
            raise
        except Exception:
            # Nothing was sent; the key may be used again.
            self._release(key)
            raise
        self._settle(key, answer.status, answer_without_secrets(payload, msgspec.to_builtins(answer.body)))
        return answer

    def _again(self, key: str, seen: Seen, fingerprint: str) -> Answer:
        if seen.fingerprint != fingerprint:
            raise _refusal(seen.fingerprint, fingerprint)
        if seen.status is None or seen.body is None:
            if seen.claim is None or not seen.claim.is_over(self._gateway_id, self._now(), LONGEST):
                raise _refusal(seen.fingerprint, fingerprint)
            problem = Problem(504, _DIED, members={"outcome": ConnectionLost.status})
            self._settle(key, problem.status, problem.body)
            raise problem
        if seen.status >= 400:
            members = msgspec.json.decode(seen.body)
            for name in ("type", "title", "status"):
                members.pop(name)
            raise Problem(seen.status, members.pop("detail"), members=members)
        return Answer(msgspec.Raw(seen.body), seen.status)

    def _settle(self, key: str, status: int, body: dict[str, Any]) -> None:
        encoded = codec.dump(body)
        self._keep(key, lambda connection: seen_requests.settle(connection, FACE, key, status, encoded))

    def _release(self, key: str) -> None:
        self._keep(key, lambda connection: seen_requests.release(connection, FACE, key))

    def _keep(self, key: str, job: Job) -> None:
        """Keep what became of a request. Nobody waits: should it come again, its claim is committed after this."""

        def not_kept(failure: Failure) -> None:
            _log.warn("what became of a request with a key is not kept: {error}", error=failure.getErrorMessage())
            self._arrears.add(key, job)

        try:
            self._ledger.write(job).addErrback(not_kept)
        except StoreError:
            not_kept(Failure())


def uninterrupted(work: Awaitable[Answer]) -> Deferred[Answer]:
    """Return a Deferred of work that goes on when whoever waits for it is gone: the socket of a request, for one."""

    async def run() -> None:
        try:
            answer = await work
        except BaseException as error:  # noqa: BLE001 - it is the waiting one's, if there still is one
            if not waiting.called:
                waiting.errback(error)
            elif not isinstance(error, Problem):
                _log.failure("a request failed after its client had gone")
        else:
            if not waiting.called:
                waiting.callback(answer)

    waiting: Deferred[Answer] = Deferred()
    Deferred.fromCoroutine(run())
    return waiting


def _key(headers: list[bytes]) -> str:
    key = headers[0].decode("latin-1")
    if len(headers) != 1 or not 0 < len(key) <= 255 or not all("!" <= character <= "~" for character in key):
        raise Problem(400, "Idempotency-Key: allowed are 1 to 255 visible ASCII characters")
    return key


def _fingerprint(exchange: Exchange) -> str:
    request = exchange.request
    prefer = b",".join(request.requestHeaders.getRawHeaders(b"prefer") or [])
    parts = [request.method, request.uri, prefer, codec.dump(exchange.body)]
    return hashlib.sha256(b"\n".join(str(len(part)).encode() + b":" + part for part in parts)).hexdigest()


def _refusal(first: str, fingerprint: str) -> Problem:
    if first != fingerprint:
        return Problem(422, "Idempotency-Key: it was used for another request", members={"path": "Idempotency-Key"})
    detail = "the first request with this Idempotency-Key has no answer yet"
    return Problem(409, detail, headers=[("retry-after", "1")])
