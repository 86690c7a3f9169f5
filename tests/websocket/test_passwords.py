"""Passwords on real sockets, plain and TLS: who is let in, what a refused one hears, and who takes whose place."""

from base64 import b64encode

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.protocols.tls import TLSMemoryBIOFactory

from csms.passwords.hashing import make
from csms.passwords.secret import checked
from csms.websocket.client_certificates import Shown
from csms.websocket.tls import ChargePointTls
from tests.fakes import password_of, state_of
from tests.passwords.workers import FakeWorkers
from tests.websocket.certificates import ec_key, write
from tests.websocket.desk import PEER, Desk, Wire
from tests.websocket.raw_client import RawClient, request
from tests.websocket.server import HOST, run
from tests.websocket.test_tls import V13, Client

KEY = "0001020304050607FFFFFFFFCCCCCCCCCCCCCCCC"
STORED = make(checked(KEY))
GUESS = "guess guess guess"


def header(user, password):
    if isinstance(password, str):
        password = password.encode()
    return f"Authorization: Basic {b64encode(user.encode() + b':' + password).decode()}"


def secure(ledger, client_id="CP1", stored=STORED, **members):
    """Let the ledger know a charge point with a password."""
    ledger.states[client_id] = state_of(client_id, **members)
    ledger.put_password(password_of(client_id, stored))


async def _come(server, password=None, client_id="CP1", tls=None):
    """Come as a charge point; return the connection, open or refused."""
    endpoint = TCP4ClientEndpoint(reactor, HOST, server.number)
    if tls is not None:
        endpoint = wrapClientTLS(tls, endpoint)
    client = await connectProtocol(endpoint, RawClient(reactor))
    server.clients.append(client)
    await client.open(f"/ocpp/{client_id}", "ocpp1.6", *([header(client_id, password)] if password is not None else []))
    if client.status != 101:
        await client.gone()
    return client


@pytest.fixture
def secured(serve, tmp_path):
    """A server behind TLS."""
    certificate, key = write(tmp_path, "ecdsa", ec_key())
    tls = ChargePointTls([certificate], [key])
    tls.load()

    async def secured(**arguments):
        return await serve(wrap=lambda factory: TLSMemoryBIOFactory(tls, False, factory), **arguments)

    return secured


@pytest.mark.parametrize("password", [KEY, KEY.lower(), bytes.fromhex(KEY)], ids=["digits", "lower", "bytes"])
@pytest_twisted.ensureDeferred
async def test_a_charge_point_with_its_password(serve, password):
    server = await serve()
    secure(server.ledger)
    client = await _come(server, password)
    assert client.status == 101
    assert (await client.ask("1"))[0] == 3
    assert server.ledger.events("CP1") == ["connected"]


@pytest.mark.parametrize("password", [None, GUESS, "", KEY + "00"])
@pytest_twisted.ensureDeferred
async def test_one_without_it(serve, logged, password):
    server = await serve()
    secure(server.ledger)
    client = await _come(server, password)
    assert client.status == 401
    assert b'WWW-Authenticate: Basic realm="csms"' in client.head
    assert client.body.endswith(b"\n")
    await server.until(lambda: server.ledger.events("CP1") == ["login_refused"])
    (line,) = logged.about("CP1")
    assert "401" in line
    assert server.shared.counters.values["refused_handshakes"] == {"401": 1}
    assert len(server.registry) == 0


@pytest_twisted.ensureDeferred
async def test_no_secret_is_in_the_log_or_an_event(serve, logged):
    server = await serve()
    secure(server.ledger)
    await _come(server, GUESS)
    client = await _come(server, KEY)
    await client.ask("1")
    told = repr(logged.events) + repr(server.ledger.committed) + repr(vars(server.socket_of()))
    for secret in (GUESS, KEY, bytes.fromhex(KEY), header("CP1", KEY)[-20:], header("CP1", GUESS)[-20:], STORED):
        assert str(secret) not in told


@pytest_twisted.ensureDeferred
async def test_one_without_a_password_is_let_in_as_ever(serve):
    server = await serve()
    for number, password in enumerate((None, GUESS, "")):
        client = await _come(server, password, f"CP{number}")
        assert client.status == 101
        assert (await client.ask("1"))[0] == 3
    assert server.door.passwords._workers.ran == 0


@pytest_twisted.ensureDeferred
async def test_profile_1_wants_a_password_of_everybody(serve):
    server = await serve(door={"profile": 1})
    secure(server.ledger)
    server.ledger.states["CP2"] = state_of("CP2")
    heard = {}
    for client_id in ("CP1", "CP2", "UNKNOWN"):
        for password in (None, GUESS):
            client = await _come(server, password, client_id)
            heard.setdefault(password, set()).add((client.status, client.head, client.body))
    assert [len(answers) for answers in heard.values()] == [1, 1]
    assert (await _come(server, KEY)).status == 101


@pytest.mark.parametrize("own", [False, True])
@pytest_twisted.ensureDeferred
async def test_profile_2_wants_tls(serve, secured, own):
    members = {"security_profile": 2} if own else {}
    door = {} if own else {"profile": 2}
    plain, tls = await serve(door=door), await secured(door=door)
    for server in (plain, tls):
        secure(server.ledger, **members)
    client = await _come(plain, KEY)
    assert (client.status, client.body) == (403, b"charge points connect by TLS here\n")
    await plain.until(lambda: plain.ledger.events("CP1") == ["login_refused"])
    assert (await _come(tls, GUESS, tls=Client(V13))).status == 401
    assert (await _come(tls, tls=Client(V13))).status == 401
    client = await _come(tls, KEY, tls=Client(V13))
    assert client.status == 101
    assert (await client.ask("1"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_profile_3_has_its_hook(secured):
    server = await secured(door={"profile": 3})
    asked = []
    server.sockets.certificate_shown = lambda transport: asked.append(transport) or Shown("CP2")
    assert (await _come(server, tls=Client(V13))).status == 401
    assert (await _come(server, client_id="CP2", tls=Client(V13))).status == 101
    assert hasattr(asked[0], "getPeerCertificate")


@pytest_twisted.ensureDeferred
async def test_the_true_charge_point_takes_the_place_of_its_old_socket_at_once(serve):
    server = await serve(takeover_timeout_s=60)
    secure(server.ledger)
    old = await _come(server, KEY)
    await old.ask("1")
    new = await _come(server, KEY)
    assert new.status == 101
    assert await old.close_code() == 1008
    assert old.pings == []
    assert (await new.ask("2"))[0] == 3
    assert server.ledger.events("CP1") == ["connected", "disconnected", "connected"]
    assert server.sockets.open_sockets == 1


@pytest_twisted.ensureDeferred
async def test_nobody_else_does_and_nobody_notices(serve):
    server = await serve(takeover_timeout_s=60)
    secure(server.ledger)
    old = await _come(server, KEY)
    for password in (None, GUESS, ""):
        assert (await _come(server, password)).status == 401
    assert old.pings == []
    assert (await old.ask("1"))[0] == 3
    assert not server.registry._arriving


@pytest_twisted.ensureDeferred
async def test_while_a_guess_is_looked_at_the_true_charge_point_comes_in(serve):
    server = await serve()
    secure(server.ledger)
    workers = server.door.passwords._workers = FakeWorkers(waits=True)
    guessing = run(_come(server, GUESS))
    await server.until(lambda: len(workers.waiting) == 1)
    true = run(_come(server, KEY))
    await server.until(lambda: len(workers.waiting) == 2)
    workers.waiting.rotate()
    workers.run_one()
    true = await true
    assert true.status == 101
    workers.run_one()
    assert (await guessing).status == 401
    assert (await true.ask("1"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_too_many_wrong_ones(serve):
    server = await serve()
    secure(server.ledger)
    secure(server.ledger, "CP2")
    for _ in range(3):
        assert (await _come(server, GUESS)).status == 401
    client = await _come(server, KEY)
    assert client.status == 429
    assert b"Retry-After: 2" in client.head
    assert b"WWW-Authenticate" not in client.head
    assert (await _come(server, KEY, "CP2")).status == 101


@pytest_twisted.ensureDeferred
async def test_503_where_too_many_wait(serve):
    server = await serve()
    secure(server.ledger)
    server.door.passwords._workers.full = True
    client = await _come(server, KEY)
    assert client.status == 503
    assert b"Retry-After: 10" in client.head
    server.door.passwords._workers.full = False
    assert (await _come(server, KEY)).status == 101


@pytest_twisted.ensureDeferred
async def test_whoever_comes_with_a_new_password_is_told_of_when_he_is_in(serve):
    server = await serve()
    renewed = []
    server.door.on_renewed = lambda client_id, stored: renewed.append(
        (client_id, stored, server.registry.get(client_id))
    )
    secure(server.ledger)
    new = make(b"another one", STORED)
    server.ledger.put_password(password_of("CP1", STORED, new))
    assert (await _come(server, KEY)).status == 101
    assert renewed == []
    assert (await _come(server, "another one")).status == 101
    assert renewed == [("CP1", new, server.registry.get("CP1"))]


def test_one_who_gives_up_while_his_password_is_looked_at_displaces_nobody():
    desk = Desk()
    secure(desk.ledger)
    workers = desk.factory.door.passwords._workers = FakeWorkers()
    opening = request("/ocpp/CP1", "ocpp1.6", header("CP1", KEY))
    old = desk.factory.buildProtocol(PEER)
    old.makeConnection(Wire())
    old.dataReceived(opening)
    desk.ledger.commit_all()
    desk.factory.door.passwords._verified.clear()
    workers.waits = True
    new = desk.factory.buildProtocol(PEER)
    new.makeConnection(Wire())
    new.dataReceived(opening)
    new.connectionLost()
    workers.run_one()
    desk.ledger.commit_all()
    assert desk.registry.get("CP1") is old.session
    assert old.state == old.STATE_OPEN
    assert desk.factory.gate._inside == 0


def test_nothing_of_a_password_stays_on_an_open_socket():
    desk = Desk()
    secure(desk.ledger)
    protocol, plain = desk.factory.buildProtocol(PEER), desk.connect("CP2")
    protocol.makeConnection(Wire())
    protocol.dataReceived(request("/ocpp/CP1", "ocpp1.6", header("CP1", KEY)))
    desk.ledger.commit_all()
    assert protocol.state == protocol.STATE_OPEN
    assert vars(protocol).keys() == vars(plain).keys()


@pytest_twisted.ensureDeferred
async def test_one_who_gives_up_while_his_state_is_read_leaves_nothing(serve):
    server = await serve()
    secure(server.ledger)
    server.ledger.reads_wait = True
    client = await server.client()
    client.send(request("/ocpp/CP1", "ocpp1.6", header("CP1", KEY)))
    await server.until(lambda: server.ledger.waiting_reads)
    server.ledger.read_one()
    await server.until(lambda: server.ledger.waiting_reads)
    client.hang_up()
    await server.until(lambda: server.sockets.gate._inside == 0)
    server.ledger.reads_wait = False
    server.ledger.read_one()
    await server.until(lambda: len(server.registry) == 0)
    assert server.ledger.events() == []
    assert (await _come(server, KEY)).status == 101
