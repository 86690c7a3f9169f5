"""The authority of the daemon: what it signs, what it does not, and what is in what it signs."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.threads import deferToThread

from csms import certificates
from csms.authority.signing import (
    ALLOWED_NAMES,
    AuthorityError,
    BadRequest,
    CertificateAuthority,
    checked,
    read_authority,
)
from csms.handlers.certificate_requests import SigningFailed
from tests.certificates import issue
from tests.signing_requests import ORGANIZATION, names, pem, request

NAMES = frozenset({"CP1"})
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def usage(**on):
    every = [
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    ]  # fmt: skip
    return x509.KeyUsage(**{**dict.fromkeys(every, False), **on})


def fault(text, *client_ids):
    try:
        checked(text, frozenset(client_ids or NAMES), ORGANIZATION)
    except BadRequest as error:
        return str(error)
    return None


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1])
def test_a_request_of_the_charge_point(curve):
    asked, key = request(None, ec.generate_private_key(curve()), usage(digital_signature=True))
    assert checked(pem(asked), NAMES, ORGANIZATION).key == key.public_key()


def test_rsa_of_2048_bits_and_not_of_1024():
    enough, too_small = (rsa.generate_private_key(65537, bits) for bits in (2048, 1024))
    assert fault(pem(request(None, enough)[0])) is None
    assert fault(pem(request(None, too_small)[0])) == "an RSA key of 1024 bits: allowed are 2048 to 8192"


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (names("CP2"), "its CN is 'CP2': allowed is " + ALLOWED_NAMES),
        (names("cp1"), "its CN is 'cp1': allowed is " + ALLOWED_NAMES),
        (names(None), "its CN is missing: allowed is " + ALLOWED_NAMES),
        (names("CP1", ORGANIZATION, "CP2"), "its CN is 'CP1' and 'CP2': allowed is " + ALLOWED_NAMES),
        (names("CP1", None), "its O is missing: allowed is 'Example Charging'"),
        (names("CP1", "Other"), "its O is 'Other': allowed is 'Example Charging'"),
    ],
)
def test_a_subject_that_is_another(subject, said):
    assert fault(pem(request(subject)[0])) == said


def test_the_name_that_the_operator_gave_it_does_as_well():
    """A00.FR.511: the CN is the serial number."""
    both = frozenset({"CP1", "SN-0042"})
    for common_name in both:
        assert checked(pem(request(names(common_name))[0]), both, ORGANIZATION).common_name == common_name
    assert "its CN is 'CP1' and 'SN-0042'" in fault(pem(request(names("CP1", ORGANIZATION, "SN-0042"))[0]), *both)


@pytest.mark.parametrize("client_id", ["192.0.2.7", "2001:db8::7", "wss://csms"])
def test_an_identity_that_could_be_a_server(client_id):
    asked = pem(request(names(client_id))[0])
    assert fault(asked, client_id) == "an identity that is an address could pass for a server's"


@pytest.mark.parametrize(
    ("extension", "said"),
    [
        (x509.BasicConstraints(ca=True, path_length=None), "it asks to be an authority"),
        (usage(key_cert_sign=True), "it asks to sign certificates or revocation lists"),
        (
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
            "it asks for another use than that of a client",
        ),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), None),
    ],
)
def test_what_it_wants_to_be(extension, said):
    assert fault(pem(request(None, None, extension)[0])) == said


def test_keys_and_signatures_that_are_not_allowed():
    curve = request(None, ec.generate_private_key(ec.SECP256K1()))[0]
    assert fault(pem(curve)) == "a key on secp256k1: allowed are P-256, P-384 and P-521"
    builder = x509.CertificateSigningRequestBuilder().subject_name(names())
    edwards = builder.sign(ed25519.Ed25519PrivateKey.generate(), None)
    assert fault(pem(edwards)) == "the key is neither ECDSA nor RSA"
    weak = request(algorithm=hashes.SHA224())[0]
    assert fault(pem(weak)) == "its signature is not of SHA-256 or stronger"


def test_a_signature_by_another_key():
    asked, _ = request()
    der = bytearray(asked.public_bytes(Encoding.DER))
    place = der.find(b"CP1")
    der[place + 2] = ord("2")
    forged = x509.load_der_x509_csr(bytes(der))
    assert fault(pem(forged), "CP2") == "its signature is not of its key"


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300).map(lambda body: _armoured(body))))
def test_whatever_else_it_is_refused(text):
    assert fault(text) == "it is no certificate signing request in PEM"


def _armoured(body):
    from base64 import encodebytes

    head = "CERTIFICATE REQUEST-----"
    return f"-----BEGIN {head}\n{encodebytes(body).decode()}-----END {head}\n"


def test_one_that_is_too_long():
    assert fault(pem(request()[0]) + " " * 20_000) == "the request is too long"


def _files(folder, authority, *above):
    (folder / "ca.pem").write_bytes(certificates.certificate_pem(authority.certificate, *above))
    (folder / "ca.key").write_bytes(certificates.key_pem(authority.key))
    return str(folder / "ca.pem"), str(folder / "ca.key")


def _authority(folder, run=deferToThread, validity=30 * DAY):
    made = certificates.new_authority(
        certificates.name_of("CA", ORGANIZATION), certificates.new_key("ecdsa"), NOW - DAY, 400 * DAY
    )
    return made, CertificateAuthority(run, *_files(folder, made), ORGANIZATION, validity)


@pytest_twisted.ensureDeferred
async def test_what_is_signed(tmp_path):
    threads = []

    def run(function, *arguments):
        def job():
            threads.append(threading.get_ident())
            return function(*arguments)

        return deferToThread(job)

    made, authority = _authority(tmp_path, run)
    await authority.load()
    asked, key = request(
        None, None, x509.SubjectAlternativeName([x509.DNSName("csms.example.org")]), usage(digital_signature=True)
    )
    assert await authority.fault(pem(asked), NAMES, NOW) is None
    signed = await authority.sign(pem(asked), NAMES, NOW)
    # The root is not sent: the charge point has to have it.
    [leaf] = x509.load_pem_x509_certificates(signed.chain.encode())
    leaf.verify_directly_issued_by(made.certificate)
    assert leaf.public_key() == key.public_key()
    assert leaf.subject == names()
    assert leaf.not_valid_after_utc == signed.certificate.not_after == (NOW + 30 * DAY).replace(microsecond=0)
    assert signed.certificate.serial_number == f"{leaf.serial_number:x}"
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    assert threads
    assert threading.get_ident() not in threads


@pytest_twisted.ensureDeferred
async def test_an_authority_below_a_root_comes_with_it(tmp_path):
    root = issue("Root")
    below = issue("Below", root)
    authority = CertificateAuthority(deferToThread, *_files(tmp_path, below, root.certificate), ORGANIZATION, DAY)
    await authority.load()
    signed = await authority.sign(pem(request()[0]), NAMES, NOW)
    leaf, link = x509.load_pem_x509_certificates(signed.chain.encode())
    assert link == below.certificate
    leaf.verify_directly_issued_by(link)


@pytest_twisted.ensureDeferred
async def test_an_authority_that_has_ended_signs_nothing(tmp_path):
    _made, authority = _authority(tmp_path)
    await authority.load()
    later = NOW + 500 * DAY
    assert await authority.fault(pem(request()[0]), NAMES, later) == "the authority's own certificate is not valid now"
    with pytest.raises(SigningFailed, match="valid until"):
        await authority.sign(pem(request()[0]), NAMES, later)


@pytest_twisted.ensureDeferred
async def test_a_broken_renewal_leaves_the_authority_as_it_was(tmp_path):
    made, authority = _authority(tmp_path)
    await authority.load()
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(AuthorityError):
        await authority.load()
    signed = await authority.sign(pem(request()[0]), NAMES, NOW)
    x509.load_pem_x509_certificate(signed.chain.encode()).verify_directly_issued_by(made.certificate)


def test_the_key_itself_as_the_setting(tmp_path):
    made, _ = _authority(tmp_path)
    read = read_authority(str(tmp_path / "ca.pem"), certificates.key_pem(made.key).decode())
    assert read.certificate == made.certificate


def test_an_authority_that_cannot_be_used(tmp_path):
    _authority(tmp_path)
    certificate, key = str(tmp_path / "ca.pem"), str(tmp_path / "ca.key")
    with pytest.raises(AuthorityError, match=r"^pki\.ca_certificate: .*nowhere cannot be read"):
        read_authority(str(tmp_path / "nowhere"), key)
    with pytest.raises(AuthorityError, match=r"^pki\.ca_key cannot be read"):
        read_authority(certificate, str(tmp_path / "nowhere"))
    other = certificates.key_pem(certificates.new_key("ecdsa")).decode()
    with pytest.raises(AuthorityError, match="the key is not that of the certificate") as caught:
        read_authority(certificate, other)
    assert other.splitlines()[1] not in str(caught.value)
    leaf = issue("Leaf", issue("Root"), ca=False)
    with pytest.raises(AuthorityError, match="no authority's"):
        read_authority(*_files(tmp_path, leaf))
    assert leaf.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "Leaf"
