"""Certificates for tests, made where they are needed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import define
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID


def write_certificate(folder: Path, name: str, *, onto: tuple[Path, Path] | None = None) -> tuple[Path, Path]:
    """Write a self-signed certificate for a common name; return the files of certificate and key."""
    certificate_file, key_file = onto or (folder / f"{name}.pem", folder / f"{name}.key")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@define
class Issued:
    """A certificate with its key, and whoever issued it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    issuer: Issued | None

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    ca: bool = True,
    path_length: int | None = None,
    key_cert_sign: bool = True,
    begins: datetime | None = None,
    ends: datetime | None = None,
    algorithm: hashes.HashAlgorithm | None = None,
    extension: x509.ExtensionType | None = None,
    signed_by: ec.EllipticCurvePrivateKey | None = None,
    responder: str | None = None,
) -> Issued:
    """Issue a certificate as those of ISO 15118 are; without an issuer it signs itself. ``extension`` is a critical one.

    ``responder`` is the URL of the OCSP responder that it names.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    usage = dict.fromkeys(
        [
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins or now - timedelta(days=1))
        .not_valid_after(ends or now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
        .add_extension(
            x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca and key_cert_sign, crl_sign=ca, **usage),
            critical=True,
        )
    )
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    if responder is not None:
        place = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(responder))
        builder = builder.add_extension(x509.AuthorityInformationAccess([place]), critical=False)
    signing = signed_by or (issuer.key if issuer is not None else key)
    return Issued(builder.sign(signing, algorithm or hashes.SHA256()), key, issuer)


def ocsp_data(issued: Issued, algorithm: str = "SHA256") -> dict[str, str]:
    """Return the OCSPRequestDataType of a certificate."""
    assert issued.issuer is not None
    chosen = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}[algorithm]
    request = ocsp.OCSPRequestBuilder().add_certificate(issued.certificate, issued.issuer.certificate, chosen).build()
    return {
        "hashAlgorithm": algorithm,
        "issuerNameHash": request.issuer_name_hash.hex(),
        "issuerKeyHash": request.issuer_key_hash.hex(),
        "serialNumber": f"{issued.certificate.serial_number:x}",
        "responderURL": "http://ocsp.example.org",
    }
