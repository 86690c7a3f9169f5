"""Direct TLS: versions, the suites of the security profiles, two certificates at once, and certificates that change."""

import pytest
import pytest_twisted
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.logger import LogLevel
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from csms.websocket.tls import CertificateError, ChargePointTls
from tests.websocket.certificates import RSA_KEY, ec_key, write
from tests.websocket.raw_client import RawClient, call, frame
from tests.websocket.server import HOST

V11, V12, V13 = SSL.TLS1_1_VERSION, SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION
SUITES = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", "ecdsa"),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", "ecdsa"),
    ("AES128-GCM-SHA256", "rsa"),
    ("AES256-GCM-SHA384", "rsa"),
]


@implementer(IOpenSSLClientConnectionCreator)
class Client:
    """The client's side of TLS, of one version and one suite."""

    def __init__(self, version, suite="ALL:@SECLEVEL=0"):
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(version)
        self._context.set_max_proto_version(version)
        self._context.set_cipher_list(suite.encode())

    def clientConnectionForTLS(self, protocol):
        return SSL.Connection(self._context, None)


@pytest.fixture
def tls(tmp_path):
    certificates, keys = zip(write(tmp_path, "ecdsa", ec_key()), write(tmp_path, "rsa", RSA_KEY), strict=True)
    tls = ChargePointTls(list(certificates), list(keys))
    tls.load()
    return tls


async def _connect(server, client_id="CP1", version=V13, **arguments):
    endpoint = wrapClientTLS(Client(version, **arguments), TCP4ClientEndpoint(reactor, HOST, server.number))
    client = await connectProtocol(endpoint, RawClient(reactor))
    server.clients.append(client)
    await client.open(f"/ocpp/{client_id}")
    return client


def _name(client):
    return client.transport.getPeerCertificate().to_cryptography().subject.rfc4514_string().removeprefix("CN=")


@pytest.fixture
def secured(serve, tls):
    async def secured(**limits):
        return await serve(wrap=lambda factory: TLSMemoryBIOFactory(tls, False, factory), **limits)

    return secured


@pytest.mark.parametrize(("version", "name"), [(V12, "TLSv1.2"), (V13, "TLSv1.3")])
@pytest_twisted.ensureDeferred
async def test_versions(secured, version, name):
    client = await _connect(await secured(), version=version)
    assert client.status == 101
    assert client.transport.getHandle().get_protocol_version_name() == name
    assert (await client.ask("1"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_an_older_version(secured, logged):
    server = await secured()
    client = await _connect(server, version=V11)
    assert client.status is None
    assert client.lost
    await server.until(lambda: server.sockets.gate._inside == 0)
    assert (await _connect(server)).status == 101
    assert [event for event in logged.events if event["log_level"] >= LogLevel.error] == []
    (told,) = [event for event in logged.events if event.get("address") == HOST]
    assert "unsupported protocol" in told["reason"]


@pytest_twisted.ensureDeferred
async def test_a_client_without_a_certificate_where_one_is_wanted(secured, tls):
    tls.client_ca, tls.demands_certificates = tls.certificates[0], True
    tls.load()
    assert (await _connect(await secured(), version=V12)).lost


@pytest.mark.parametrize(("suite", "name"), SUITES)
@pytest_twisted.ensureDeferred
async def test_the_suites_of_the_profiles(secured, suite, name):
    client = await _connect(await secured(), version=V12, suite=suite)
    assert client.status == 101
    assert client.transport.getHandle().get_cipher_name() == suite
    assert _name(client) == name


@pytest.mark.parametrize("suite", ["AES128-SHA", "ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-SHA256"])
@pytest_twisted.ensureDeferred
async def test_other_suites(secured, suite):
    assert (await _connect(await secured(), version=V12, suite=suite)).lost


@pytest_twisted.ensureDeferred
async def test_reload(secured, tls, tmp_path):
    """New connections get the new certificate, running ones stay; a broken renewal keeps the old."""
    server = await secured()
    running = await _connect(server)
    assert _name(running) == "ecdsa"
    tls.certificates, tls.keys = ([path] for path in write(tmp_path, "renewed", ec_key()))
    tls.load()
    assert _name(await _connect(server, "CP2")) == "renewed"
    assert (await running.ask("1"))[0] == 3
    (tmp_path / "renewed.crt").write_text("-----BEGIN CERTIFICATE-----\nbroken")
    with pytest.raises(CertificateError):
        tls.load()
    assert _name(await _connect(server, "CP3")) == "renewed"
    assert (await running.ask("2"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_silence_ends_at_the_handshake_deadline(secured):
    """One deadline covers TLS and HTTP."""
    server = await secured(handshake_timeout_s=0.1)
    silent, half = await server.client(), await server.client()
    half.send(b"\x16\x03\x01\x02\x00\x01\x00")
    await silent.gone()
    await half.gone()
    await server.until(lambda: server.sockets.gate._inside == 0)
    assert not server.sockets._addresses._connections


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 1000,
        b"\x16\x03\x01\xff\xff" + b"\xff" * 70_000,
        b"\x15\x03\x03\x00\x02\x02\x28",
        b"\x80\x2e\x01\x00\x02" + b"\x00" * 60,
    ],
    ids=["HTTP", "zeros", "an overlong record", "an alert", "SSL 2"],
)
@pytest_twisted.ensureDeferred
async def test_garbage_in_place_of_tls(secured, logged, garbage):
    """It is hung up on, told in one line at most, and holds no place in the gate."""
    server = await secured(handshake_timeout_s=3)
    client = await server.client()
    client.send(garbage)
    await client.gone()
    await server.until(lambda: server.sockets.gate._inside == 0)
    assert [event for event in logged.events if event["log_level"] >= LogLevel.error] == []
    assert len([event for event in logged.events if event.get("address") == HOST]) <= 1
    assert (await _connect(server)).status == 101


@pytest_twisted.ensureDeferred
async def test_garbage_in_the_middle_of_tls(secured, logged):
    server = await secured()
    client = await _connect(server)
    client.transport.transport.write(b"\x17\x03\x03\x00\x20" + b"\xaa" * 32)
    await client.gone()
    await server.until(lambda: server.registry.get("CP1") is None)
    assert [event for event in logged.events if event["log_level"] >= LogLevel.error] == []


@pytest_twisted.ensureDeferred
async def test_connections_per_address(secured, logged):
    server = await secured(connections_per_address=1)
    assert (await _connect(server)).status == 101
    refused = await server.client()
    await refused.gone()
    assert logged.failures == []


@pytest_twisted.ensureDeferred
async def test_pipelined_calls_survive_a_pause(secured):
    """TLS hands over what it has decrypted even while reading is paused."""
    server = await secured(calls_per_second=5000, calls_burst=5)
    client = await _connect(server)
    client.send(b"".join(frame(call(str(number))) for number in range(400)))
    await client.answer("399")
    assert [message[1] for message in client.messages] == [str(number) for number in range(400)]


def _error(certificates, keys, client_ca=None):
    with pytest.raises(CertificateError) as raised:
        ChargePointTls([str(path) for path in certificates], [str(path) for path in keys], client_ca).load()
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_errors_name_the_setting_and_the_file(tmp_path):
    certificate, key = write(tmp_path, "good", ec_key())
    _, other_key = write(tmp_path, "other", ec_key())
    text = tmp_path / "text.pem"
    text.write_text("no PEM at all")
    missing = tmp_path / "missing.pem"
    for broken in (missing, text, tmp_path):
        assert _error([broken], [key]).startswith(f"tls.certificate {broken} cannot be ")
        assert _error([certificate], [broken]).startswith(f"tls.key {broken} cannot be ")
        assert _error([certificate], [key], str(broken)).startswith(f"tls.client_ca {broken} cannot be ")
    assert _error([certificate], [other_key]).startswith(f"tls.key {other_key} cannot be used: ")


def test_an_encrypted_key_does_not_prompt(tmp_path):
    certificate, key = write(tmp_path, "secret", ec_key(), password=b"hidden")
    message = _error([certificate], [key])
    assert message.startswith(f"tls.key {key} cannot be used: ")
    assert "hidden" not in message
