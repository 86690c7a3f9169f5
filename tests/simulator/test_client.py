"""Reaching the server: URLs, identities, Basic authentication, TLS; and what is said when it cannot be reached."""

from __future__ import annotations

from base64 import b64encode

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred

from csms.simulator.client import Target, client_id_of, client_url, tls_options
from csms.simulator.uplink import GaveUp

from .certificates import Authority
from .fake_server import Server


@pytest.mark.parametrize(
    ("url", "client_id", "expected"),
    [
        ("ws://h:9000/ocpp/", "CP1", "ws://h:9000/ocpp/CP1"),
        ("ws://h:9000/ocpp", "CP1", "ws://h:9000/ocpp/CP1"),
        ("ws://h/ocpp/{id}", "CP1", "ws://h/ocpp/CP1"),
        ("ws://h/ocpp/", "a/b +ü", "ws://h/ocpp/a%2Fb%20%2B%C3%BC"),
    ],
)
def test_the_identity_in_the_url(url, client_id, expected):
    assert client_url(url, client_id) == expected
    assert client_id_of(expected) == client_id


def test_a_url_without_an_identity():
    assert client_id_of("ws://h/ocpp/") is None
    assert client_id_of("wss://h/ocpp/{id}") is None
    for wrong in ("http://h/ocpp/", "h:9000", "ws:///ocpp/"):
        with pytest.raises(ValueError, match="WebSocket URL"):
            client_id_of(wrong)


def test_a_password_is_not_shown():
    assert "secret" not in repr(Target("ws://h/CP", "CP", "secret"))


def test_tls_options_of_a_file_without_certificates(tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    assert tls_options("ws://h/", None) is None
    with pytest.raises(ValueError):
        tls_options("wss://h/", tmp_path / "ca.pem")


@pytest_twisted.ensureDeferred
async def test_the_identity_arrives_as_it_is(server, make):
    charge_point = make("a/b +ü", url=client_url(server.url, "a/b +ü"))
    charge_point.start()
    await charge_point.when_done()
    assert server.handshakes[0].path == "/ocpp/a%2Fb%20%2B%C3%BC"
    assert server.handshakes[0].protocols == ["ocpp1.6"]


@pytest_twisted.ensureDeferred
async def test_basic_authentication(server, make):
    server.password = "Basic " + b64encode("CP1:sécret".encode()).decode()
    charge_point = make(password="sécret", patience_s=60)
    charge_point.start()
    await charge_point.when_done()
    assert charge_point.sessions[0].settled


@pytest_twisted.ensureDeferred
async def test_a_wrong_password_is_final_for_who_has_no_endless_patience(server, make):
    server.password = "Basic something else"
    charge_point = make(password="wrong", patience_s=60)
    charge_point.start()
    with pytest.raises(GaveUp, match="refused with HTTP 401 who are you"):
        await charge_point.when_done()
    assert (charge_point.state, len(server.handshakes)) == ("failed", 1)


@pytest_twisted.ensureDeferred
async def test_with_endless_patience_it_tries_until_it_is_let_in(server, make):
    server.password = "Basic something else"
    charge_point = make(password="right")
    charge_point.start()
    await server.until(lambda: len(server.handshakes) == 3)
    server.password = server.handshakes[0].headers["authorization"]
    await charge_point.when_done()
    assert charge_point.sessions[0].settled


@pytest_twisted.ensureDeferred
async def test_a_server_that_is_not_there(make):
    charge_point = make(url="ws://127.0.0.1:1/CP1", patience_s=0.01)
    charge_point.start()
    with pytest.raises(GaveUp, match="refused by other side"):
        await charge_point.when_done()


@pytest_twisted.ensureDeferred
async def test_a_server_that_speaks_another_version(server, make):
    server.speaks = set()
    charge_point = make(patience_s=60)
    charge_point.start()
    with pytest.raises(GaveUp, match=r"does not speak ocpp1\.6"):
        await charge_point.when_done()


@pytest.fixture
def authority(tmp_path):
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    return authority


@pytest.fixture
def secure(authority):
    """Start a TLS server whose certificate is for the host name that is given."""
    started = []

    def secure(host, signer=authority):
        server = Server(reactor)
        started.append(server)
        return server, server.listen(signer.server_options(host))

    yield secure
    for server in started:
        pytest_twisted.blockon(maybeDeferred(server.close))


@pytest_twisted.ensureDeferred
async def test_a_session_over_tls(secure, make, tmp_path):
    server, port = secure("localhost")
    url = f"wss://localhost:{port}/ocpp/CP1"
    charge_point = make(url=url, tls=tls_options(url, tmp_path / "ca.pem"), patience_s=60)
    charge_point.start()
    await charge_point.when_done()
    assert charge_point.sessions[0].settled
    assert server.transactions


@pytest_twisted.ensureDeferred
async def test_a_certificate_for_another_host_is_refused(secure, make, tmp_path):
    server, port = secure("csms.example")
    url = f"wss://localhost:{port}/ocpp/CP1"
    charge_point = make(url=url, tls=tls_options(url, tmp_path / "ca.pem"), patience_s=60)
    charge_point.start()
    with pytest.raises(GaveUp, match="certificate is for another host name"):
        await charge_point.when_done()
    assert server.messages == []


@pytest_twisted.ensureDeferred
async def test_a_certificate_of_a_stranger_is_refused(secure, make, tmp_path):
    server, port = secure("localhost", Authority())
    url = f"wss://localhost:{port}/ocpp/CP1"
    charge_point = make(url=url, tls=tls_options(url, tmp_path / "ca.pem"), patience_s=60)
    charge_point.start()
    with pytest.raises(GaveUp, match="TLS: certificate verify failed"):
        await charge_point.when_done()
    assert server.messages == []
