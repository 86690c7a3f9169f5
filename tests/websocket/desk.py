"""The endpoint without sockets: a string transport for each connection, and a clock that the test moves."""

from __future__ import annotations

import txaio
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from csms.chargepoint.registry import Registry
from csms.passwords.attempts import Attempts
from csms.passwords.passwords import Passwords
from csms.websocket.door import Door
from csms.websocket.factory import ChargePointFactory
from csms.websocket.limits import Limits
from tests.fakes import FakeLedger, shared_of, state_of
from tests.passwords.workers import FakeWorkers
from tests.websocket.raw_client import request, split_frames

PEER = IPv4Address("TCP", "127.0.0.1", 5000)


def door_of(clock, workers=None, **members):
    """Return a door whose passwords are looked at at once."""
    return Door(Passwords(workers or FakeWorkers(), b"key", Attempts(clock.seconds)), **members)


class Wire(StringTransport):
    """A string transport that counts as cut when it was aborted."""

    def __init__(self):
        super().__init__(peerAddress=PEER)
        self.aborted = False

    def abortConnection(self):
        self.aborted = True

    def unregisterProducer(self):
        """As a socket does, whether there is one or not."""
        self.producer = None

    @property
    def frames(self):
        """The frames that were sent, after the handshake's answer."""
        return split_frames(self.value().partition(b"\r\n\r\n")[2])[0]


class Desk:
    """See the module."""

    def __init__(self, protocol=None, *, compresses=True, **limits):
        self.clock = Clock()
        txaio.config.loop = self.clock
        self.ledger = FakeLedger()
        self.shared = shared_of(self.ledger, self.clock)
        self.registry = Registry(self.shared)
        self.factory = ChargePointFactory(
            self.clock,
            self.shared,
            self.registry,
            Limits(**limits),
            door_of(self.clock),
            path="/ocpp/",
            compresses=compresses,
        )
        if protocol is not None:
            self.factory.protocol = protocol

    def connect(self, client_id="CP1", *headers):
        """Return the protocol of a charge point whose socket is open."""
        protocol = self.factory.buildProtocol(PEER)
        protocol.makeConnection(Wire())
        protocol.dataReceived(request(f"/ocpp/{client_id}", "ocpp1.6", *headers))
        self.ledger.commit_all()
        assert protocol.state == protocol.STATE_OPEN
        return protocol


def read(protocol, data):
    """Have a protocol read something, and the turn of the reactor end."""
    protocol.dataReceived(data)
    protocol.factory.clock.advance(0)


class Recorder:
    """Stands in for a session: keeps what it is handed, and wants UTF-8."""

    def __init__(self, protocol):
        self.protocol = protocol
        self.messages = []

    def receive(self, data):
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            self.protocol.close(1007, "not UTF-8")
        else:
            self.messages.append(data)


def recording(protocol=None, **members):
    """Return the protocol of a charge point whose session is a `Recorder`, on a desk of its own."""
    desk = Desk(protocol, **members)
    desk.ledger.states["CP1"] = state_of(booted=True)
    opened = desk.connect()
    opened.session = Recorder(opened)
    return opened
