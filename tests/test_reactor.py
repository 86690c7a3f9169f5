"""The reactor that the daemon brings along, each time in a process of its own: a process has one."""

from __future__ import annotations

import subprocess
import sys

import pytest

_INSTALLED = """
{before}
from csms import reactor as lean
lean.install()
from twisted.internet import reactor
print(type(reactor).__name__)
"""

_FAULTS = """
import socket
from csms import reactor as lean
lean.install()
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogPublisher

class Server(Protocol):
    def dataReceived(self, data):
        if data == b"fault":
            raise RuntimeError("a fault")
        self.transport.write(data)

logged = []
globalLogPublisher.addObserver(lambda event: logged.append(event) if event.get("log_failure") else None)

def ask(port):
    faulty, other = (socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(2))
    faulty.sendall(b"fault")
    left = faulty.recv(10)
    other.sendall(b"hello")
    echoed = other.recv(10)
    other.close()
    reactor.callFromThread(done, left, echoed)

def done(left, echoed):
    print(left, echoed, [str(event["log_failure"].value) for event in logged])
    reactor.stop()

def listening(port):
    reactor.callInThread(ask, port.getHost().port)

serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(Factory.forProtocol(Server)).addCallback(listening)
reactor.run()
"""


def run(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ("", "LeanReactor"),
        ("import csms.tap", "LeanReactor"),
        ("from twisted.internet import pollreactor; pollreactor.install()", "PollReactor"),
    ],
)
def test_it_is_the_reactor_where_no_other_was_asked_for(before: str, kind: str) -> None:
    assert run(_INSTALLED.format(before=before)) == kind


def test_a_connection_whose_handler_fails_is_lost_and_no_other() -> None:
    assert run(_FAULTS) == "b'' b'hello' ['a fault']"
