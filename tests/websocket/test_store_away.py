"""The ledger cannot be written: no answer, 1013, 503; and all is well again when it can."""

import pytest_twisted

from tests.websocket.server import run

STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


@pytest_twisted.ensureDeferred
async def test_a_message_that_cannot_be_stored(serve, logged):
    server = await serve()
    other, client = await server.charge_point("OTHER"), await server.charge_point("CP1")
    server.ledger.available = False
    assert await client.ask("1", "StatusNotification", STATUS) is None
    assert await client.close_code() == 1013
    assert client.messages == []
    await client.gone()
    # Who only asks for the time is not concerned, and who comes again is told to wait.
    assert (await other.ask("1"))[0] == 3
    again = await server.client()
    assert await again.open() == 503
    await server.until(lambda: server.registry.get("CP1") is None)
    server.ledger.available = True
    # Its end could not be recorded; the next look at the ledger makes up for it.
    assert await run(server.registry.recover("not recorded in time")) == 1
    assert server.ledger.events("CP1") == ["connected", "disconnected"]
    client = await server.charge_point("CP1")
    assert await client.ask("1", "StatusNotification", STATUS) == [3, "1", {}]
