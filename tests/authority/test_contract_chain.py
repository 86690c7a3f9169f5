"""Contract certificates against installed roots (OCPP 2.x C07)."""

from __future__ import annotations

from base64 import encodebytes
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.authority.contract_chain import Roots, verify
from csms.handlers.contracts import Contract, OcspData
from tests.certificates import Issued, issue, ocsp_data

NOW = datetime.now(UTC)
EMAID = "DE8AAC12345678"
LONG_AGO, YESTERDAY, TOMORROW = NOW - timedelta(days=9), NOW - timedelta(days=1), NOW + timedelta(days=1)


@cache
def standard() -> tuple[Issued, Issued, Issued, Issued]:
    """A root, two authorities below it, and a contract."""
    root = issue("MO Root")
    first = issue("MO Sub-CA 1", root, path_length=1)
    second = issue("MO Sub-CA 2", first, path_length=0)
    return root, first, second, issue(EMAID, second, ca=False)


def roots_of(*issued: Issued) -> Roots:
    return Roots.of(one.certificate for one in issued)


def data_of(issued: Issued, algorithm: str = "SHA256", **changes: str) -> OcspData:
    wire = ocsp_data(issued, algorithm)
    names = {
        "hashAlgorithm": "hash_algorithm",
        "issuerNameHash": "issuer_name_hash",
        "issuerKeyHash": "issuer_key_hash",
        "serialNumber": "serial_number",
        "responderURL": "responder_url",
    }
    return OcspData(**{**{names[name]: value for name, value in wire.items()}, **changes})


def verdict(
    *chain: Issued, roots: Roots | None = None, emaid: str = EMAID, now: datetime = NOW, data: tuple[OcspData, ...] = ()
) -> str:
    chosen = roots if roots is not None else roots_of(standard()[0])
    return verify(Contract(emaid, "".join(one.pem for one in chain), data), chosen, now).status


def test_a_chain_without_its_root() -> None:
    _root, first, second, leaf = standard()
    assert verdict(leaf, second, first) == "Accepted"


def test_the_order_of_the_authorities_does_not_matter_and_the_root_may_come_with_them() -> None:
    root, first, second, leaf = standard()
    assert verdict(leaf, first, second) == verdict(leaf, second, first, root) == "Accepted"


def test_authorities_that_are_installed_need_not_come() -> None:
    root, first, second, leaf = standard()
    assert verdict(leaf, roots=roots_of(root, first, second)) == "Accepted"
    assert verdict(leaf) == "CertChainError"


def test_an_authority_that_is_installed_is_no_root() -> None:
    _root, first, second, leaf = standard()
    assert verdict(leaf, second, roots=roots_of(first)) == "CertChainError"


def test_another_root_of_the_same_name() -> None:
    _root, first, second, leaf = standard()
    assert verdict(leaf, second, first, roots=roots_of(issue("MO Root"))) == "CertChainError"
    assert verdict(leaf, second, first, roots=Roots([])) == "CertChainError"


@pytest.mark.parametrize(
    ("name", "emaid", "status"),
    [
        ("DE-8AA-C12345678", EMAID, "Accepted"),
        (EMAID, "de-8aa-c12345678", "Accepted"),
        ("DE8AAC123456783", EMAID, "Accepted"),
        (EMAID, "DE8AAC123456783", "Accepted"),
        (EMAID, "DE8AAC12345679", "CertChainError"),
        ("DE8AAC123456783", "DE8AAC123456784", "CertChainError"),
        (EMAID, "", "CertChainError"),
        ("DE8AAC1", "DE8AAC", "CertChainError"),
    ],
)
def test_the_emaid_is_the_certificates(name: str, emaid: str, status: str) -> None:
    """With or without separators and check digit."""
    _root, first, second, _leaf = standard()
    assert verdict(issue(name, second, ca=False), second, first, emaid=emaid) == status


@pytest.mark.parametrize(
    ("now", "status"), [(TOMORROW + timedelta(hours=1), "CertificateExpired"), (LONG_AGO, "CertChainError")]
)
def test_every_certificate_has_its_time(now: datetime, status: str) -> None:
    _root, first, second, leaf = standard()
    assert verdict(leaf, second, first, now=now) == status


def test_an_authority_or_a_root_that_has_expired() -> None:
    root = issue("Root", begins=LONG_AGO, ends=YESTERDAY)
    assert verdict(issue(EMAID, root, ca=False), roots=roots_of(root)) == "CertificateExpired"
    root = issue("Root")
    old = issue("Sub", root, begins=LONG_AGO, ends=YESTERDAY)
    assert verdict(issue(EMAID, old, ca=False), old, roots=roots_of(root)) == "CertificateExpired"


def test_what_is_forged_is_not_merely_expired() -> None:
    root, first, second, _leaf = standard()
    forged = issue(EMAID, second, ca=False, begins=LONG_AGO, ends=YESTERDAY, signed_by=issue("x").key)
    assert verdict(forged, second, first, roots=roots_of(root)) == "CertChainError"


@pytest.mark.parametrize(
    ("authority", "leaf"),
    [
        ({"ca": False}, {}),
        ({"key_cert_sign": False}, {}),
        ({"extension": x509.NameConstraints([x509.DNSName("a.example")], None)}, {}),
        ({}, {"ca": True}),
        ({}, {"extension": x509.InhibitAnyPolicy(0)}),
        ({}, {"algorithm": hashes.SHA224()}),
    ],
    ids=["no authority", "may not sign", "constraint", "the contract's is an authority", "unknown demand", "weak hash"],
)
def test_what_a_certificate_may_not_do(authority: dict[str, object], leaf: dict[str, object]) -> None:
    root = issue("Root")
    between = issue("Sub", root, **authority)  # type: ignore[arg-type]
    assert verdict(issue(EMAID, between, **{"ca": False, **leaf}), between, roots=roots_of(root)) == "CertChainError"  # type: ignore[arg-type]


def test_an_authority_may_have_only_so_many_below_it() -> None:
    root = issue("Root", path_length=0)
    between = issue("Sub", root)
    assert verdict(issue(EMAID, root, ca=False), roots=roots_of(root)) == "Accepted"
    assert verdict(issue(EMAID, between, ca=False), between, roots=roots_of(root)) == "CertChainError"


def test_a_long_chain() -> None:
    root = last = issue("Root")
    chain = [last := issue(f"Sub {number}", last) for number in range(6)]
    assert verdict(issue(EMAID, chain[4], ca=False), *chain[:5], roots=roots_of(root)) == "Accepted"
    assert verdict(issue(EMAID, last, ca=False), *chain, roots=roots_of(root)) == "CertChainError"


class TestOcspData:
    @pytest.mark.parametrize("algorithm", ["SHA256", "SHA384", "SHA512"])
    def test_they_are_of_the_chain(self, algorithm: str) -> None:
        _root, first, second, leaf = standard()
        data = tuple(data_of(one, algorithm) for one in (leaf, second, first))
        assert verdict(leaf, second, first, data=data) == "Accepted"

    @pytest.mark.parametrize(
        "changes",
        [
            {"serial_number": "1"},
            {"issuer_name_hash": "00"},
            {"issuer_key_hash": "00"},
            {"hash_algorithm": "SHA1"},
            {"hash_algorithm": "SHA384"},
        ],
    )
    def test_or_not(self, changes: dict[str, str]) -> None:
        _root, first, second, leaf = standard()
        assert verdict(leaf, second, first, data=(data_of(leaf, **changes),)) == "CertChainError"

    def test_alone_their_issuer_has_to_be_installed(self) -> None:
        root, first, second, leaf = standard()
        data = data_of(leaf), data_of(second), data_of(first)
        shouted = data_of(first, issuer_key_hash=data_of(first).issuer_key_hash.upper())
        for roots, hashes_, status in (
            (roots_of(root), data, "Accepted"),
            (roots_of(root), (shouted,), "Accepted"),
            (roots_of(root), data[:2], "CertChainError"),
            (roots_of(root, second), data[:1], "Accepted"),
            (roots_of(issue("MO Root")), data, "CertChainError"),
            (roots_of(root), data * 2, "CertChainError"),
            (roots_of(root), (data_of(first, hash_algorithm="MD5"),), "CertChainError"),
        ):
            assert verify(Contract(EMAID, None, hashes_), roots, NOW).status == status


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----", "é", "x" * 20_000])
def test_what_is_no_chain(text: str) -> None:
    assert verify(Contract(EMAID, text), roots_of(standard()[0]), NOW).status == "CertChainError"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_chain_with_a_fault_is_never_accepted_and_never_raises(data: st.DataObject) -> None:
    """One byte of the contract certificate is another one, but for how many bits of the signature's last one are not used.

    That is not signed, and the signature is the same.
    """
    root, first, second, leaf = standard()
    der = leaf.certificate.public_bytes(Encoding.DER)
    unused_bits = len(der) - len(leaf.certificate.signature) - 1
    at = data.draw(st.integers(0, len(der) - 1).filter(lambda at: at != unused_bits))
    bad = bytes((*der[:at], der[at] ^ data.draw(st.integers(1, 255)), *der[at + 1 :]))
    pem = as_pem(bad) + second.pem + first.pem
    assert verify(Contract(EMAID, pem), roots_of(root), NOW).status == "CertChainError"


def as_pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{encodebytes(der).decode()}-----END CERTIFICATE-----\n"
