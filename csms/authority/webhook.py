"""Asks the webhook, and remembers. A slow one delays the charge point that has asked, for a bounded time, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    BrowserLikePolicyForHTTPS,
    HostnameCachingHTTPSPolicy,
    HTTPConnectionPool,
)
from twisted.web.iweb import IAgent, IPolicyForHTTPS

from csms.authority import question
from csms.authority.cache import Cache
from csms.authority.exchange import in_time, json_headers, reason_of
from csms.ledger.authorization import TagInfo, TagStatus, fold
from csms.metrics import Counters

_log = Logger()
_CACHED = 10_000
_AT_ONCE = 64
_FAILURE_S = 5.0
"""How long a question that had no answer is not asked again."""
_IDLE_S = 30
"""How long a connection is kept open for the next question."""
_LONGEST_ID_TAG = 255
"""Of any version of OCPP: a longer one is nobody's tag."""
_Key = tuple[str, str]


@frozen
class Terms:
    """Where the authority is, and what the operator's settings say about it."""

    url: str
    timeout_s: float = 5.0
    token: str | None = field(default=None, repr=False)
    cache_s: float = 300.0
    absent: TagStatus = "Invalid"
    """What a tag is told while the authority cannot be asked."""


@define(eq=False)
class _Question:
    waiting: list[Deferred[TagInfo]] = field(factory=list)
    asking: Deferred[TagInfo] | None = None


class Webhook:
    """The port `csms.handlers.tags.Authority`."""

    def __init__(self, clock: IReactorTime, agent: IAgent, terms: Terms, counters: Counters) -> None:
        self._clock = clock
        self._agent = agent
        self._terms = terms
        self._counters = counters
        self._url = terms.url.encode("ascii")
        self._headers = json_headers(terms.token)
        self._known: Cache[_Key, TagInfo] = Cache(clock.seconds, _CACHED)
        self._asked: dict[_Key, _Question] = {}
        self._slots = DeferredSemaphore(_AT_ONCE)
        self._is_away = False
        self._is_closed = False
        self.close_connections: Callable[[], Any] = lambda: None

    def ask(self, id_tag: str, client_id: str) -> TagInfo | Deferred[TagInfo]:
        """Say what a tag is told. The same question is asked once at a time; an answer is believed for a while."""
        if len(id_tag) > _LONGEST_ID_TAG:
            return TagInfo("Invalid")
        if self._is_closed:
            return TagInfo(self._terms.absent)
        key = (fold(id_tag), client_id)
        known = self._known.get(key)
        if known is not None:
            self._counters.count("authority_questions", "cached")
            return known
        waiting: Deferred[TagInfo] = Deferred()
        pending = self._asked.get(key)
        if pending is not None:
            pending.waiting.append(waiting)
            return waiting
        pending = self._asked[key] = _Question([waiting])
        asking = self._slots.run(self._ask, id_tag, client_id)
        pending.asking = in_time(asking, self._terms.timeout_s, self._clock)
        asking.addCallbacks(self._answered, self._failed).addCallback(self._settle, key).addErrback(_broken)
        return waiting

    def close(self) -> None:
        """Ask no more: what is asked now is told what holds while the authority is away."""
        self._is_closed = True
        for pending in list(self._asked.values()):
            if pending.asking is not None:
                pending.asking.cancel()
        self.close_connections()

    def _ask(self, id_tag: str, client_id: str) -> Deferred[TagInfo]:
        return Deferred.fromCoroutine(question.ask(self._agent, self._url, self._headers, id_tag, client_id))

    def _answered(self, info: TagInfo) -> tuple[TagInfo, float]:
        self._counters.count("authority_questions", "answered")
        if self._is_away:
            self._is_away = False
            _log.info("the authority answers again")
        return info, self._terms.cache_s

    def _failed(self, failure: Failure) -> tuple[TagInfo, float]:
        self._counters.count("authority_questions", "failed")
        if not self._is_closed:
            self._tell(failure)
        return TagInfo(self._terms.absent), min(_FAILURE_S, self._terms.cache_s)

    def _tell(self, failure: Failure) -> None:
        """Log the first of many failures."""
        if self._is_away:
            return
        self._is_away = True
        _log.warn(
            "the authority does not answer, its tags are {absent}: {reason}",
            absent=self._terms.absent,
            reason=reason_of(failure, self._terms.timeout_s),
        )

    def _settle(self, outcome: tuple[TagInfo, float], key: _Key) -> None:
        info, seconds = outcome
        self._known.put(key, info, seconds)
        for waiting in self._asked.pop(key).waiting:
            waiting.callback(info)


def webhook(reactor: Any, terms: Terms, counters: Counters, policy: IPolicyForHTTPS | None = None) -> Webhook:
    """Make a webhook over HTTPS; ``policy`` is how its host is verified: by default as browsers do."""
    pool = HTTPConnectionPool(reactor)
    pool.cachedConnectionTimeout = _IDLE_S
    pool.maxPersistentPerHost = _AT_ONCE
    trusted = HostnameCachingHTTPSPolicy(policy or BrowserLikePolicyForHTTPS())
    agent = Agent(reactor, trusted, connectTimeout=terms.timeout_s, pool=pool)
    made = Webhook(reactor, agent, terms, counters)
    made.close_connections = pool.closeCachedConnections
    return made


def _broken(failure: Failure) -> None:
    _log.failure("a fault in what follows an answer of the authority", failure)
