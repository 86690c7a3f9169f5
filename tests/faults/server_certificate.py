"""The certificate of the daemon's TLS port, and what daemon and chargers need to use it."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from pathlib import Path
from typing import Any

from attrs import define, field
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from csms.simulator.client import tls_options
from tests.certificates import Issued, issue
from tests.programs import free_port


@define
class ServerCertificate:
    """Files of a certificate for 127.0.0.1 and its root, and the port that shows it."""

    folder: Path
    ends: datetime | None = None
    port: int = field(factory=free_port)
    _authority: Issued = field(factory=lambda: issue("csms CA"))

    def __attrs_post_init__(self) -> None:
        self._file("ca.pem").write_text(self._authority.pem)
        self.renew(self.ends)

    @property
    def url(self) -> str:
        return f"wss://127.0.0.1:{self.port}/ocpp/"

    @property
    def settings(self) -> dict[str, str]:
        """Return what the daemon is told."""
        return {
            "CSMS_TLS_LISTEN": f"tcp:{self.port}:interface=127.0.0.1",
            "CSMS_TLS_CERTIFICATE": str(self._file("server.pem")),
            "CSMS_TLS_KEY": str(self._file("server.key")),
        }

    def options(self) -> Any:
        """Return what chargers check the certificate by."""
        return tls_options(self.url, self._file("ca.pem"))

    def renew(self, ends: datetime | None) -> None:
        """Write another certificate that is valid until then."""
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        issued = issue("127.0.0.1", self._authority, ca=False, ends=ends, extension=names)
        self._file("server.pem").write_text(issued.pem)
        self._file("server.key").write_bytes(
            issued.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def _file(self, name: str) -> Path:
        return self.folder / name
