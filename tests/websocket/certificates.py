"""Self-signed certificates for one test, as PEM files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

_PKCS8 = serialization.PrivateFormat.PKCS8
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
"""Made once: it takes long."""


def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def write(folder, name, key, *, password=None, hosts=()):
    """Write ``name.crt`` and ``name.key``; return their paths. ``hosts`` are its server names, without any it is its own."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        issuer_name=subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=1),
        not_valid_after=now + timedelta(days=1),
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
    certificate = builder.sign(key, hashes.SHA256())
    encryption = (
        serialization.BestAvailableEncryption(password) if password is not None else serialization.NoEncryption()
    )
    certificate_path, key_path = folder / f"{name}.crt", folder / f"{name}.key"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(key.private_bytes(serialization.Encoding.PEM, _PKCS8, encryption))
    return str(certificate_path), str(key_path)
