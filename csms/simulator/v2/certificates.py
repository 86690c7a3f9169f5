"""Certificates (OCPP 2.x, functional blocks A and M): root certificates are kept and named by their hashes.

They are not used: what a simulated station trusts is said on its command line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from csms.simulator.commands import Handler, Outcome
from csms.simulator.v2.messages import Payload

_HASHES: dict[str, Callable[[bytes], Any]] = {
    "SHA256": hashlib.sha256,
    "SHA384": hashlib.sha384,
    "SHA512": hashlib.sha512,
}


class Certificates:
    """The root certificates of a station, with their types."""

    def __init__(self) -> None:
        self._installed: list[tuple[str, x509.Certificate]] = []
        self.handlers: dict[str, Handler] = {
            # A simulated station never asks for one with SignCertificate.
            "CertificateSigned": lambda _payload: ({"status": "Rejected"}, None),
            "DeleteCertificate": self._delete,
            "GetInstalledCertificateIds": self._get_ids,
            "InstallCertificate": self._install,
        }

    def _install(self, payload: Payload) -> Outcome:
        try:
            certificate = x509.load_pem_x509_certificate(payload["certificate"].encode())
        except ValueError:
            return {"status": "Rejected"}, None
        entry = (payload["certificateType"], certificate)
        if entry not in self._installed:
            self._installed.append(entry)
        return {"status": "Accepted"}, None

    def _get_ids(self, payload: Payload) -> Outcome:
        types = payload.get("certificateType")
        chains = [
            {"certificateType": kind, "certificateHashData": _hash_data(certificate, "SHA256")}
            for kind, certificate in self._installed
            if types is None or kind in types
        ]
        return ({"status": "Accepted", "certificateHashDataChain": chains} if chains else {"status": "NotFound"}), None

    def _delete(self, payload: Payload) -> Outcome:
        wanted = payload["certificateHashData"]
        kept = [entry for entry in self._installed if not _is(entry[1], wanted)]
        status = "NotFound" if len(kept) == len(self._installed) else "Accepted"
        self._installed = kept
        return {"status": status}, None


def _is(certificate: x509.Certificate, wanted: Payload) -> bool:
    own = _hash_data(certificate, wanted["hashAlgorithm"])
    return all(
        own[name].lower() == wanted[name].lower() for name in ("issuerNameHash", "issuerKeyHash", "serialNumber")
    )


def _hash_data(certificate: x509.Certificate, algorithm: str) -> dict[str, str]:
    """Return the CertificateHashDataType of a root certificate, which has issued itself."""
    digest = _HASHES[algorithm]
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": digest(certificate.issuer.public_bytes()).hexdigest(),
        "issuerKeyHash": digest(_bits_of_the_key(key)).hexdigest(),
        "serialNumber": f"{certificate.serial_number:x}",
    }


def _bits_of_the_key(info: bytes) -> bytes:
    """Return the key's BIT STRING without tag, length and unused bits: what RFC 6960 §4.1.1 hashes."""
    _, content, _ = _element(info)
    _, _, rest = _element(content)
    _, bits, _ = _element(rest)
    return bits[1:]


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Return tag and content of the first DER element, and what follows it."""
    length, at = der[1], 2
    if length & 0x80:
        at += length & 0x7F
        length = int.from_bytes(der[2:at], "big")
    return der[0], der[at : at + length], der[at + length :]
