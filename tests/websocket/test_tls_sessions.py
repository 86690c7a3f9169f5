"""Server names, suites and resumed sessions, by handshakes in memory."""

import ssl
from datetime import timedelta

import pytest
from OpenSSL import SSL

from csms.websocket.client_certificates import ClientCertificates, Shown
from csms.websocket.tls import ChargePointTls
from tests.websocket.certificates import RSA_KEY, ec_key, write
from tests.websocket.handshakes import V12, V13, client_context, shake
from tests.websocket.pki import DAY, NOW, ORGANIZATION, pki, revoke, tls_of

ECDSA, RSA = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"


def tls_with(*files):
    tls = ChargePointTls(*map(list, zip(*files, strict=True)))
    tls.load()
    return tls


@pytest.fixture
def named(tmp_path):
    return tls_with(
        write(tmp_path, "default-ecdsa", ec_key(), hosts=["csms.example.org"]),
        write(tmp_path, "default-rsa", RSA_KEY, hosts=["csms.example.org"]),
        write(tmp_path, "other-ecdsa", ec_key(), hosts=["other.example.org", "Shouting.Example.org"]),
        write(tmp_path, "other-rsa", RSA_KEY, hosts=["other.example.org"]),
        write(tmp_path, "any-ecdsa", ec_key(), hosts=["*.example.com"]),
        write(tmp_path, "cn.example.net", ec_key()),
    )


@pytest.mark.parametrize(
    ("server_name", "suite", "shown"),
    [
        (None, ECDSA, "default-ecdsa"),
        (None, RSA, "default-rsa"),
        ("csms.example.org", RSA, "default-rsa"),
        ("unknown.example.org", ECDSA, "default-ecdsa"),
        ("other.example.org", ECDSA, "other-ecdsa"),
        ("other.example.org", RSA, "other-rsa"),
        ("OTHER.example.org", ECDSA, "other-ecdsa"),
        ("shouting.example.org", ECDSA, "other-ecdsa"),
        ("one.example.com", ECDSA, "any-ecdsa"),
        ("two.one.example.com", ECDSA, "default-ecdsa"),
        ("example.com", ECDSA, "default-ecdsa"),
        ("cn.example.net", ECDSA, "cn.example.net"),
    ],
)
def test_the_certificate_for_a_server_name(named, server_name, suite, shown):
    assert shake(named, client_context(V12, suites=suite), server_name=server_name).shown == shown


def test_by_tls_1_3_too(named):
    assert shake(named, client_context(V13), server_name="other.example.org").shown == "other-ecdsa"


def test_a_name_without_a_certificate_of_the_wanted_kind(named):
    with pytest.raises(SSL.Error, match="no shared cipher"):
        shake(named, client_context(V12, suites=RSA), server_name="one.example.com")


def test_the_suites_of_tls_1_3(named):
    assert shake(named, client_context(V13)).client.cipher()[0] in {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"}
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_tls13_ciphersuites(b"TLS_CHACHA20_POLY1305_SHA256")
    client, server = SSL.Connection(context, None), named.serverConnectionForTLS(None)
    client.set_connect_state()
    server.set_accept_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    server.bio_write(client.bio_read(1 << 16))
    with pytest.raises(SSL.Error, match="no shared cipher"):
        server.do_handshake()


@pytest.mark.parametrize("version", [V12, V13])
def test_a_session_is_resumed_until_the_certificates_are_read_again(named, version):
    context = client_context(version)
    first = shake(named, context)
    assert not first.client.session_reused
    second = shake(named, context, session=first.client.session)
    assert second.client.session_reused
    named.load()
    third = shake(named, context, session=second.client.session)
    assert not third.client.session_reused


@pytest.mark.parametrize("version", [V12, V13])
def test_a_session_with_a_client_certificate_still_shows_it(folder, version):
    tls = tls_of(folder)
    context = client_context(version, folder / "charger" / "CP1")
    first = shake(tls, context)
    second = shake(tls, context, session=first.client.session)
    assert second.client.session_reused
    shown = second.server.get_peer_certificate().to_cryptography()
    assert shown == first.server.get_peer_certificate().to_cryptography()
    judge = ClientCertificates(lambda: NOW, ORGANIZATION)
    assert judge.judge(shown) == Shown("CP1")
    assert ClientCertificates(lambda: NOW + 400 * DAY, ORGANIZATION).judge(shown) == Shown("CP1", has_expired=True)
    assert ClientCertificates(lambda: NOW, "Other").judge(shown) == Shown("")


@pytest.mark.parametrize("version", [V12, V13])
def test_a_session_does_not_outlive_the_revocation_of_its_certificate(folder, version):
    place = folder / "charger" / "CP1"
    tls = tls_of(folder, crl=revoke(folder))
    context = client_context(version, place)
    first = shake(tls, context)
    assert shake(tls, context, session=first.client.session).client.session_reused
    revoke(folder, place)
    tls.load()
    with pytest.raises((SSL.Error, ssl.SSLError)):
        shake(tls, context, session=first.client.session)


def test_client_certificates_are_looked_at_under_each_server_name(folder):
    pki(folder.parent, "issue", "server", "other.example.org")
    place = folder / "charger" / "CP1"
    tls = tls_of(folder, crl=revoke(folder))
    other = folder / "server" / "other.example.org"
    tls.certificates, tls.keys = [*tls.certificates, f"{other}.pem"], [*tls.keys, f"{other}.key"]
    tls.load()
    context = client_context(V13, place)
    first = shake(tls, context, server_name="other.example.org")
    assert "other.example.org" in first.shown
    assert shake(tls, context, server_name="other.example.org", session=first.client.session).client.session_reused
    revoke(folder, place)
    tls.load()
    for shown in (place, None):
        with pytest.raises((SSL.Error, ssl.SSLError)):
            shake(tls, client_context(V13, shown), server_name="other.example.org")


def test_a_session_does_not_outlive_the_revocation_list(folder):
    """No handshake looks at it again, so the door does."""
    tls = tls_of(folder, crl=revoke(folder, ends=NOW + DAY))
    shown = shake(tls, client_context(V13, folder / "charger" / "CP1")).server.get_peer_certificate().to_cryptography()
    for later, is_named in ((timedelta(), True), (2 * DAY, False)):
        judge = ClientCertificates(lambda later=later: NOW + later, ORGANIZATION, tls.lists_end)
        assert judge.judge(shown) == Shown("CP1" if is_named else "")


def test_a_session_without_a_certificate_is_no_way_in_where_one_is_demanded(folder):
    tls = tls_of(folder, demands=False)
    context = client_context(V13)
    session = shake(tls, context).client.session
    tls.demands_certificates = True
    tls.load()
    with pytest.raises((SSL.Error, ssl.SSLError)):
        shake(tls, context, session=session)
