"""The endpoint on a real loopback socket, over a ledger in memory that commits by itself."""

from __future__ import annotations

import txaio
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.task import deferLater

from csms.chargepoint.registry import Registry
from csms.websocket.door import Door
from csms.websocket.factory import ChargePointFactory
from csms.websocket.limits import Limits
from tests.fakes import FakeLedger, shared_of
from tests.websocket.desk import door_of
from tests.websocket.raw_client import PATIENCE_S, RawClient

HOST = "127.0.0.1"
_LOOK_EVERY_S = 0.005


@define(eq=False)
class Server:
    """See the module."""

    limits: Limits = field(factory=Limits)
    members: dict = field(factory=dict)
    door_members: dict = field(factory=dict)
    wrap: object = None
    ledger: FakeLedger = field(factory=lambda: FakeLedger(reactor.callLater))
    clients: list = field(factory=list)
    shared: object = None
    door: Door = None
    registry: Registry = None
    sockets: ChargePointFactory = None
    port: object = None

    def __attrs_post_init__(self):
        txaio.config.loop = reactor
        self.shared = shared_of(self.ledger, reactor, **self.members)
        self.registry = Registry(self.shared)
        self.door = door_of(reactor, **self.door_members)
        self.sockets = ChargePointFactory(reactor, self.shared, self.registry, self.limits, self.door, path="/ocpp/")

    async def listen(self):
        factory = self.wrap(self.sockets) if self.wrap is not None else self.sockets
        self.port = await TCP4ServerEndpoint(reactor, 0, interface=HOST).listen(factory)
        self.sockets.gate.guard(self.port)
        return self

    @property
    def number(self):
        return self.port.getHost().port

    async def client(self):
        """Return a connection on which nothing was sent."""
        client = await connectProtocol(TCP4ClientEndpoint(reactor, HOST, self.number), RawClient(reactor))
        self.clients.append(client)
        return client

    async def charge_point(self, client_id="CP1"):
        """Return an open WebSocket whose `connected` is committed."""
        client = await self.client()
        assert await client.open(f"/ocpp/{client_id}") == 101, client.head
        await self.until(lambda: "connected" in self.ledger.events(client_id))
        return client

    async def booted(self, client_id="CP1"):
        """Return a charge point that was answered Accepted."""
        client = await self.charge_point(client_id)
        boot = {"chargePointVendor": "Acme", "chargePointModel": "One"}
        assert (await client.ask("boot", "BootNotification", boot))[2]["status"] == "Accepted"
        return client

    def socket_of(self, client_id="CP1"):
        """Return the daemon's side of a charge point's socket."""
        session = self.registry.get(client_id)
        return session.transport if session is not None else None

    async def until(self, condition):
        """Wait until something holds about the daemon's side, where no client can tell."""
        deadline = reactor.seconds() + PATIENCE_S
        while not condition():
            assert reactor.seconds() < deadline, "waited in vain"
            await deferLater(reactor, _LOOK_EVERY_S)

    async def close(self):
        for client in self.clients:
            client.hang_up()
        await maybeDeferred(self.port.stopListening)
        self.ledger.available = True
        await self.until(lambda: not self.sockets.open_sockets and not self.ledger.pending)


def run(coroutine):
    """Return the Deferred of a coroutine."""
    return Deferred.fromCoroutine(coroutine)
