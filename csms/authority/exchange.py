"""One exchange over HTTP with somebody outside: a text is posted, and a short answer read.

A response counts with status 200 only, and redirections are not followed: what is asked is for the one that was named.
"""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.defer import TimeoutError as Late
from twisted.internet.error import ConnectionClosed
from twisted.internet.error import TimeoutError as ConnectedTooLate
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import RequestTransmissionFailed, ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

import csms

_OK = 200
Answer = TypeVar("Answer")


def headers(kind: str, accepted: str, token: str | None = None) -> Headers:
    """Return the headers of a question: its media type, that of its answer, and who asks."""
    return Headers(
        {
            "Content-Type": [kind],
            "Accept": [accepted],
            "User-Agent": [f"csms/{csms.__version__}"],
            **({"Authorization": [f"Bearer {token}"]} if token is not None else {}),
        }
    )


def json_headers(token: str | None) -> Headers:
    """Return the headers of a question in JSON."""
    return headers("application/json", "application/json", token)


class BadAnswer(Exception):
    """Somebody answered, but not what was asked; the message says what is wrong."""


async def ask_again(agent: IAgent, url: bytes, headers: Headers, text: bytes) -> IResponse:
    """Post a question that changes nothing, and may be posted again.

    :raises ResponseFailed, ConnectError, …: there was no answer.
    """
    try:
        return await ask_once(agent, url, headers, text)
    except (ResponseFailed, RequestTransmissionFailed) as error:
        # A connection that was kept open may be closed just now.
        if not any(reason.check(ConnectionClosed) for reason in error.reasons):
            raise
    return await ask_once(agent, url, headers, text)


async def ask_once(agent: IAgent, url: bytes, headers: Headers, text: bytes) -> IResponse:
    """Post a text.

    :raises ResponseFailed, ConnectError, …: there was no answer.
    """
    try:
        return await agent.request(b"POST", url, headers, _Text(text))
    except (ResponseFailed, RequestTransmissionFailed) as error:
        if any(reason.check(CancelledError) for reason in error.reasons):
            raise CancelledError from None
        raise


async def body_of(response: IResponse, limit: int) -> bytes:
    """Read an answer of so many bytes at most.

    :raises BadAnswer: it is longer, or its status is not 200.
    :raises ResponseFailed, …: it broke off.
    """
    body = _Body(limit)
    response.deliverBody(body)
    text = await body.done
    if response.code != _OK:
        raise BadAnswer(f"it answered with status {response.code}")
    return text


def in_time(asking: Deferred[Answer], timeout_s: float, clock: IReactorTime) -> Deferred[Answer]:
    """End a question that takes longer; it fails with twisted.internet.defer.TimeoutError, wherever it was by then."""
    return asking.addTimeout(timeout_s, clock, _late)


def _late(outcome: Answer | Failure, _timeout_s: float) -> Answer:
    # A name that is looked up and a connection that is made tell in their own ways that they were cancelled.
    if isinstance(outcome, Failure):
        raise Late
    return outcome


def reason_of(failure: Failure, timeout_s: float) -> str:
    """Say in one line why there was no answer."""
    if failure.check(Late, ConnectedTooLate):
        return f"no answer within {timeout_s:g} s"
    if isinstance(failure.value, ResponseFailed | RequestTransmissionFailed):
        return "; ".join(cause.getErrorMessage() for cause in failure.value.reasons)
    return failure.getErrorMessage()


@implementer(IBodyProducer)
class _Text:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self.length = len(text)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._text)
        return succeed(None)

    def pauseProducing(self) -> None:
        """There is nothing left to pause."""

    def resumeProducing(self) -> None:
        """There is nothing left to resume."""

    def stopProducing(self) -> None:
        """There is nothing left to stop."""


class _Body(Protocol):
    """Gathers a body of a few kilobytes; a longer one is a `BadAnswer`. To cancel it ends the connection."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.done: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._text = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._text += data
        if len(self._text) > self._limit:
            self._text.clear()
            self._fail(BadAnswer(f"its answer is longer than {self._limit} bytes"))
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ResponseDone):
            self.done.callback(bytes(self._text))
        else:
            self._fail(reason)

    def _fail(self, reason: Exception | Failure) -> None:
        if not self.done.called:
            self.done.errback(reason)

    def _abort(self) -> None:
        """End the connection at once: one that is closed in order would wait for a server that hangs (TLS)."""
        proxied: Any = getattr(self.transport, "_producer", None)
        if proxied is not None:
            proxied.abortConnection()
