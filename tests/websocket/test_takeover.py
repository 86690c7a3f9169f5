"""A charge point that comes again while its old socket stands (ocpp-go#314, core#583)."""

import pytest_twisted

from tests.websocket.raw_client import BINARY, PONG, frame
from tests.websocket.server import run

SOON_S = 0.1


@pytest_twisted.ensureDeferred
async def test_a_half_open_socket_is_displaced(serve):
    server = await serve(takeover_timeout_s=SOON_S)
    old = await server.charge_point()
    old.answers_pings = False
    new = await server.client()
    assert await new.open() == 101
    assert old.pings == [b"alive?"]
    await old.gone()
    assert (await new.ask("1"))[0] == 3
    assert server.ledger.events("CP1") == ["connected", "disconnected", "connected"]
    assert server.sockets.open_sockets == 1
    assert server.sockets._addresses._connections == {"127.0.0.1": 1}


@pytest_twisted.ensureDeferred
async def test_a_socket_that_answers_is_not(serve):
    server = await serve()
    old = await server.charge_point()
    new = await server.client()
    assert await new.open() == 409
    await new.gone()
    assert (await old.ask("1"))[0] == 3
    assert server.ledger.events("CP1") == ["connected", "login_refused"]


@pytest_twisted.ensureDeferred
async def test_any_traffic_is_a_sign_of_life(serve):
    """There are charge points that send messages but no pongs."""
    server = await serve(takeover_timeout_s=SOON_S)
    old = await server.charge_point()
    old.answers_pings = False
    new = await server.client()
    status = run(new.open())
    await old.until(lambda: old.pings)
    assert (await old.ask("1"))[0] == 3
    assert await status == 409
    assert not old.lost


@pytest_twisted.ensureDeferred
async def test_a_socket_that_is_being_closed_is_displaced_at_once(serve):
    server = await serve()
    old = await server.charge_point()
    old.answers_close = False
    old.send(frame(b"", BINARY))
    assert await old.close_code() == 1003
    new = await server.client()
    assert await new.open() == 101
    assert old.pings == []
    # The old one's close event comes late; the new one stays.
    old.hang_up()
    await server.until(lambda: server.sockets.open_sockets == 1)
    assert (await new.ask("1"))[0] == 3
    assert server.registry.get("CP1") is not None


@pytest_twisted.ensureDeferred
async def test_a_pong_that_nobody_asked_for_is_harmless(serve):
    server = await serve()
    client = await server.charge_point()
    client.send(frame(b"hello", PONG))
    assert (await client.ask("1"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_others_notice_nothing(serve):
    server = await serve(takeover_timeout_s=SOON_S)
    other, old = await server.charge_point("OTHER"), await server.charge_point()
    old.answers_pings = False
    assert await (await server.client()).open() == 101
    assert other.pings == []
    assert (await other.ask("1"))[0] == 3
