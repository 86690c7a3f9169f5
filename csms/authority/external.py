"""An authority elsewhere signs what charge points ask for: it is asked over HTTPS, or hears of requests by their events.

The question is ``{"csr", "clientId", "certificateType"?, "requestId"?}``, the answer with status 200 ``{"certificateChain"}``;
with 202 it comes later, as a command. Redirections are not followed: the token is for the one that it was given to.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
from attrs import define, field, frozen
from cryptography import x509
from msgspec import Struct
from twisted.internet.defer import Deferred, DeferredSemaphore

import csms
from csms import certificates
from csms.authority.issued import check_issued
from csms.authority.signing import AuthorityError, BadRequest, checked
from csms.certificates import BadCertificate
from csms.handlers.certificate_requests import AuthorityAway, SigningFailed
from csms.ledger.certificates import Certificate, SigningRequest

RunInThread = Callable[..., Deferred[Any]]
"""``run(function, *arguments)``, as `twisted.internet.threads.deferToThread`."""
MOST_ANSWER_BYTES = 64 * 1024
_AT_ONCE = 2
_OK, _LATER, _TOO_MANY, _FAULTS_OF_THE_SERVER = 200, 202, 429, 500


class _Answer(Struct, rename="camel"):
    certificate_chain: str


_decoder = msgspec.json.Decoder(_Answer)


@frozen
class Service:
    """Where an authority is asked; ``transport`` is for tests."""

    url: str
    timeout_s: float = 10.0
    token: str | None = field(default=None, repr=False)
    transport: httpx.BaseTransport | None = None

    def ask(self, client_id: str, wanted: SigningRequest) -> str | None:
        """Ask for a chain, None where it comes later; takes as long as the timeout.

        :raises AuthorityAway: there was no answer.
        :raises SigningFailed: it does not sign.
        """
        question = {
            "csr": wanted.csr,
            "clientId": client_id,
            "certificateType": wanted.certificate_type,
            "requestId": wanted.request_id,
        }
        try:
            status, body = self._post({name: value for name, value in question.items() if value is not None})
        except httpx.HTTPError as error:
            raise AuthorityAway(str(error) or type(error).__name__) from None
        if status == _LATER:
            return None
        if status == _TOO_MANY or status >= _FAULTS_OF_THE_SERVER:
            raise AuthorityAway(f"it answered with status {status}")
        if status != _OK:
            raise SigningFailed(f"the authority answered with status {status}")
        try:
            return _decoder.decode(body).certificate_chain
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise SigningFailed(f"the authority's answer is not understood: {error}") from None

    def _post(self, question: dict[str, Any]) -> tuple[int, bytes]:
        headers = {"Accept": "application/json", "User-Agent": f"csms/{csms.__version__}"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        # httpx's timeouts are of each step: what trickles in has to end, too.
        ends = time.monotonic() + self.timeout_s
        body = b""
        trusted = ssl.create_default_context()
        with (
            httpx.Client(verify=trusted, timeout=self.timeout_s, trust_env=False, transport=self.transport) as client,
            client.stream("POST", self.url, json=question, headers=headers) as response,
        ):
            if response.status_code != _OK:
                return response.status_code, b""
            for part in response.iter_bytes():
                body += part
                if len(body) > MOST_ANSWER_BYTES:
                    raise SigningFailed(f"the authority's answer is longer than {MOST_ANSWER_BYTES} bytes")
                if time.monotonic() > ends:
                    raise AuthorityAway(f"no answer within {self.timeout_s:g} s")
        return _OK, body


@define(eq=False)
class ExternalAuthority:
    """The port `csms.handlers.certificate_requests.OtherAuthority`. ``roots`` is a PEM file, read again on SIGHUP."""

    _run: RunInThread
    _organization: str
    _roots_file: str | None = None
    _service: Service | None = None
    _roots: Sequence[x509.Certificate] = ()
    _slots: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_AT_ONCE))
    _asking: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_AT_ONCE))
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

    def fault(self, csr: str, client_id: str, now: datetime) -> Deferred[str | None]:
        """Return why a request is not passed on, None where it is."""
        del now
        found: Deferred[str | None] = self._slots.run(self._run, _fault, csr, client_id, self._organization)
        return found

    def ask(self, client_id: str, wanted: SigningRequest) -> Deferred[str | None]:
        """Ask for a chain, None where it comes later."""
        if self._service is None:
            raise RuntimeError("it is not asked")
        chain: Deferred[str | None] = self._asking.run(self._run, self._service.ask, client_id, wanted)
        return chain

    def check(self, chain: str, wanted: SigningRequest, client_id: str, now: datetime) -> Deferred[Certificate]:
        """Look at a chain before it goes to a charge point."""
        checked_chain: Deferred[Certificate] = self._slots.run(
            self._run, check_issued, chain, wanted.csr, client_id, self._organization, self._roots, now
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


def _fault(csr: str, client_id: str, organization: str) -> str | None:
    try:
        checked(csr, client_id, organization)
    except BadRequest as error:
        return str(error)
    return None
