"""One question to the webhook, and its answer.

The question is ``{"idTag", "clientId"}``, the answer ``{"status", "expiryDate"?, "parentIdTag"?}`` with a status of OCPP 1.6
(§7.2). A response counts with status 200 only, and redirections are not followed: the token is for the one that it was given to.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import RequestTransmissionFailed, ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from csms.ledger.authorization import TagInfo, TagStatus
from csms.ledger.id_tags import BadTag, check_text

MAX_ANSWER_BYTES = 16 * 1024
_OK = 200


class BadAnswer(Exception):
    """The authority answered, but not what was asked; the message says what is wrong."""


class _Answer(Struct, rename="camel"):
    status: TagStatus
    expiry_date: Annotated[datetime, Meta(tz=True)] | None = None
    parent_id_tag: str | None = None


_decoder = msgspec.json.Decoder(_Answer)


async def ask(agent: IAgent, url: bytes, headers: Headers, id_tag: str, client_id: str) -> TagInfo:
    """Ask about a tag.

    :raises BadAnswer: the answer is none.
    :raises ResponseFailed, ConnectError, …: there was none.
    """
    question = msgspec.json.encode({"idTag": id_tag, "clientId": client_id})
    response = await _post(agent, url, headers, question)
    body = await _read(response)
    if response.code != _OK:
        raise BadAnswer(f"it answered with status {response.code}")
    return parse(body)


async def _post(agent: IAgent, url: bytes, headers: Headers, text: bytes) -> IResponse:
    try:
        return await _post_once(agent, url, headers, text)
    except (ResponseFailed, RequestTransmissionFailed) as error:
        # A connection that was kept open may be closed just now. A question changes nothing: it can be asked again.
        if not any(reason.check(ConnectionClosed) for reason in error.reasons):
            raise
    return await _post_once(agent, url, headers, text)


async def _post_once(agent: IAgent, url: bytes, headers: Headers, text: bytes) -> IResponse:
    try:
        return await agent.request(b"POST", url, headers, _Text(text))
    except (ResponseFailed, RequestTransmissionFailed) as error:
        if any(reason.check(CancelledError) for reason in error.reasons):
            raise CancelledError from None
        raise


def parse(body: bytes) -> TagInfo:
    """Read an answer.

    :raises BadAnswer: it is none.
    """
    try:
        answer = _decoder.decode(body)
        if answer.parent_id_tag:
            check_text("parentIdTag", answer.parent_id_tag)
        expiry = answer.expiry_date.astimezone(UTC) if answer.expiry_date is not None else None
    except (msgspec.DecodeError, BadTag, OverflowError) as error:
        raise BadAnswer(f"its answer is not understood: {error}") from None
    return TagInfo(answer.status, expiry, answer.parent_id_tag or None)


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


def _read(response: IResponse) -> Deferred[bytes]:
    body = _Body()
    response.deliverBody(body)
    return body.done


class _Body(Protocol):
    """Gathers a body of a few kilobytes; a longer one is a `BadAnswer`. To cancel it ends the connection."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._text = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._text += data
        if len(self._text) > MAX_ANSWER_BYTES:
            self._text.clear()
            self._fail(BadAnswer(f"its answer is longer than {MAX_ANSWER_BYTES} bytes"))
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
