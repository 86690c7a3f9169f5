"""Certificate signing requests for tests."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

ORGANIZATION = "Example Charging"


def names(common_name="CP1", organization=ORGANIZATION, *more):
    """Return a subject; None leaves a name out, and ``more`` are further common names."""
    pairs = [(NameOID.COMMON_NAME, name) for name in (common_name, *more)]
    pairs.append((NameOID.ORGANIZATION_NAME, organization))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs if value is not None])


def request(subject=None, key=None, *extensions, algorithm=None):
    """Return a request, and its key."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject or names())
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, algorithm or hashes.SHA256()), key


def pem(signing_request):
    """Return a request as a charge point sends it."""
    return signing_request.public_bytes(Encoding.PEM).decode()
