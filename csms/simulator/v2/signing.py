"""Signed meter readings (OCPP 2.x SignedMeterValueType): OCMF documents with an ECDSA signature that verifies.

The members are filled in as the application note of the Open Charge Alliance on signed meter values says.
"""

from __future__ import annotations

from base64 import b64encode
from random import Random
from typing import Any

import msgspec
from attrs import define, field
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_IDENTIFIER = {"Transaction.Begin": "B", "Transaction.End": "E"}


@define(eq=False)
class Signer:
    """The signing unit of one meter; its key comes from ``random``, so that a seed gives the same meter again."""

    _serial_number: str
    _key: ec.EllipticCurvePrivateKey
    _pagination: int = field(default=0, init=False)

    @classmethod
    def make(cls, serial_number: str, random: Random) -> Signer:
        """Make a meter's signing unit."""
        return cls(serial_number, ec.derive_private_key(random.getrandbits(255) + 1, ec.SECP256R1()))

    @property
    def public_key(self) -> bytes:
        """The key to verify with, as a DER SubjectPublicKeyInfo."""
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, register_wh: int, timestamp: str, context: str) -> dict[str, Any]:
        """Return a register of the meter as a SignedMeterValueType."""
        self._pagination += 1
        reading = {
            "TM": f"{timestamp.replace('Z', '').replace('.', ',')}+0000 S",
            "TX": _IDENTIFIER[context],
            "RV": register_wh,
            "RI": "1-b:1.8.0",
            "RU": "Wh",
            "ST": "G",
        }
        document = {"FV": "1.0", "MS": self._serial_number, "PG": f"T{self._pagination}", "RD": [reading]}
        payload = msgspec.json.encode(document)
        signature = {"SD": self._key.sign(payload, ec.ECDSA(hashes.SHA256())).hex()}
        signed = b"|".join((b"OCMF", payload, msgspec.json.encode(signature)))
        return {
            "signedMeterData": b64encode(signed).decode("ascii"),
            "signingMethod": "",  # it is in the document
            "encodingMethod": "OCMF",
            "publicKey": b64encode(f"oca:base16:asn1:{self.public_key.hex()}".encode()).decode("ascii"),
        }
