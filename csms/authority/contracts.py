"""Verifies contract certificates on a thread, against roots that the operator installed: files, read again on SIGHUP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography import x509
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from csms.authority.contract_chain import Roots, verify
from csms.handlers.contracts import CertificateStatus, Contract

_log = Logger()
_AT_ONCE = 2
_SUFFIXES = frozenset({".pem", ".crt", ".cer"})
_MOST_BYTES = 4 * 1024 * 1024
RunInThread = Callable[..., Deferred[Any]]
"""``run(function, *arguments)``, as `twisted.internet.threads.deferToThread`."""


class RootsError(Exception):
    """The roots cannot be read; the message is one line that names the setting and the file."""


@define(eq=False)
class ContractCertificates:
    """The port `csms.handlers.contracts.Contracts`. ``path`` is a PEM file, or a directory of such files."""

    _run: RunInThread
    _path: str
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
        """Verify a contract certificate."""
        verified: Deferred[CertificateStatus] = self._slots.run(self._run, verify, contract, self._roots, now)
        return verified


def read_roots(path: str) -> Roots:
    """Read installed certificates; takes a moment.

    :raises RootsError: a file cannot be read, holds no certificates, or none of them is a root.
    """
    found = [certificate for file in _files(path) for certificate in _read(file)]
    roots = Roots.of(found)
    if not roots.roots:
        raise RootsError(
            f"iso15118.mo_roots: {path} holds no root: allowed are certificates that are signed by themselves"
        )
    return roots


def _files(path: str) -> Iterator[Path]:
    place = Path(path)
    try:
        if not place.is_dir():
            yield place
            return
        yield from sorted(file for file in place.iterdir() if file.suffix.lower() in _SUFFIXES)
    except OSError as error:
        raise RootsError(f"iso15118.mo_roots: {path} cannot be read: {error.strerror}") from None


def _read(file: Path) -> Sequence[x509.Certificate]:
    try:
        with file.open("rb") as opened:
            return x509.load_pem_x509_certificates(opened.read(_MOST_BYTES))
    except OSError as error:
        raise RootsError(f"iso15118.mo_roots: {file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RootsError(f"iso15118.mo_roots: {file} holds no PEM certificates: {error}") from None
