"""Whose turn it is where more come than can be let in."""

import gc
import socket
import struct
from contextlib import suppress

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.protocols.tls import TLSMemoryBIOFactory

from csms.websocket.newest_first import NewestFirst
from csms.websocket.tls import ChargePointTls
from tests.websocket.certificates import ec_key, write
from tests.websocket.raw_client import request
from tests.websocket.server import HOST, run


@pytest.fixture
def listening():
    with socket.create_server((HOST, 0), backlog=64) as listening:
        listening.setblocking(False)
        yield listening


@pytest.fixture
def come(listening):
    """Let somebody come, and return his side and his address."""
    came = []

    def come():
        came.append(socket.create_connection(listening.getsockname()))
        return came[-1], came[-1].getsockname()

    yield come
    for connection in came:
        connection.close()


def _accepted(newest_first):
    connection, address = newest_first.accept()
    connection.close()
    return address


def _reset(connection):
    """Hang up as who aborts a connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_who_came_last_is_first(listening, come):
    addresses = [come()[1] for _ in range(3)]
    newest_first = NewestFirst(listening)
    assert _accepted(newest_first) == addresses[2]
    assert newest_first.waits
    later = come()[1]
    assert [_accepted(newest_first) for _ in range(3)] == [later, addresses[1], addresses[0]]
    assert not newest_first.waits
    with pytest.raises(BlockingIOError):
        newest_first.accept()


def test_nothing_is_left_of_a_round_that_has_ended(listening):
    """An error that is kept by the frame that it comes from keeps all frames of its round until garbage is collected."""
    newest_first = NewestFirst(listening)
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            with suppress(BlockingIOError):
                newest_first.accept()
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.parametrize("hang_up", [socket.socket.close, _reset], ids=["closed", "aborted"])
def test_who_has_left_gets_no_turn_whatever_he_has_sent(listening, come, hang_up):
    stays = come()[1]
    for _ in range(2):
        leaves, _ = come()
        leaves.sendall(b"hello")
        hang_up(leaves)
    refused = []
    newest_first = NewestFirst(listening, refused.append)
    assert _accepted(newest_first) == stays
    assert refused == ["408", "408"]


def test_where_too_many_wait_the_oldest_is_hung_up_on(listening, come):
    came = [come() for _ in range(3)]
    refused = []
    newest_first = NewestFirst(listening, refused.append, most=2)
    assert _accepted(newest_first) == came[1][1], "the kernel tells of the third when it is asked again"
    assert [_accepted(newest_first) for _ in range(2)] == [came[2][1], came[0][1]]
    came += [come(), come()]
    assert _accepted(newest_first) == came[4][1]
    came += [come(), come()]
    assert _accepted(newest_first) == came[6][1]
    assert refused == ["503"]
    assert came[3][0].recv(1) == b""
    assert _accepted(newest_first) == came[5][1]


def test_without_descriptors_half_of_those_who_wait_are_hung_up_on(come, listening):
    class Exhausted:
        taken = 0

        def accept(self):
            if self.taken == 4:
                raise OSError(24, "too many open files")
            self.taken += 1
            return listening.accept()

    for _ in range(4):
        come()
    refused = []
    newest_first = NewestFirst(Exhausted(), refused.append)
    _accepted(newest_first)
    assert refused == ["503", "503"]


def test_who_waits_is_hung_up_on_when_the_port_closes(listening, come):
    waiting = [come()[0] for _ in range(2)]
    newest_first = NewestFirst(listening)
    _accepted(newest_first)
    newest_first.close()
    assert waiting[0].recv(1) == b""
    assert listening.fileno() == -1


@pytest_twisted.ensureDeferred
async def test_the_gate_lets_in_who_came_last_and_all_in_the_end(serve):
    server = await serve(handshakes=1)
    server.ledger.reads_wait = True
    clients = [await server.client() for _ in range(4)]
    opened = [run(client.open(f"/ocpp/CP{number}")) for number, client in enumerate(clients)]
    order = []
    while len(order) < 4:
        await server.until(lambda: server.ledger.waiting_reads)
        server.ledger.read_one()
        await server.until(lambda: len(server.registry._sessions) > len(order))
        order.append(next(name for name in server.registry._sessions if name not in order))
    assert [await status for status in opened] == [101] * 4
    assert sorted(order[1:], reverse=True) == order[1:]


@pytest_twisted.ensureDeferred
async def test_two_ports_take_turns_however_many_wait_at_one(serve):
    server = await serve(handshakes=2)
    other = await TCP4ServerEndpoint(reactor, 0, interface=HOST).listen(server.sockets)
    server.sockets.gate.guard(other)
    try:
        crowd = [await server.client() for _ in range(20)]
        await server.until(lambda: server.sockets.gate._closed)
        here, server.port = server.port, other
        client = await server.client()
        server.port = here
        opened = run(client.open("/ocpp/CP1"))
        for silent in crowd[:4]:
            silent.hang_up()
            await silent.gone()
        assert await opened == 101, "of four places that became free it had one"
    finally:
        await maybeDeferred(other.stopListening)


@pytest_twisted.ensureDeferred
async def test_nobody_is_left_waiting_where_those_before_him_were_turned_away(serve):
    server = await serve(handshakes=8, connections_per_address=1)
    first = await server.charge_point("CP1")
    clients = [await server.client() for _ in range(40)]
    for client in clients:
        await client.gone()
    assert (await first.ask("1"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_no_tls_is_begun_with_who_has_left(serve, tmp_path):
    certificate, key = write(tmp_path, "ecdsa", ec_key())
    begun = []

    class Tls(ChargePointTls):
        def serverConnectionForTLS(self, protocol):
            begun.append(protocol)
            return super().serverConnectionForTLS(protocol)

    tls = Tls([certificate], [key])
    tls.load()
    server = await serve(wrap=lambda factory: TLSMemoryBIOFactory(tls, False, factory), handshakes=1)
    first = await server.client()
    await server.until(lambda: len(begun) == 1)
    for _ in range(3):
        leaves = await server.client()
        leaves.send(request())
        leaves.hang_up()
        await leaves.gone()
    first.hang_up()
    await server.until(lambda: server.shared.counters.values["refused_handshakes"].get("408") == 3)
    assert len(begun) == 1
