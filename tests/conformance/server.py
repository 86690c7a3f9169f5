"""The endpoint of charge points with an echo in place of OCPP, which is what the Autobahn test suite talks to.

``python -m tests.conformance.server`` prints its port and serves until it is killed.
"""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint

from csms.websocket.limits import Limits
from csms.websocket.protocol import ChargePointProtocol
from csms.websocket.slim import configured
from tests.fakes import state_of
from tests.websocket.server import HOST, Server

MESSAGE_BYTES = 64 * 1024 * 1024
"""The largest messages of the suite have 16 MiB."""


class Echo(ChargePointProtocol):
    """Sends back whatever comes: text by way of the session's transport, and binary too, which OCPP has not."""

    def _bound_messages(self):
        self.maxMessagePayloadSize = self.maxFramePayloadSize = MESSAGE_BYTES

    def onMessageFrameBegin(self, length):
        # The suite sends a message in a million frames.
        self._frames = 0
        super().onMessageFrameBegin(length)

    def onMessage(self, payload, isBinary):
        if self.state != self.STATE_OPEN:
            return
        if isBinary:
            self.sendMessage(payload, True, doNotCompress=True)
            return
        try:
            payload.decode("utf-8")
        except UnicodeDecodeError:
            self.close(1007, "not UTF-8")
        else:
            self.send_text(payload)


class _Anybody(dict):
    """The state of any charge point: one that may come without a subprotocol."""

    def get(self, client_id, default=None):
        return state_of(client_id, allow_no_subprotocol=True)

    def __contains__(self, client_id):
        return True

    def __getitem__(self, client_id):
        return self.get(client_id)


async def _serve():
    server = Server(Limits(message_bytes=MESSAGE_BYTES, frame_bytes=MESSAGE_BYTES, ping_interval_s=600))
    server.ledger.states = _Anybody()
    server.sockets.protocol = configured(Echo, server.sockets)
    port = await TCP4ServerEndpoint(reactor, 0, interface=HOST).listen(server.sockets)
    print(port.getHost().port, flush=True)


if __name__ == "__main__":
    reactor.callWhenRunning(
        lambda: Deferred.fromCoroutine(_serve()).addErrback(lambda failure: (failure.printTraceback(), reactor.stop()))
    )
    reactor.run()
