"""The opening handshake on real sockets: who is let in, who is not, and what a refused one is told."""

import pytest
import pytest_twisted
from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint

from tests.fakes import state_of
from tests.websocket.desk import PEER, Desk, Wire
from tests.websocket.raw_client import PATIENCE_S, call, frame, request
from tests.websocket.server import HOST


async def _refused(server, *arguments):
    client = await server.client()
    status = await client.open(*arguments)
    await client.gone()
    return status, client


@pytest.mark.parametrize("offer", ["ocpp1.6", ", ocpp1.6", "ocpp1.6, ocpp1.6", "ocpp9.9, ocpp1.6", "ocpp1.6,,"])
@pytest_twisted.ensureDeferred
async def test_offers(serve, offer):
    client = await (await serve()).client()
    assert await client.open("/ocpp/CP1", offer) == 101
    assert b"\r\nSec-WebSocket-Protocol: ocpp1.6" in client.head
    assert (await client.ask("1"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_an_offer_in_two_headers(serve):
    client = await (await serve()).client()
    assert await client.open("/ocpp/CP1", "ocpp9.9", "Sec-WebSocket-Protocol: ocpp1.6") == 101
    assert b"\r\nSec-WebSocket-Protocol: ocpp1.6" in client.head


@pytest_twisted.ensureDeferred
async def test_an_extension_that_nobody_knows_is_not_taken(serve):
    client = await (await serve()).client()
    assert await client.open("/ocpp/CP1", "ocpp1.6", "Sec-WebSocket-Extensions: x-unknown") == 101
    assert b"Sec-WebSocket-Extensions" not in client.head
    assert (await client.ask("1"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_none_in_common(serve):
    """101 without the header, then close (OCPP-J 1.6 §3.2)."""
    server = await serve()
    client = await server.client()
    client.send(request("/ocpp/CP1", "ocpp9.9") + frame(call("1")))
    assert await client.close_code() == 1002
    assert client.status == 101
    assert b"sec-websocket-protocol" not in client.head.lower()
    await client.gone()
    assert client.messages == []
    assert len(server.registry) == 0
    assert server.ledger.committed == []


@pytest.mark.parametrize("offer", [None, "", ",", " , "])
@pytest_twisted.ensureDeferred
async def test_no_subprotocol(serve, offer):
    server = await serve()
    status, client = await _refused(server, "/ocpp/CP1", offer)
    assert status == 400
    assert b"subprotocol" in client.body
    assert b"ocpp1.6" in client.body
    assert server.shared.counters.values["refused_handshakes"] == {"400": 1}


@pytest_twisted.ensureDeferred
async def test_no_subprotocol_where_the_operator_opted_in(serve):
    server = await serve()
    server.ledger.states["CP1"] = state_of(allow_no_subprotocol=True)
    client = await server.client()
    assert await client.open("/ocpp/CP1", None) == 101
    assert b"sec-websocket-protocol" not in client.head.lower()
    assert (await client.ask("1"))[0] == 3
    assert server.registry.get("CP1").version.name == "1.6"
    assert (await _refused(server, "/ocpp/CP2", None))[0] == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [("/ocpp/", 404), ("/", 404), ("/ocpp/" + "x" * 49, 400), ("/ocpp/a%00", 400), ("/ocpp/a:b", 400)],
)
@pytest_twisted.ensureDeferred
async def test_no_identity(serve, path, status):
    found, client = await _refused(await serve(), path)
    assert found == status
    assert client.body.endswith(b"\n")


@pytest_twisted.ensureDeferred
async def test_identities_that_need_care(serve):
    server = await serve()
    for path, client_id in (("%F0%9F%94%8C", "🔌"), ("a+b%2Fc%23", "a+b/c#"), ("x" * 48, "x" * 48)):
        client = await server.client()
        assert await client.open(f"/ocpp/{path}") == 101
        assert server.registry.get(client_id) is not None


@pytest_twisted.ensureDeferred
async def test_an_unknown_one_where_unknown_ones_are_rejected(serve, logged):
    server = await serve(members={"unknown_chargepoints": "Rejected"})
    assert (await _refused(server, "/ocpp/CP1"))[0] == 404
    assert len(logged.about("CP1")) == 1


@pytest_twisted.ensureDeferred
async def test_503_while_the_ledger_is_away(serve):
    server = await serve()
    server.ledger.available = False
    status, client = await _refused(server, "/ocpp/CP1")
    assert status == 503
    assert b"Retry-After" in client.head
    server.ledger.available = True
    await server.charge_point()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"POST /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"GET /ocpp/CP1 HTTP/1.1\r\nHost: x\r\n\r\n", 426),
        (b"GET /ocpp/CP1 HTTP/1.0\r\nHost: x\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400),
        (b"GET /ocpp/<script>\r\nX HTTP/1.1\r\n\r\n", 400),
        (request()[:-2] + b"X: " + b"y" * 8192, 431),
        (b"y" * 8193, 431),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_no_handshake(serve, sent, status):
    server = await serve()
    client = await server.client()
    client.send(sent)
    await client.gone()
    assert client.status == status
    assert server.sockets.gate._inside == 0


@pytest_twisted.ensureDeferred
async def test_a_header_without_an_end_that_dribbles(serve):
    client = await (await serve()).client()
    client.send(request()[:-2])
    for _ in range(20):
        client.send(b"X: " + b"y" * 500 + b"\r\n")
    await client.gone()
    assert client.status == 431


@pytest_twisted.ensureDeferred
async def test_a_handshake_that_takes_too_long(serve):
    server = await serve(handshake_timeout_s=0.05)
    silent, slow = await server.client(), await server.client()
    slow.send(request()[:40])
    await silent.gone()
    await slow.gone()
    await server.until(lambda: server.sockets.gate._inside == 0)


@pytest_twisted.ensureDeferred
async def test_messages_that_follow_the_request_at_once(serve):
    server = await serve()
    client = await server.client()
    client.send(request() + frame(call("1")) + frame(call("2")))
    assert (await client.answer("2"))[0] == 3
    assert [message[1] for message in client.messages] == ["1", "2"]


@pytest.mark.parametrize("cut", [0, 40])
def test_a_second_request_before_the_first_is_answered(cut):
    """It makes no second session; after the answer it is what it is: no frame."""
    desk = Desk()
    desk.ledger.reads_wait = True
    protocol = desk.factory.buildProtocol(PEER)
    protocol.makeConnection(Wire())
    second = request("/ocpp/TWO")
    protocol.dataReceived(request("/ocpp/ONE") + second[:cut])
    protocol.dataReceived(second[cut:])
    assert len(desk.ledger.waiting_reads) == 1
    desk.ledger.read_one()
    desk.ledger.commit_all()
    assert protocol.transport.value().count(b"HTTP/1.1") == 1
    assert [payload[:2] for _, payload in protocol.transport.frames] == [(1002).to_bytes(2, "big")]
    assert [session.client_id for session in desk.registry] == ["ONE"]


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1", "::ffff:93.184.216.34"])
def test_whoever_comes_from_outside_is_not_let_in_without_a_password(address):
    desk = Desk()
    protocol = desk.factory.buildProtocol(PEER)
    wire = Wire()
    wire.peerAddr = IPv4Address("TCP", address, 5000)
    protocol.makeConnection(wire)
    protocol.dataReceived(request())
    assert wire.value().startswith(b"HTTP/1.1 401 ")
    assert len(desk.registry) == 0
    assert desk.ledger.committed == desk.ledger.events() == []


@pytest.mark.parametrize("start", [b"", b"\r\n\r\n"])
def test_a_flood_before_the_handshake_is_answered(start):
    desk = Desk()
    desk.ledger.reads_wait = True
    protocol = desk.factory.buildProtocol(PEER)
    protocol.makeConnection(Wire())
    protocol.dataReceived(request())
    protocol.dataReceived(start)
    for _ in range(9):
        protocol.dataReceived(b"x" * 1000)
    assert b" 431 " in protocol.transport.value()
    desk.ledger.read_one()
    assert len(desk.registry) == 0
    assert protocol.transport.value().count(b"HTTP/1.1") == 1
    assert desk.shared.counters.values["refused_handshakes"] == {"431": 1}


@pytest_twisted.ensureDeferred
async def test_a_peer_that_gives_up_during_the_handshake(serve):
    server = await serve()
    server.ledger.reads_wait = True
    client = await server.client()
    client.send(request())
    await server.until(lambda: server.ledger.waiting_reads)
    client.hang_up()
    await server.until(lambda: server.sockets.gate._inside == 0)
    server.ledger.reads_wait = False
    server.ledger.read_one()
    await server.until(lambda: len(server.registry) == 0)
    assert server.ledger.events() == []
    await server.charge_point()


class _WellBehaved(WebSocketClientProtocol):
    def onOpen(self):
        self.factory.opened.callback(self)

    def onMessage(self, payload, isBinary):
        self.factory.answered.callback(payload)

    def onClose(self, wasClean, code, reason):
        self.factory.closed.callback((wasClean, code))


@pytest_twisted.ensureDeferred
async def test_an_autobahn_client(serve):
    server = await serve()
    factory = WebSocketClientFactory(f"ws://{HOST}:{server.number}/ocpp/CP1", protocols=["ocpp1.6"], reactor=reactor)
    factory.protocol = _WellBehaved
    factory.opened, factory.answered, factory.closed = Deferred(), Deferred(), Deferred()
    await TCP4ClientEndpoint(reactor, HOST, server.number).connect(factory)
    client = await factory.opened.addTimeout(PATIENCE_S, reactor)
    assert client.websocket_protocol_in_use == "ocpp1.6"
    client.sendMessage(call("1"))
    assert (await factory.answered.addTimeout(PATIENCE_S, reactor)).startswith(b'[3,"1",')
    client.sendClose(1000)
    assert await factory.closed.addTimeout(PATIENCE_S, reactor) == (True, 1000)
    await server.until(lambda: len(server.registry) == 0)
    assert server.ledger.events() == ["connected", "disconnected"]
