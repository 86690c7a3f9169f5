"""Who does not read what it is sent is paused, and cut; who is being paused is not taken for dead."""

import socket

import pytest_twisted

from tests.websocket.raw_client import call, frame

_KERNEL_BUFFER_BYTES = 16 * 1024
CLIENT_ID = "CP1"


def stop_reading(server, client):
    """Have a client read no more, and the kernel keep little for it: by default it takes megabytes to fill its buffers."""
    for transport, buffer in (
        (client.transport, socket.SO_RCVBUF),
        (server.socket_of(CLIENT_ID).transport, socket.SO_SNDBUF),
    ):
        transport.getHandle().setsockopt(socket.SOL_SOCKET, buffer, _KERNEL_BUFFER_BYTES)
    client.stop_reading()


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_is_paused_and_cut(serve, logged):
    server = await serve(congestion_timeout_s=0.2, calls_burst=10**9)
    other = await server.charge_point("OTHER")
    client = await server.charge_point(CLIENT_ID)
    stop_reading(server, client)
    # Answers that are longer than their CALLs: an unknown action is told back.
    block = frame(call("1", "A" * 60)) * 1000

    def is_cut():
        if not client.transport._tempDataBuffer:
            client.send(block)
        return server.registry.get(CLIENT_ID) is None

    await server.until(is_cut)
    assert any("does not read" in line for line in logged.about(CLIENT_ID))
    assert (await other.ask("1"))[0] == 3
    client.transport.resumeProducing()
    await client.gone()


@pytest_twisted.ensureDeferred
async def test_one_that_reads_again_in_time_lives(serve):
    server = await serve(congestion_timeout_s=5, calls_burst=10**9)
    client = await server.charge_point(CLIENT_ID)
    stop_reading(server, client)
    held = server.socket_of(CLIENT_ID)
    sent = 0
    while "congestion" not in held._holds:
        client.send(b"".join(frame(call(str(sent + number), "A" * 60)) for number in range(1000)))
        sent += 1000
        await server.until(lambda: not client.transport._tempDataBuffer or "congestion" in held._holds)
    client.transport.resumeProducing()
    assert (await client.ask("last"))[0] == 3
    assert len(client.messages) == sent + 1
    assert held._cut is None
