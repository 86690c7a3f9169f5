"""An authority of `csms pki`, what it issues and revokes, and the daemon's TLS with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from csms.websocket.tls import ChargePointTls
from tests.cli.command import csms

ORGANIZATION = "Example Charging"
NOW = datetime.now(UTC) + timedelta(hours=6)
"""A while from now: certificates are made, and valid from then on, long after this module was read."""
DAY = timedelta(days=1)


def pki(folder, *arguments):
    _out, err, status = csms("pki", *arguments, cwd=folder)
    assert (err, status) == ([], 0)


def tls_of(folder, *, crl=None, demands=True):
    server = folder / "server" / "csms.example.org"
    tls = ChargePointTls(
        [f"{server}.pem"], [f"{server}.key"], str(folder / "ca.pem"), crl, demands_certificates=demands
    )
    tls.load()
    return tls


def revoke(folder, *places, ends=NOW + DAY):
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    key = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    revoked = [x509.load_pem_x509_certificate(place.with_suffix(".pem").read_bytes()) for place in places]
    path = folder / "revoked.pem"
    path.write_bytes(revocation_list(authority.subject, key, *revoked, ends=ends))
    return str(path)


def revocation_list(authority, key, *revoked, ends=NOW + DAY):
    """Return the revocation list of an authority, by its name and key, as PEM."""
    builder = x509.CertificateRevocationListBuilder(authority, NOW - 2 * DAY, ends)
    for certificate in revoked:
        entry = x509.RevokedCertificateBuilder(certificate.serial_number, NOW - DAY)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
