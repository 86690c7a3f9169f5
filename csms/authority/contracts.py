"""Verifies contract certificates on a thread, against roots that the operator installed: files, read again on SIGHUP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography import x509
from twisted.internet.defer import Deferred, DeferredList, DeferredSemaphore
from twisted.logger import Logger

from csms import certificates
from csms.authority.contract_chain import Roots, Verified, verify
from csms.authority.signing import RunInThread
from csms.certificates import BadCertificate
from csms.handlers.contracts import CertificateStatus, Contract
from csms.handlers.iso15118 import Responders

_log = Logger()
_AT_ONCE = 2
_SUFFIXES = frozenset({".pem", ".crt", ".cer"})
_MOST_BYTES = 4 * 1024 * 1024


class RootsError(Exception):
    """The roots cannot be read; the message is one line that names the setting and the file."""


@define(eq=False)
class ContractCertificates:
    """The port `csms.handlers.contracts.Contracts`. ``path`` is a PEM file, or a directory of such files."""

    _run: RunInThread
    _path: str
    _responders: Responders | None = None
    """Who knows whether a certificate is revoked; without them none is known to be."""
    _roots: Roots = field(factory=lambda: Roots([]))
    _slots: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_AT_ONCE))

    async def load(self) -> None:
        """Read the roots.

        :raises RootsError: they cannot be used; what was read before stays in use.
        """
        roots: Roots = await self._run(read_roots, self._path)
        self._roots = roots
        _log.info("{count} roots of contract certificates are installed", count=len(roots.roots))

    def check(self, contract: Contract, now: datetime) -> Deferred[CertificateStatus]:
        """Verify a contract certificate, and ask whether it and its chain are revoked (C07.FR.05)."""
        verified: Deferred[Verified] = self._slots.run(self._run, verify, contract, self._roots, now)
        return verified.addCallback(self._ask)

    def _ask(self, verified: Verified) -> CertificateStatus | Deferred[CertificateStatus]:
        if self._responders is None or not verified.inquiries:
            return verified.status
        asked = [self._responders.ask(inquiry.data, inquiry.issuer) for inquiry in verified.inquiries]
        return DeferredList(asked, consumeErrors=True).addCallback(_judged)


def _judged(outcomes: Sequence[tuple[bool, Any]]) -> CertificateStatus:
    """Judge by all that was told: one that is revoked is (C07.FR.16); what nobody could vouch for is not verified (FR.17)."""
    answers = [told for is_answered, told in outcomes if is_answered and told.is_verified]
    if any(answer.state == "Revoked" for answer in answers):
        return "CertificateRevoked"
    if len(answers) == len(outcomes) and all(answer.state == "Good" for answer in answers):
        return "Accepted"
    reasons = [str(told.value) for is_answered, told in outcomes if not is_answered]
    _log.warn(
        "a contract certificate is not accepted: {reason}",
        reason=reasons[0] if reasons else "no responder of its issuer's knows that it is good",
    )
    return "CertChainError"


def read_roots(path: str) -> Roots:
    """Read installed certificates; takes a moment.

    :raises RootsError: a file cannot be read, holds no certificates, or none of them is a root.
    """
    found = read_certificates(path, "iso15118.mo_roots")
    roots = Roots.of(found)
    if not roots.roots:
        raise RootsError(
            f"iso15118.mo_roots: {path} holds no root: allowed are certificates that are signed by themselves"
        )
    return roots


def read_certificates(path: str, setting: str) -> Sequence[x509.Certificate]:
    """Read the certificates of a PEM file, or of a directory of such files; takes a moment.

    :raises RootsError: a file cannot be read, or holds no certificates.
    """
    found = [certificate for file in _files(path, setting) for certificate in _read(file, setting)]
    if not found:
        raise RootsError(
            f"{setting}: {path} holds no certificates: allowed are a PEM file, or a directory of such (.pem, .crt, .cer)"
        )
    return found


def _files(path: str, setting: str) -> Iterator[Path]:
    place = Path(path)
    try:
        if not place.is_dir():
            yield place
            return
        yield from sorted(file for file in place.iterdir() if file.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise RootsError(f"{setting}: {path} cannot be read: {error.strerror}") from None


def _read(file: Path, setting: str) -> Sequence[x509.Certificate]:
    try:
        with file.open("rb") as opened:
            return certificates.read_certificates(opened.read(_MOST_BYTES))
    except OSError as error:
        raise RootsError(f"{setting}: {file} cannot be read: {error.strerror}") from None
    except BadCertificate as error:
        raise RootsError(f"{setting}: {file} cannot be used: {error}") from None
