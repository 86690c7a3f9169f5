"""An authority elsewhere signs what charge points ask for: it is asked over HTTPS, or hears of requests by their events.

The question is ``{"csr", "clientId", "certificateType"?, "requestId"?}``, the answer with status 200 ``{"certificateChain"}``;
with 202 it comes later, as a command. Redirections are not followed: the token is for the one that it was given to.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from attrs import define, field, frozen
from cryptography import x509
from msgspec import Struct
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.iweb import IAgent

from csms import certificates
from csms.authority.exchange import BadAnswer, ask_once, body_of, in_time, json_headers, reason_of
from csms.authority.issued import check_issued
from csms.authority.signing import AuthorityError, RunInThread, fault_of
from csms.certificates import BadCertificate
from csms.handlers.certificate_requests import AuthorityAway, Names, SigningFailed
from csms.ledger.certificates import Certificate, SigningRequest

MOST_ANSWER_BYTES = 64 * 1024
_CHECKS_AT_ONCE = 2
_QUESTIONS_AT_ONCE = 8
_LATER, _TOO_MANY, _FAULTS_OF_THE_SERVER = 202, 429, 500


class _Answer(Struct, rename="camel"):
    certificate_chain: str


_decoder = msgspec.json.Decoder(_Answer)


@frozen
class Service:
    """Where an authority is asked. Nothing of it waits on a thread: a question that hangs holds up no stop of the daemon."""

    _clock: IReactorTime
    _agent: IAgent
    _url: str = field(repr=False)
    _timeout_s: float = 10.0
    _token: str | None = field(default=None, repr=False)

    def ask(self, client_id: str, wanted: SigningRequest) -> Deferred[str | None]:
        """Ask for a chain, None where it comes later; fails with `AuthorityAway`, or `SigningFailed` for good."""
        question = {
            "csr": wanted.csr,
            "clientId": client_id,
            "certificateType": wanted.certificate_type,
            "requestId": wanted.request_id,
        }
        text = msgspec.json.encode({name: value for name, value in question.items() if value is not None})
        asking = Deferred.fromCoroutine(self._ask(text))
        return in_time(asking, self._timeout_s, self._clock).addErrback(self._failed)

    async def _ask(self, text: bytes) -> str | None:
        response = await ask_once(self._agent, self._url.encode("ascii"), json_headers(self._token), text)
        status = response.code
        try:
            return _decoder.decode(await body_of(response, MOST_ANSWER_BYTES)).certificate_chain
        except BadAnswer as error:
            if status == _LATER:
                return None
            if status == _TOO_MANY or status >= _FAULTS_OF_THE_SERVER:
                raise AuthorityAway(f"it answered with status {status}") from None
            raise SigningFailed(f"the authority does not sign: {error}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SigningFailed(f"the authority's answer is not understood: {error}") from None

    def _failed(self, failure: Failure) -> None:
        if failure.check(AuthorityAway, SigningFailed):
            failure.raiseException()
        raise AuthorityAway(reason_of(failure, self._timeout_s))


@define(eq=False)
class ExternalAuthority:
    """The port `csms.handlers.certificate_requests.OtherAuthority`. ``roots`` is a PEM file, read again on SIGHUP."""

    _run: RunInThread
    _organization: str
    _roots_file: str | None = None
    _service: Service | None = None
    _roots: Sequence[x509.Certificate] = ()
    _slots: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_CHECKS_AT_ONCE))
    _asking: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_QUESTIONS_AT_ONCE))
    """Apart: who waits for the authority's answer keeps nobody from being checked."""

    @property
    def is_asked(self) -> bool:
        """Whether it is asked; else it hears of requests by itself."""
        return self._service is not None

    async def load(self) -> None:
        """Read the roots.

        :raises AuthorityError: they cannot be used; what was read before stays in use.
        """
        if self._roots_file is not None:
            self._roots = await self._run(read_roots, self._roots_file)

    def fault(self, csr: str, names: Names, now: datetime) -> Deferred[str | None]:
        """Return why a request is not passed on, None where it is."""
        del now
        found: Deferred[str | None] = self._slots.run(self._run, fault_of, csr, names, self._organization)
        return found

    def ask(self, client_id: str, wanted: SigningRequest) -> Deferred[str | None]:
        """Ask for a chain, None where it comes later."""
        if self._service is None:
            raise RuntimeError("it is not asked")
        chain: Deferred[str | None] = self._asking.run(self._service.ask, client_id, wanted)
        return chain

    def check(self, chain: str, wanted: SigningRequest, names: Names, now: datetime) -> Deferred[Certificate]:
        """Look at a chain before it goes to a charge point."""
        checked_chain: Deferred[Certificate] = self._slots.run(
            self._run, check_issued, chain, wanted.csr, names, self._organization, self._roots, now
        )
        return checked_chain


def read_roots(path: str) -> Sequence[x509.Certificate]:
    """Read the roots of the other authority; takes a moment.

    :raises AuthorityError: they cannot be used.
    """
    try:
        return certificates.read_certificates(Path(path).read_bytes())
    except OSError as error:
        raise AuthorityError(f"pki.roots: {path} cannot be read: {error.strerror}") from None
    except BadCertificate as error:
        raise AuthorityError(f"pki.roots: {path}: {error}") from None
