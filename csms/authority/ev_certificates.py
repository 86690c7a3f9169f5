"""Passes what cars ask for contract certificates on to a provider, a web service of the operator's choice (OCPP 2.x M01, M02).

The question is what the station has asked, with its ``clientId``; the answer ``{"status", "exiResponse", "remainingContracts"?,
"statusInfo"?}``, as the station is answered. It is posted once: a second one would ask for the next contract (M01.FR.06).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from attrs import define, field, frozen
from msgspec import Meta, Struct
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from csms.authority.exchange import BadAnswer, ask_once, body_of, in_time, json_headers, reason_of
from csms.handlers.iso15118 import EvCertificate, NoAnswer

_log = Logger()
_AT_ONCE = 16
_MOST_BYTES = 32 * 1024
"""Of an answer: OCPP 2.1 takes 17,000 characters of base64."""


class _StatusInfo(Struct, rename="camel"):
    reason_code: Annotated[str, Meta(min_length=1, max_length=20)]
    additional_info: Annotated[str, Meta(max_length=512)] | None = None


class _Answer(Struct, rename="camel"):
    status: Literal["Accepted", "Failed"]
    exi_response: str = ""
    remaining_contracts: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    status_info: _StatusInfo | None = None


_decoder = msgspec.json.Decoder(_Answer)


@frozen
class EvCertificateTerms:
    """Where the provider is."""

    url: str
    token: str | None = field(default=None, repr=False)
    timeout_s: float = 5.0


@define(eq=False)
class EvCertificateProvider:
    """The port `csms.handlers.iso15118.EvCertificates`."""

    _clock: IReactorTime
    _agent: IAgent
    _terms: EvCertificateTerms
    _headers: Headers = field(init=False)
    _slots: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_AT_ONCE))

    def __attrs_post_init__(self) -> None:
        self._headers = json_headers(self._terms.token)

    def ask(self, client_id: str, request: Mapping[str, Any]) -> Deferred[EvCertificate]:
        """Pass a Get15118EVCertificateRequest on."""
        text = msgspec.json.encode({**request, "clientId": client_id})
        asking = self._slots.run(lambda: Deferred.fromCoroutine(self._ask(text)))
        return in_time(asking, self._terms.timeout_s, self._clock).addErrback(self._failed, client_id)

    async def _ask(self, text: bytes) -> EvCertificate:
        response = await ask_once(self._agent, self._terms.url.encode("ascii"), self._headers, text)
        return parse(await body_of(response, _MOST_BYTES))

    def _failed(self, failure: Failure, client_id: str) -> EvCertificate:
        reason = reason_of(failure, self._terms.timeout_s)
        _log.warn(
            "{client_id}: the provider of contract certificates does not answer: {reason}",
            client_id=client_id,
            reason=reason,
        )
        raise NoAnswer("NoAnswer", "the provider of contract certificates does not answer")


def parse(body: bytes) -> EvCertificate:
    """Read an answer.

    :raises BadAnswer: it is none.
    """
    try:
        answer = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadAnswer(f"its answer is not understood: {error}") from None
    if answer.status == "Accepted" and not answer.exi_response:
        raise BadAnswer("its answer is Accepted without an exiResponse")
    info = None
    if answer.status_info is not None:
        info = {"reason_code": answer.status_info.reason_code}
        if answer.status_info.additional_info is not None:
            info["additional_info"] = answer.status_info.additional_info
    return EvCertificate(answer.status, answer.exi_response, answer.remaining_contracts, info)
