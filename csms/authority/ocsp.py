"""Asks OCSP responders, and remembers. Which may be asked the operator says: the URLs come from stations and certificates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from attrs import define, field, frozen
from cryptography.x509 import Certificate
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IAgent

from csms.authority.cache import Cache
from csms.authority.contracts import read_certificates
from csms.authority.exchange import ask_again, body_of, headers, in_time, reason_of
from csms.authority.ocsp_messages import read_response, request_for
from csms.authority.signing import RunInThread
from csms.handlers.contracts import OcspData
from csms.handlers.iso15118 import NoAnswer, OcspAnswer
from csms.metrics import Counters
from csms.responder_urls import PlainUrl, allowed

_log = Logger()
_CACHED = 1_000
_AT_ONCE = 16
_MOST_BYTES = 16 * 1024
"""Of an answer: OCPP 2.1 takes 18,000 characters of base64."""
_LONGEST_S = 86_400.0
"""How long an answer is believed at most, whenever the next one comes."""
_FAILURE_S = 5.0
"""How long a question that had no answer is not asked again."""
_HEADERS = headers("application/ocsp-request", "application/ocsp-response")
_Key = tuple[OcspData, bool]


@frozen
class OcspTerms:
    """Which responders may be asked, and what the operator's settings say about it."""

    allowed: Sequence[PlainUrl]
    timeout_s: float = 5.0
    issuers: str | None = None
    """A PEM file, or a directory of such files: whose responders are known by their signatures."""


@define(eq=False)
class OcspResponders:
    """The port `csms.handlers.iso15118.Responders`. The same question is asked once at a time."""

    _clock: IReactorTime
    _agent: IAgent
    _run: RunInThread
    _terms: OcspTerms
    _now: Callable[[], datetime]
    _counters: Counters
    _issuers: Sequence[Certificate] = ()
    _known: Cache[_Key, OcspAnswer | NoAnswer] = field(init=False)
    _asked: dict[_Key, list[Deferred[OcspAnswer]]] = field(factory=dict)
    _slots: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_AT_ONCE))

    def __attrs_post_init__(self) -> None:
        self._known = Cache(self._clock.seconds, _CACHED)

    async def load(self) -> None:
        """Read the issuers.

        :raises RootsError: they cannot be used; what was read before stays in use.
        """
        if self._terms.issuers is not None:
            self._issuers = await self._run(read_certificates, self._terms.issuers, "iso15118.ocsp_issuers")
            _log.info("{count} issuers are installed by which OCSP responses are verified", count=len(self._issuers))
            # What was not verified may be now.
            self._known.clear()

    def ask(self, data: OcspData, issuer: Certificate | None = None) -> Deferred[OcspAnswer]:
        """Ask about a certificate; ``issuer`` is who issued it, where somebody has verified that."""
        waiting: Deferred[OcspAnswer] = Deferred()
        # An answer that was given without knowing the issuer is none for somebody who does.
        key = (data, issuer is not None)
        known = self._known.get(key)
        if known is not None:
            self._counters.count("ocsp_questions", "cached")
            return _settled(waiting, known)
        url = allowed(data.responder_url, self._terms.allowed)
        if url is None:
            self._counters.count("ocsp_questions", "refused")
            return _settled(
                waiting, NoAnswer("InvalidURL", "the OCSP responder is none of those in iso15118.ocsp_responders")
            )
        pending = self._asked.get(key)
        if pending is not None:
            pending.append(waiting)
            return waiting
        self._asked[key] = [waiting]
        asking: Deferred[Any] = self._slots.run(lambda: Deferred.fromCoroutine(self._ask(str(url), data, issuer)))
        in_time(asking, self._terms.timeout_s, self._clock)
        asking.addCallbacks(self._answered, self._failed, errbackArgs=(url,))
        asking.addErrback(_broken).addCallback(self._settle, key)
        return waiting

    async def _ask(self, url: str, data: OcspData, issuer: Certificate | None) -> OcspAnswer:
        response = await ask_again(self._agent, url.encode("ascii"), _HEADERS, request_for(data))
        der = await body_of(response, _MOST_BYTES)
        issuers = self._issuers if issuer is None else [issuer]
        answer: OcspAnswer = await self._run(read_response, der, data, issuers, self._now())
        return answer

    def _answered(self, answer: OcspAnswer) -> tuple[OcspAnswer, float]:
        self._counters.count("ocsp_questions", "answered")
        if answer.next_update is None:
            return answer, 0.0
        return answer, min((answer.next_update - self._now()).total_seconds(), _LONGEST_S)

    def _failed(self, failure: Failure, url: PlainUrl) -> tuple[NoAnswer, float]:
        self._counters.count("ocsp_questions", "failed")
        if isinstance(failure.value, NoAnswer):
            told = failure.value
        else:
            told = NoAnswer(
                "NoAnswer", f"the OCSP responder does not answer: {reason_of(failure, self._terms.timeout_s)}"
            )
        _log.warn("the OCSP responder {url} has no answer: {reason}", url=str(url), reason=str(told))
        return told, _FAILURE_S

    def _settle(self, outcome: tuple[OcspAnswer | NoAnswer, float], key: _Key) -> None:
        told, seconds = outcome
        self._known.put(key, told, seconds)
        for waiting in self._asked.pop(key):
            _settled(waiting, told)


def _settled(waiting: Deferred[OcspAnswer], told: OcspAnswer | NoAnswer) -> Deferred[OcspAnswer]:
    if isinstance(told, NoAnswer):
        # Each of those who wait gets its own: a traceback would grow with each.
        waiting.errback(NoAnswer(told.reason_code, str(told)))
    else:
        waiting.callback(told)
    return waiting


def _broken(failure: Failure) -> tuple[NoAnswer, float]:
    _log.failure("a fault in what follows an answer of an OCSP responder", failure)
    return NoAnswer("InternalError", "the daemon could not make use of the OCSP responder's answer"), 0.0
