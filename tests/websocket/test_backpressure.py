"""Who does not read what it is sent is paused, and cut; who is being paused is not taken for dead."""

import pytest_twisted

from tests.websocket.raw_client import call, frame

BIG = {"idTag": "T" * 20}


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_is_paused_and_cut(serve, logged):
    server = await serve(congestion_timeout_s=0.2, calls_burst=10**9)
    other = await server.charge_point("OTHER")
    client = await server.charge_point("CP1")
    client.stop_reading()
    # Answers that are longer than their CALLs: an unknown action is told back.
    block = frame(call("1", "A" * 60)) * 1000

    def is_cut():
        if not client.transport._tempDataBuffer:
            client.send(block)
        return server.registry.get("CP1") is None

    await server.until(is_cut)
    assert any("does not read" in line for line in logged.about("CP1"))
    assert (await other.ask("1"))[0] == 3
    client.transport.resumeProducing()
    await client.gone()


@pytest_twisted.ensureDeferred
async def test_one_that_reads_again_in_time_lives(serve):
    server = await serve(congestion_timeout_s=5, calls_burst=10**9)
    client = await server.charge_point("CP1")
    client.stop_reading()
    socket = server.socket_of("CP1")
    sent = 0
    while "congestion" not in socket._holds:
        client.send(b"".join(frame(call(str(sent + number), "A" * 60)) for number in range(1000)))
        sent += 1000
        await server.until(lambda: not client.transport._tempDataBuffer or "congestion" in socket._holds)
    client.transport.resumeProducing()
    assert (await client.ask("last"))[0] == 3
    assert len(client.messages) == sent + 1
    assert socket._cut is None
