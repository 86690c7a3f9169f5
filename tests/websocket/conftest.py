"""A server and an authority for each test that asks for one."""

import shutil

import pytest
import pytest_twisted

from csms.websocket.limits import Limits
from tests.fakes import logged
from tests.websocket.pki import ORGANIZATION, pki
from tests.websocket.server import Server, run

__all__ = ["logged"]


@pytest.fixture
def serve():
    """Make a server with limits of its own, closed when the test is over: ``await serve(handshakes=2)``."""
    made = []

    async def serve(*, members=None, door=None, wrap=None, **limits):
        server = await Server(Limits(**limits), members or {}, door or {}, wrap).listen()
        made.append(server)
        return server

    yield serve
    for server in made:
        pytest_twisted.blockon(run(server.close()))


@pytest.fixture(scope="session")
def issued(tmp_path_factory):
    place = tmp_path_factory.mktemp("issued")
    pki(place, "init", "--organization", ORGANIZATION)
    pki(place, "issue", "server", "csms.example.org")
    pki(place, "issue", "charger", "CP1")
    return place / "pki"


@pytest.fixture
def folder(issued, tmp_path):
    """Return the folder of an authority with the certificates of a server and of CP1: a copy, as they take long to make."""
    return shutil.copytree(issued, tmp_path / "pki")
