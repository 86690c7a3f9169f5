"""The folder of ``csms pki``: the authority, and what it issued, in files that only their owner reads where they are keys.

``ca.pem`` and ``ca.key``; below ``server/`` and ``charger/`` a ``.pem`` and a ``.key`` for each name.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from attrs import frozen
from cryptography import x509

from csms import certificates
from csms.certificates import Authority, BadCertificate, PrivateKey, Use
from csms.cli.faults import Fault, Status

USES: tuple[Use, ...] = ("server", "charger")
_KEY_MODE = 0o600
_CERTIFICATE_MODE = 0o644
_FOLDER_MODE = 0o700


@frozen
class Issued:
    """A certificate of the folder; ``use`` is None for the authority's."""

    use: Use | None
    path: Path
    certificate: x509.Certificate

    @property
    def key_path(self) -> Path:
        """The file of its key."""
        return self.path.with_suffix(".key")


@frozen
class Folder:
    """See the module."""

    path: Path

    def make(self) -> None:
        """Make the folder where there is none."""
        self.path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        for use in USES:
            (self.path / use).mkdir(mode=_FOLDER_MODE, exist_ok=True)

    @property
    def has_authority(self) -> bool:
        """Whether there is an authority, or half of one."""
        return any((self.path / name).exists() for name in ("ca.pem", "ca.key"))

    @property
    def no_authority(self) -> Fault:
        """What is said where there is none."""
        return Fault(f"there is no authority in {self.path}: make one by csms pki init", Status.NOT_FOUND)

    def place(self, use: Use | None, name: str) -> Path:
        """Return the file of a certificate; no name leads out of the folder."""
        return self.path / "ca.pem" if use is None else self.path / use / f"{quote(name, safe='')}.pem"

    def authority(self) -> Authority:
        """Read the authority.

        :raises Fault: there is none, or it cannot be used.
        """
        if not self.has_authority:
            raise self.no_authority
        certificate, key = self.path / "ca.pem", self.path / "ca.key"
        try:
            return certificates.read_authority(certificate.read_bytes(), key.read_bytes())
        except BadCertificate as error:
            raise Fault(f"{certificate}: {error}") from None

    def read(self, use: Use | None, path: Path) -> Issued:
        """Read a certificate.

        :raises Fault: the file holds none.
        """
        try:
            return Issued(use, path, certificates.read_certificates(path.read_bytes())[0])
        except BadCertificate as error:
            raise Fault(f"{path}: {error}") from None

    def everything(self) -> Iterator[Issued]:
        """Read all certificates, the authority's first.

        :raises Fault: a file holds none.
        """
        if (self.path / "ca.pem").exists():
            yield self.read(None, self.path / "ca.pem")
        for use in USES:
            for path in sorted((self.path / use).glob("*.pem")):
                yield self.read(use, path)

    def write(self, path: Path, certificate: x509.Certificate, key: PrivateKey | None) -> None:
        """Write a certificate and, unless it stays, its key. Each file is whole at every moment."""
        if key is not None:
            _write(path.with_suffix(".key"), certificates.key_pem(key), _KEY_MODE)
        _write(path, certificates.certificate_pem(certificate), _CERTIFICATE_MODE)


def _write(path: Path, content: bytes, mode: int) -> None:
    # Made by mkstemp with 0600: a key is never readable by others, not even for a moment.
    descriptor, unfinished = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
