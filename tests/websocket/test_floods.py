"""One bad charge point must not starve the others: floods of CALLs, pings, answers and compressed or hostile messages."""

import orjson
import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.websocket.raw_client import PING, PONG, call, frame, request
from tests.websocket.server import run

_RATE, _BURST = 50, 200


@pytest_twisted.ensureDeferred
async def test_a_flood_of_calls_does_not_starve_others(serve):
    """Its budget is all that it gets; what waits in the kernel costs nobody anything."""
    server = await serve(calls_per_second=_RATE, calls_burst=_BURST)
    other = await server.charge_point("OTHER")
    flood = await server.charge_point("FLOOD")
    began = reactor.seconds()
    flood.send(frame(call("f")) * 5000)
    for number in range(100):
        assert (await other.ask(str(number)))[0] == 3
    budget = _BURST + _RATE * (reactor.seconds() - began) + 2
    assert len(flood.messages) <= budget
    assert "rate" in server.socket_of("FLOOD")._holds
    assert flood.closed_with is None


@pytest.mark.parametrize("opcode", [PING, PONG])
@pytest_twisted.ensureDeferred
async def test_a_flood_of_control_frames_is_read_no_faster_than_calls(serve, opcode):
    server = await serve(calls_per_second=_RATE, calls_burst=_BURST)
    other = await server.charge_point("OTHER")
    flood = await server.charge_point("FLOOD")
    began = reactor.seconds()
    flood.send(frame(b"", opcode) * 10_000)
    for number in range(100):
        assert (await other.ask(str(number)))[0] == 3
    budget = _BURST + _RATE * (reactor.seconds() - began) + 2
    assert "rate" in server.socket_of("FLOOD")._holds
    assert flood.pongs <= budget
    assert flood.closed_with is None
    server.socket_of("FLOOD").drop("it would not hear for minutes that the other side has gone")


@pytest_twisted.ensureDeferred
async def test_a_flood_of_pings_without_reading_is_cut(serve):
    server = await serve(congestion_timeout_s=0.2, calls_per_second=1_000_000, calls_burst=1_000_000)
    other = await server.charge_point("OTHER")
    client = await server.charge_point("CP1")
    client.stop_reading()
    block = frame(b"p" * 125, PING) * 1000

    def is_cut():
        if not client.lost and not client.transport._tempDataBuffer:
            client.send(block)
        return server.registry.get("CP1") is None

    await server.until(is_cut)
    assert (await other.ask("1"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_a_flood_of_answers_that_nobody_asked_for(serve, logged):
    """They are counted like CALLs; none is answered, and the connection stays."""
    server = await serve(calls_per_second=1000, calls_burst=100)
    client = await server.charge_point("CP1")
    for kind in (b'[3,"nobody",{}]', b'[4,"nobody","InternalError","",{}]'):
        client.send(frame(kind) * 200)
    assert (await client.ask("after"))[0] == 3
    assert [message[1] for message in client.messages] == ["after"]
    assert server.shared.counters.total("bad_frames") == 400
    assert logged.failures == []


@pytest.mark.parametrize(
    "text",
    [
        call("1", "Authorize", {"idTag": "x" * 10_000}),
        call("x" * 10_240),
        call("1", "A" * 10_240),
        b'[2,"1","Heartbeat",{"a":' + b"9" * 50_000 + b"}]",
        b'[2,"1","Heartbeat",{"a":-0.' + b"1" * 50_000 + b"}]",
        b'[2,"1","Heartbeat",{"a":1e' + b"9" * 50_000 + b"}]",
        b'[2,"1","Heartbeat",' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"]",
        b"[" * 50_000,
        b'[2,"1","Heartbeat",{' + b'"a":1,' * 5_000 + b'"a":1}]',
        b'[2,"1","Heartbeat",{' + b",".join(b'"%d":1' % number for number in range(5_000)) + b"}]",
    ],
    ids=[
        "an id tag of 10 kB", "a message id of 10 kB", "an action of 10 kB", "an integer of 50,000 digits",
        "a fraction of 50,000 digits", "an exponent of 50,000 digits", "10,000 objects deep", "50,000 arrays deep",
        "a member 5,001 times", "5,000 members",
    ],
)  # fmt: skip
@pytest_twisted.ensureDeferred
async def test_large_and_deep_messages_cost_little(text, serve, logged):
    server = await serve()
    client = await server.charge_point()
    began = reactor.seconds()
    for _ in range(10):
        client.text(text)
    assert (await client.ask("after"))[0] == 3
    assert reactor.seconds() - began < 5
    assert all(len(orjson.dumps(message)) < 1000 for message in client.messages), "hostile text is told back at length"
    assert logged.failures == []


IDENTITIES = {
    "a topic": ("+%2F%23", "+/#"),
    "a system topic": ("%24SYS", "$SYS"),
    "a path": ("..%2F..%2Fetc%2Fpasswd", "../../etc/passwd"),
    "SQL": ("'%3B%20DROP%20TABLE%20transactions--", "'; DROP TABLE transactions--"),
    "markup": ("%3Cscript%3Ealert(1)%3C%2Fscript%3E", "<script>alert(1)</script>"),
    "a format": ("%7Bclient_id.__class__%7D%25s", "{client_id.__class__}%s"),
    "bidirectional": ("%E2%80%AEgnp.x", "\u202egnp.x"),
}


@pytest.mark.parametrize(("path", "client_id"), IDENTITIES.values(), ids=IDENTITIES)
@pytest_twisted.ensureDeferred
async def test_an_identity_that_tries_to_be_something_else_is_only_a_name(path, client_id, serve, logged):
    server = await serve()
    client = await server.client()
    assert await client.open(f"/ocpp/{path}") == 101
    assert (await client.ask("1"))[0] == 3
    assert [session.client_id for session in server.registry] == [client_id]
    client.send(frame(b"[9]"))
    assert (await client.ask("2"))[0] == 3
    (line,) = logged.about(client_id)[-1:]
    assert line.startswith(client_id)
    assert all(client_id not in event["log_format"] for event in logged.events)
    assert logged.failures == []


@pytest_twisted.ensureDeferred
async def test_a_flood_of_handshakes_that_never_end(serve):
    """The gate is full of them until their deadline; then whoever is honest comes in."""
    server = await serve(handshakes=4, handshake_timeout_s=1)
    slow = [await server.client() for _ in range(8)]
    for client in slow:
        client.send(request()[:30])
    honest = await server.client()
    assert await run(honest.open("/ocpp/HONEST")) == 101
    assert (await honest.ask("1"))[0] == 3
