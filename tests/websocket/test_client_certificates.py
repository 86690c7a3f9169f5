"""Mutual TLS (security profile 3) on real sockets, with certificates of `csms pki`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import pytest_twisted
from msgspec.structs import replace
from OpenSSL import SSL
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from csms import certificates
from csms.certificates import Authority
from csms.websocket.client_certificates import ClientCertificates
from csms.websocket.tls import CertificateError
from tests.fakes import state_of
from tests.websocket.pki import DAY, NOW, ORGANIZATION, pki, revoke, tls_of
from tests.websocket.raw_client import RawClient
from tests.websocket.server import HOST


@implementer(IOpenSSLClientConnectionCreator)
class Client:
    """The charge point's side of TLS, with a certificate of a folder or without one."""

    def __init__(self, place, version=SSL.TLS1_3_VERSION):
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_max_proto_version(version)
        if place is not None:
            self._context.use_certificate_file(f"{place}.pem")
            self._context.use_privatekey_file(f"{place}.key")

    def clientConnectionForTLS(self, protocol):
        return SSL.Connection(self._context, None)


@pytest.fixture
def secured(serve):
    async def secured(tls, organization=ORGANIZATION, now=lambda: datetime.now(UTC)):
        server = await serve(wrap=lambda factory: TLSMemoryBIOFactory(tls, False, factory), door={"profile": 3})
        server.sockets.certificate_shown = ClientCertificates(now, organization).shown
        return server

    return secured


async def come(server, place, client_id="CP1", version=SSL.TLS1_3_VERSION):
    endpoint = wrapClientTLS(Client(place, version), TCP4ClientEndpoint(reactor, HOST, server.number))
    client = await connectProtocol(endpoint, RawClient(reactor))
    server.clients.append(client)
    await client.open(f"/ocpp/{client_id}")
    return client


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest_twisted.ensureDeferred
async def test_the_charge_point_that_it_names(folder, secured, version):
    server = await secured(tls_of(folder))
    client = await come(server, folder / "charger" / "CP1", version=version)
    assert client.status == 101
    assert (await client.ask("1"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_another_charge_point_is_refused_with_one_event_and_one_line(folder, secured, logged):
    server = await secured(tls_of(folder))
    assert (await come(server, folder / "charger" / "CP1", client_id="CP2")).status == 401
    await server.until(lambda: server.ledger.events("CP2") == ["login_refused"])
    [event] = [event for decision in server.ledger.committed for event in decision.events]
    assert event.payload.reason == "wrongCertificate"
    assert len(logged.about("CP2")) == 1


@pytest_twisted.ensureDeferred
async def test_of_another_operator(folder, secured):
    server = await secured(tls_of(folder), organization="Other")
    assert (await come(server, folder / "charger" / "CP1")).status == 401


@pytest_twisted.ensureDeferred
async def test_without_one(folder, secured):
    server = await secured(tls_of(folder))
    client = await come(server, None)
    assert client.status is None
    assert client.lost


@pytest_twisted.ensureDeferred
async def test_where_it_is_only_asked_for_the_door_decides(folder, secured):
    server = await secured(tls_of(folder, demands=False))
    assert (await come(server, None)).status == 401
    assert (await come(server, folder / "charger" / "CP1")).status == 101


@pytest_twisted.ensureDeferred
async def test_of_another_authority(folder, secured, tmp_path):
    pki(tmp_path, "init", "--organization", ORGANIZATION, "--dir", "other")
    pki(tmp_path, "issue", "charger", "CP1", "--dir", "other")
    server = await secured(tls_of(folder))
    assert (await come(server, tmp_path / "other" / "charger" / "CP1")).status is None


@pytest_twisted.ensureDeferred
async def test_a_servers_certificate_is_no_charge_points(folder, secured):
    server = await secured(tls_of(folder))
    place = folder / "server" / "csms.example.org"
    assert (await come(server, place, client_id="csms.example.org")).status is None


@pytest_twisted.ensureDeferred
async def test_one_that_was_revoked_while_the_daemon_ran(folder, secured):
    crl = revoke(folder)
    tls = tls_of(folder, crl=crl)
    server = await secured(tls)
    before = await come(server, folder / "charger" / "CP1")
    assert before.status == 101
    revoke(folder, folder / "charger" / "CP1")
    tls.load()
    assert (await come(server, folder / "charger" / "CP1")).status is None
    # Who is in stays in.
    assert (await before.ask("1"))[0] == 3


async def told(server, client_id, logged):
    """Return the reason of the one event about a charge point, for which there is one line."""
    await server.until(lambda: "login_refused" in server.ledger.events(client_id))
    [event] = [
        event for decision in server.ledger.committed for event in decision.events if event.client_id == client_id
    ]
    [line] = logged.about(client_id)
    assert event.payload.reason in line
    return event.payload.reason


def _revoked(folder):
    return {"crl": revoke(folder, folder / "charger" / "CP1")}


@pytest.mark.parametrize(
    ("members", "why"),
    [
        (_revoked, "revokedCertificate"),
        (lambda folder: {"crl": revoke(folder, ends=NOW - DAY)}, "noRevocationList"),
    ],
)
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest_twisted.ensureDeferred
async def test_what_tls_refuses_is_an_event_and_a_line(folder, secured, logged, members, why, version):
    server = await secured(tls_of(folder, **members(folder)))
    assert (await come(server, folder / "charger" / "CP1", version=version)).status is None
    assert await told(server, "CP1", logged) == why
    assert server.shared.counters.values["refused_handshakes"] == {"tls": 1}


@pytest_twisted.ensureDeferred
async def test_of_another_authority_it_is_told_of_whom_it_says_that_it_is(folder, secured, tmp_path, logged):
    pki(tmp_path, "init", "--organization", ORGANIZATION, "--dir", "other")
    pki(tmp_path, "issue", "charger", "CP1", "--dir", "other")
    server = await secured(tls_of(folder))
    assert (await come(server, tmp_path / "other" / "charger" / "CP1")).status is None
    assert await told(server, "CP1", logged) == "badCertificate"


@pytest_twisted.ensureDeferred
async def test_by_its_serial_number_it_is_told_of_the_charge_point_that_has_it(folder, secured, logged):
    server = await secured(tls_of(folder, **_revoked(folder)))
    state = state_of("DEPOT-7")
    named = replace(state.charge_point, certificate_name="CP1")
    server.ledger.states["DEPOT-7"] = replace(state, charge_point=named, is_new=False)
    assert (await come(server, folder / "charger" / "CP1", client_id="DEPOT-7")).status is None
    assert await told(server, "DEPOT-7", logged) == "revokedCertificate"


@pytest_twisted.ensureDeferred
async def test_where_none_was_shown_the_event_is_of_the_others(folder, secured, logged):
    server = await secured(tls_of(folder))
    await come(server, None)
    await server.until(lambda: server.shared.counters.values["refused_handshakes"] == {"tls": 1})
    [line] = [event for event in logged.events if event.get("status") == "a TLS alert"]
    assert "noCertificate" in line["reason"]
    server.sockets.refusals.flush()
    await server.until(lambda: server.ledger.events(":others") == ["login_refused"])


@pytest_twisted.ensureDeferred
async def test_by_its_serial_number_it_comes_in_as_the_charge_point_that_has_it_and_no_other(folder, secured, logged):
    server = await secured(tls_of(folder))
    state = state_of("DEPOT-7")
    named = replace(state.charge_point, certificate_name="CP1")
    server.ledger.states["DEPOT-7"] = replace(state, charge_point=named)
    place = folder / "charger" / "CP1"
    assert (await come(server, place, client_id="DEPOT-7")).status == 101
    assert (await come(server, place, client_id="CP1")).status == 401
    assert await told(server, "CP1", logged) == "wrongCertificate"


@pytest_twisted.ensureDeferred
async def test_a_list_that_is_out_of_date_lets_nobody_in(folder, secured):
    server = await secured(tls_of(folder, crl=revoke(folder, ends=NOW - DAY)))
    assert (await come(server, folder / "charger" / "CP1")).status is None


@pytest_twisted.ensureDeferred
async def test_one_that_has_ended_is_not_taken_whatever_tls_says(folder, secured, logged):
    server = await secured(tls_of(folder), now=lambda: NOW + 400 * DAY)
    assert (await come(server, folder / "charger" / "CP1")).status == 401
    assert await told(server, "CP1", logged) == "expiredCertificate"


def _ended(folder, authority="pki"):
    """Have the certificate of CP1 be one that has ended."""
    place = folder / "charger" / "CP1"
    if authority == "pki":
        own = certificates.read_authority((folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes())
    else:
        own = certificates.new_authority(
            certificates.name_of("CA", "Other"), certificates.new_key("ecdsa"), NOW, 9 * DAY
        )
    key = certificates.new_key("ecdsa")
    begun = datetime.now(UTC) - 2 * DAY
    issuer = Authority(_ancient(own, begun), own.key)
    made = certificates.issue(
        issuer, certificates.name_of("CP1", ORGANIZATION), key.public_key(), "charger", begun, DAY
    )
    place.with_suffix(".pem").write_bytes(certificates.certificate_pem(made))
    place.with_suffix(".key").write_bytes(certificates.key_pem(key))
    return place


def _ancient(authority, since):
    """Return the certificate of an authority as if it had been made long ago: with its name and key."""
    name = authority.certificate.subject
    return certificates.new_authority(name, authority.key, since - DAY, 9 * DAY).certificate


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest_twisted.ensureDeferred
async def test_one_that_has_ended_comes_in_where_its_charge_point_is_marked_so(folder, secured, logged, version):
    place = _ended(folder)
    server = await secured(tls_of(folder, crl=revoke(folder)))
    assert (await come(server, place, version=version)).status == 401
    assert await told(server, "CP1", logged) == "expiredCertificate"
    state = state_of("CP1", accept_expired_certificate=True, booted=True)
    server.ledger.states["CP1"] = state
    client = await come(server, place, version=version)
    assert client.status == 101
    await server.until(lambda: "connected" in server.ledger.events("CP1"))
    boot = {"chargePointVendor": "Acme", "chargePointModel": "One"}
    assert (await client.ask("boot", "BootNotification", boot))[2]["status"] == "Pending"


@pytest_twisted.ensureDeferred
async def test_one_that_has_ended_and_was_revoked_does_not(folder, secured):
    place = _ended(folder)
    server = await secured(tls_of(folder, crl=revoke(folder, place)))
    server.ledger.states["CP1"] = state_of("CP1", accept_expired_certificate=True)
    assert (await come(server, place)).status is None


@pytest_twisted.ensureDeferred
async def test_one_that_has_ended_and_is_of_another_authority_does_not(folder, secured):
    place = _ended(folder, "another")
    server = await secured(tls_of(folder))
    server.ledger.states["CP1"] = state_of("CP1", accept_expired_certificate=True)
    assert (await come(server, place)).status is None


@pytest.mark.parametrize("content", [b"", b"nonsense", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
def test_a_list_that_cannot_be_used_names_the_setting(folder, content):
    path = folder / "bad.pem"
    path.write_bytes(content)
    with pytest.raises(CertificateError, match=r"^tls\.crl .*bad\.pem cannot be used"):
        tls_of(folder, crl=str(path))
