"""``Idempotency-Key``: a request that comes again within an hour is answered as the first time, and done once.

What was refused before anything was done (unknown, a bad payload, not connected, busy) is not kept: the same key may be used
to try again. A daemon that dies while a request runs leaves it as running: whether it was done is not known. Secrets are not
kept: an answer that is given again says ``(redacted)`` in their place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import msgspec
from attrs import define
from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from csms.api.ports import Ledger
from csms.api.problems import Problem
from csms.api.routes import Answer, Exchange, Header
from csms.events.redaction import answer_without_secrets
from csms.ocppj import codec
from csms.store import seen_requests
from csms.store.errors import StoreError

FACE = "http"
HEADER = Header(
    "Idempotency-Key",
    "A request with a key that was used in the last hour is not done again: it gets the first answer",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
)
_NOTHING_WAS_DONE = frozenset({400, 404, 422, 503})
_log = Logger()


@define(eq=False)
class Idempotency:
    """Requests with a key."""

    _ledger: Ledger
    _now: Callable[[], datetime]

    async def once(self, exchange: Exchange, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """Do the work of a request, unless its key says that it was done.

        :raises Problem: 400 no key of ours, 409 the first request is still running, 422 the key was used for another; or the
            work's own.
        """
        keys = exchange.request.requestHeaders.getRawHeaders(b"idempotency-key")
        if keys is None:
            return await work()
        key = _key(keys)
        fingerprint = _fingerprint(exchange)
        now = self._now()
        seen = await self._ledger.write(lambda connection: seen_requests.claim(connection, FACE, key, fingerprint, now))
        if seen is not None:
            return _repeat(seen, fingerprint)
        return await self._first(key, exchange.body, work)

    async def _first(self, key: str, payload: Any, work: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            answer = await work()
        except Problem as problem:
            if problem.status in _NOTHING_WAS_DONE:
                self._keep(lambda connection: seen_requests.release(connection, FACE, key))
            else:
                status, body = problem.status, _without_secrets(payload, problem.body)
                self._keep(lambda connection: seen_requests.settle(connection, FACE, key, status, body))
            raise
        except StoreError:
            # Nothing was sent; the key may be used again.
            self._keep(lambda connection: seen_requests.release(connection, FACE, key))
            raise
        status, body = answer.status, _without_secrets(payload, msgspec.to_builtins(answer.body))
        self._keep(lambda connection: seen_requests.settle(connection, FACE, key, status, body))
        return answer

    def _keep(self, job: Callable[[Connection], None]) -> None:
        """Keep what became of a request. Nobody waits: should it come again, its claim is committed after this."""
        try:
            self._ledger.write(job).addErrback(_not_kept)
        except StoreError:
            _not_kept(Failure())


def _without_secrets(payload: Any, answer: dict[str, Any]) -> bytes:
    return codec.dump(answer_without_secrets(payload, answer))


def _not_kept(failure: Failure) -> None:
    _log.warn("the answer to a request with a key could not be kept: {error}", error=failure.getErrorMessage())


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


def _repeat(seen: seen_requests.Seen, fingerprint: str) -> Answer:
    if seen.fingerprint != fingerprint:
        raise Problem(422, "Idempotency-Key: it was used for another request", members={"path": "Idempotency-Key"})
    if seen.status is None or seen.body is None:
        raise Problem(
            409, "the first request with this Idempotency-Key has no answer yet", headers=[("retry-after", "1")]
        )
    if seen.status >= 400:
        members = msgspec.json.decode(seen.body)
        for name in ("type", "title", "status"):
            members.pop(name)
        raise Problem(seen.status, members.pop("detail"), members=members)
    return Answer(msgspec.Raw(seen.body), seen.status)
