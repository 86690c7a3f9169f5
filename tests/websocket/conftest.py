"""A server for each test that asks for one, closed when the test is over."""

import pytest
import pytest_twisted

from csms.websocket.limits import Limits
from tests.fakes import logged
from tests.websocket.server import Server, run

__all__ = ["logged"]


@pytest.fixture
def serve():
    """Make a server with limits of its own: ``await serve(handshakes=2)``."""
    made = []

    async def serve(*, members=None, door=None, wrap=None, **limits):
        server = await Server(Limits(**limits), members or {}, door or {}, wrap).listen()
        made.append(server)
        return server

    yield serve
    for server in made:
        pytest_twisted.blockon(run(server.close()))
