"""``csms pki``: an authority, what it issues, and who may read it."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from .command import csms

SUBJECT = "O=Example Charging,CN={}"


@pytest.fixture
def authority(tmp_path):
    _out, err, status = csms("pki", "init", "--organization", "Example Charging", cwd=tmp_path)
    assert (err, status) == ([], 0)
    return tmp_path / "pki"


def certificate(path):
    return x509.load_pem_x509_certificate(path.read_bytes())


def key(path):
    return load_pem_private_key(path.read_bytes(), None)


def extended_usage(read):
    return list(read.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)


def run(authority, *arguments):
    out, err, status = csms("pki", *arguments, "--json", cwd=authority.parent)
    assert (err, status) == ([], 0)
    return json.loads(out)


def test_a_server_whose_chain_a_client_verifies(authority):
    shown = run(authority, "issue", "server", "csms", "--host", "csms.example.org", "--host", "192.0.2.7")
    server = certificate(authority / "server" / "csms.pem")
    assert shown["hosts"] == ["csms.example.org", "192.0.2.7"]
    store = Store([certificate(authority / "ca.pem")])
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName("csms.example.org"))
    assert len(verifier.verify(server, [])) == 2
    assert extended_usage(server) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert key(authority / "server" / "csms.key").public_key() == server.public_key()


def test_a_charger_is_named_by_its_identity_and_its_operator(authority):
    run(authority, "issue", "charger", "CP001", "--days", "30")
    charger = certificate(authority / "charger" / "CP001.pem")
    assert charger.subject.rfc4514_string() == SUBJECT.format("CP001")
    assert extended_usage(charger) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert isinstance(charger.public_key().curve, ec.SECP256R1)
    charger.verify_directly_issued_by(certificate(authority / "ca.pem"))
    assert timedelta(days=29) < charger.not_valid_after_utc - datetime.now(UTC) < timedelta(days=31)


def test_rsa_where_it_is_asked_for(authority):
    run(authority, "issue", "server", "old.example.org", "--key", "rsa")
    read = certificate(authority / "server" / "old.example.org.pem")
    assert isinstance(read.public_key(), rsa.RSAPublicKey)
    assert read.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment


def test_keys_are_their_owners_alone(authority):
    run(authority, "issue", "charger", "CP001")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (authority, *authority.rglob("*"))}
    assert modes == {
        "pki": 0o700,
        "server": 0o700,
        "charger": 0o700,
        "ca.pem": 0o644,
        "ca.key": 0o600,
        "CP001.pem": 0o644,
        "CP001.key": 0o600,
    }


def test_a_name_does_not_lead_out_of_the_folder(authority):
    shown = run(authority, "issue", "charger", "../../CP")
    assert shown["file"] == "pki/charger/..%2F..%2FCP.pem"
    assert (authority.parent / shown["file"]).is_file()


@pytest.mark.parametrize(("options", "same"), [((), False), (("--keep-key",), True)])
def test_renewing_one(authority, options, same):
    run(authority, "issue", "charger", "CP001")
    path = authority / "charger" / "CP001.pem"
    before = certificate(path)
    run(authority, "renew", "charger", "CP001", *options)
    after = certificate(path)
    assert after.serial_number != before.serial_number
    assert after.subject == before.subject
    assert (after.public_key() == before.public_key()) is same
    assert key(path.with_suffix(".key")).public_key() == after.public_key()


def test_renewing_what_ends_soon(authority):
    run(authority, "issue", "charger", "CP001", "--days", "10")
    run(authority, "issue", "charger", "CP002", "--days", "90")
    assert [item["name"] for item in run(authority, "list", "--within", "30")["items"]] == ["CP001"]
    assert [item["name"] for item in run(authority, "renew", "--within", "30", "--days", "365")["items"]] == ["CP001"]
    assert run(authority, "list", "--within", "30")["items"] == []


def test_an_authority_that_is_renewed_keeps_what_it_issued(authority):
    run(authority, "issue", "charger", "CP001")
    before = certificate(authority / "ca.pem")
    run(authority, "renew", "ca")
    after = certificate(authority / "ca.pem")
    assert after.serial_number != before.serial_number
    certificate(authority / "charger" / "CP001.pem").verify_directly_issued_by(after)


def test_no_certificate_outlives_its_authority(tmp_path):
    csms("pki", "init", "--organization", "O", "--days", "5", cwd=tmp_path)
    run(tmp_path / "pki", "issue", "charger", "CP001")
    ends = [item["notAfter"] for item in run(tmp_path / "pki", "list")["items"]]
    assert ends[0] == ends[1]


def test_the_list_as_a_table(authority):
    run(authority, "issue", "charger", "CP001")
    out, err, status = csms("pki", "list", cwd=authority.parent)
    assert (err, status) == ([], 0)
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0][:4] == ["use", "name", "organization", "key"]
    assert lines[2][:4] == ["charger", "CP001", "Example Charging", "ECDSA secp256r1"]


@pytest.mark.parametrize(
    ("arguments", "line", "expected"),
    [
        (("init", "--organization", "O"), "csms: pki has an authority: it is not overwritten", 1),
        (
            ("issue", "charger", "CP001"),
            "csms: pki/charger/CP001.pem exists: renew it by csms pki renew charger CP001",
            1,
        ),
        (("issue", "charger", "a:b"), "csms: 'a:b' is no identity: allowed are 1 to 48 characters without :", 1),
        (("renew", "charger", "CP009"), "csms: there is no certificate pki/charger/CP009.pem", 6),
        (("renew",), "csms: say what to renew: ca, server NAME, charger NAME, or --within DAYS", 2),
        (("issue", "server", "x" * 65), f"csms: '{'x' * 65}': allowed are 1 to 64 printable characters", 1),
        (
            ("list", "--dir", "nowhere"),
            "csms: there is no authority in nowhere: make one by csms pki init",
            6,
        ),
    ],
)
def test_a_fault_is_one_line(authority, arguments, line, expected):
    run(authority, "issue", "charger", "CP001")
    before = (authority / "ca.pem").read_bytes()
    assert csms("pki", *arguments, cwd=authority.parent) == ("", [line], expected)
    assert (authority / "ca.pem").read_bytes() == before


def test_a_key_of_another_authority(authority, tmp_path):
    csms("pki", "init", "--organization", "O", "--dir", "other", cwd=tmp_path)
    (authority / "ca.key").write_bytes((tmp_path / "other" / "ca.key").read_bytes())
    assert csms("pki", "issue", "charger", "CP001", cwd=tmp_path) == (
        "",
        ["csms: pki/ca.pem: the key is not that of the certificate"],
        1,
    )
