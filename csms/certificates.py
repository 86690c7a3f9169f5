"""X.509 certificates of an operator's own authority: what `csms pki` makes by hand, and the daemon for charge points.

ECDSA P-256 by default, RSA for charge points that know nothing else (OCPP security whitepaper §2.6; OCPP 2.x A00.FR.5xx).
A leaf: nothing of ours is imported here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

KeyKind = Literal["ecdsa", "rsa"]
Use = Literal["server", "charger"]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

LONGEST_NAME = 64
"""What a common name or an organization has room for (RFC 5280, ub-common-name)."""
RSA_BITS = 3072
_RSA_EXPONENT = 65537
_BACKDATED = timedelta(minutes=5)
"""Clocks of charge points are not exact: what is signed now has to be valid there already."""
_USES: dict[Use, ObjectIdentifier] = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "charger": ExtendedKeyUsageOID.CLIENT_AUTH,
}
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class BadCertificate(Exception):
    """A certificate or key is not what it should be; the message is one line."""


@frozen
class Authority:
    """A certificate authority: its certificate, its key, and the certificates that lead from it to its root, without that."""

    certificate: x509.Certificate
    key: PrivateKey
    links: Sequence[x509.Certificate] = ()


def new_key(kind: KeyKind) -> PrivateKey:
    """Return a new private key."""
    if kind == "rsa":
        return rsa.generate_private_key(_RSA_EXPONENT, RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def name_of(common_name: str, organization: str | None) -> x509.Name:
    """Return a subject.

    :raises BadCertificate: a name is empty, too long, or holds characters that are none.
    """
    attributes = []
    for oid, value in ((NameOID.COMMON_NAME, common_name), (NameOID.ORGANIZATION_NAME, organization)):
        if value is None:
            continue
        if not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
            raise BadCertificate(f"{value[:80]!r}: allowed are 1 to {LONGEST_NAME} printable characters")
        attributes.append(x509.NameAttribute(oid, value))
    return x509.Name(attributes)


def new_authority(subject: x509.Name, key: PrivateKey, now: datetime, validity: timedelta) -> Authority:
    """Return an authority that signed itself; no other authority may stand below it."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        _builder(subject, subject, key.public_key(), now - _BACKDATED, now + validity)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(identifier, critical=False)
    )
    return Authority(builder.sign(key, hashes.SHA256()), key)


def issue(
    authority: Authority,
    subject: x509.Name,
    public_key: PublicKey,
    use: Use,
    now: datetime,
    validity: timedelta,
    hosts: Iterable[str] = (),
) -> x509.Certificate:
    """Return a certificate of an authority; it ends with the authority's own at the latest.

    :raises BadCertificate: the authority's certificate is not valid now.
    """
    issuer = authority.certificate
    if not issuer.not_valid_before_utc <= now < issuer.not_valid_after_utc:
        raise BadCertificate(f"the authority's certificate is valid until {issuer.not_valid_after_utc:%Y-%m-%d} only")
    begins = max(now - _BACKDATED, issuer.not_valid_before_utc)
    ends = min(now + validity, issuer.not_valid_after_utc)
    # Plain RSA suites, which the security profiles demand, have the client encrypt to the key.
    is_rsa_server = use == "server" and isinstance(public_key, rsa.RSAPublicKey)
    usages = ("digital_signature", "key_encipherment") if is_rsa_server else ("digital_signature",)
    builder = (
        _builder(subject, issuer.subject, public_key, begins, ends)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(*usages), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USES[use]]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_authority_identifier(issuer), critical=False)
    )
    names = [_general_name(host) for host in hosts]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(authority.key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: PublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=subject,
        public_key=public_key,
        serial_number=x509.random_serial_number(),
        not_valid_before=begins,
        not_valid_after=ends,
    )


def _key_usage(*usages: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in usages for usage in _USAGES})


def _authority_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_known_key(issuer.public_key()))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host.encode("idna").decode())
    except UnicodeError:
        raise BadCertificate(f"{host[:80]!r} is no host name") from None


def names_in(certificate: x509.Certificate | x509.CertificateSigningRequest, oid: ObjectIdentifier) -> list[str]:
    """Return the values that a subject has for an attribute, as `NameOID.COMMON_NAME`."""
    return [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(oid)]


def names_a_server(common_name: str) -> bool:
    """Tell whether a name could pass for a server's: an address, or a URL (A00.FR.511)."""
    try:
        ipaddress.ip_address(common_name)
    except ValueError:
        return "://" in common_name
    return True


def hosts_of(certificate: x509.Certificate) -> list[str]:
    """Return the host names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = names.get_values_for_type(x509.IPAddress)
    return [*names.get_values_for_type(x509.DNSName), *map(str, addresses)]


def serial_of(certificate: x509.Certificate) -> str:
    """Return a serial number as OCPP writes it: hexadecimal, without leading zeros."""
    return f"{certificate.serial_number:x}"


def is_for(certificate: x509.Certificate, csr: str) -> bool:
    """Tell whether a certificate has the key of a signing request in PEM."""
    try:
        return certificate.public_key() == x509.load_pem_x509_csr(csr.encode()).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Tell whether a certificate is a root."""
    return certificate.issuer == certificate.subject


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates in PEM, one at least.

    :raises BadCertificate: there are none.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion):
        raise BadCertificate("no certificate in PEM") from None


def is_pem(text: str) -> bool:
    """Tell whether a text is PEM itself, and not the name of a file."""
    return text.lstrip().startswith("-----BEGIN")


def read_key(pem: bytes) -> PrivateKey:
    """Return a private key in PEM.

    :raises BadCertificate: it is encrypted, of another kind than ECDSA or RSA, or none.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise BadCertificate("the key is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadCertificate("no private key in PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise BadCertificate("the key is neither ECDSA nor RSA")
    return key


def read_authority(certificates: bytes, key: bytes) -> Authority:
    """Return an authority of its PEM texts: its own certificate first, then what leads to the root.

    :raises BadCertificate: they do not fit together, or may not sign certificates.
    """
    own, *above = read_certificates(certificates)
    private = read_key(key)
    if private.public_key() != own.public_key():
        raise BadCertificate("the key is not that of the certificate")
    try:
        constraints = own.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        raise BadCertificate("the certificate is no authority's") from None
    except ValueError:
        raise BadCertificate("the certificate's extensions cannot be read") from None
    if not constraints.ca:
        raise BadCertificate("the certificate is no authority's")
    links = [certificate for certificate in (own, *above) if not is_self_signed(certificate)]
    return Authority(own, private, links)


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates as PEM, in their order."""
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def key_pem(key: PrivateKey) -> bytes:
    """Return a private key as PEM, without a passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def key_text(key: object) -> str:
    """Return what a key is, for people."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    return f"ECDSA {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__


def _known_key(key: object) -> PublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise BadCertificate("the authority's key is neither ECDSA nor RSA")
    return key
