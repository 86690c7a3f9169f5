"""A tiny OCPP server of all versions for the simulator's tests: it remembers what it was sent, and misbehaves on request."""

from __future__ import annotations

import json
from urllib.parse import unquote

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from autobahn.websocket.types import ConnectionDeny
from twisted.internet.defer import Deferred

from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import SUPPORTED, V16, V21, V201, choose

SCHEMAS_OF = {version: schemas_of(version) for version in SUPPORTED}
SCHEMAS = SCHEMAS_OF[V16]
NOW = "2026-01-01T00:00:00Z"


class Message:
    def __init__(self, socket, client_id, message_id, action, payload):
        self.socket, self.client_id = socket, client_id
        self.message_id, self.action, self.payload = message_id, action, payload


class Server:
    """`misbehave` maps an action to a list of what happens instead of an answer, used up one by one:

    "close" drops the socket before, "lose" does so after taking the message in, "silence" never answers, a dict is the
    answer, a string the code of a CALLERROR, None a regular answer.
    """

    def __init__(self, reactor):
        self.reactor = reactor
        self.sockets = {}
        self.messages = []
        self.handshakes = []
        self.answers = []
        self.misbehave = {}
        self.password = None
        self.speaks = {V16, V201, V21}
        self.transactions = {}
        self._expected = []
        self._port = None

    @property
    def url(self):
        return f"ws://127.0.0.1:{self._port.getHost().port}/ocpp/"

    def listen(self, tls=None):
        factory = WebSocketServerFactory(reactor=self.reactor)
        factory.protocol = Protocol
        factory.server = self
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=1)
        factory.noisy = False
        if tls is None:
            self._port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        else:
            self._port = self.reactor.listenSSL(0, factory, tls, interface="127.0.0.1")
        return self._port.getHost().port

    def connections(self, client_id):
        """Return how many connections there were."""
        return sum(unquote(request.path).endswith(f"/{client_id}") for request in self.handshakes)

    def close(self):
        for socket in list(self.sockets.values()):
            socket.dropConnection(abort=True)
        return self._port.stopListening()

    def sent(self, action, client_id=None):
        return [m for m in self.messages if m.action == action and client_id in (None, m.client_id)]

    def until(self, condition):
        """Fire when the condition holds; it is looked at after each message, answer and handshake."""
        waiting = Deferred()
        self._expected.append((condition, waiting))
        self.look()
        return waiting.addTimeout(10, self.reactor)

    def until_sent(self, action, count=1):
        return self.until(lambda: len(self.sent(action)) >= count)

    def look(self):
        for item in list(self._expected):
            condition, waiting = item
            if condition():
                self._expected.remove(item)
                waiting.callback(None)

    def call(self, client_id, message_id, action, payload):
        """Send a CALL and fire with the frame of its answer."""
        self.sockets[client_id].sendMessage(json.dumps([2, message_id, action, payload]).encode())
        answered = self.until(lambda: any(frame[1] == message_id for frame in self.answers))
        return answered.addCallback(lambda _: next(frame for frame in self.answers if frame[1] == message_id))

    def received(self, socket, data):
        frame = json.loads(data)
        assert data == json.dumps(frame, separators=(",", ":"), ensure_ascii=False).encode(), "not compact"
        if frame[0] != 2:
            self.answers.append(frame)
            self.look()
            return
        _, message_id, action, payload = frame
        assert SCHEMAS_OF[socket.version].check_request(action, payload, "strict") == ()
        plans = self.misbehave.get(action)
        plan = plans.pop(0) if plans else None
        if plan == "close":
            socket.dropConnection(abort=True)
            return
        self.messages.append(Message(socket, socket.client_id, message_id, action, payload))
        if plan == "lose":
            socket.dropConnection(abort=True)
        elif isinstance(plan, str) and plan != "silence":
            socket.sendMessage(json.dumps([4, message_id, plan, "", {}]).encode())
        elif plan != "silence":
            answer = plan if isinstance(plan, dict) else self.answer(socket, action, payload)
            socket.sendMessage(json.dumps([3, message_id, answer]).encode())
        self.look()

    def answer(self, socket, action, payload):
        accepted = {"status": "Accepted"}
        match action:
            case "BootNotification":
                return {"status": "Accepted", "currentTime": NOW, "interval": 300}
            case "Heartbeat":
                return {"currentTime": NOW}
            case "Authorize" if socket.version is V16:
                return {"idTagInfo": accepted}
            case "Authorize":
                return {"idTokenInfo": accepted}
            case "TransactionEvent":
                return {"idTokenInfo": accepted} if "idToken" in payload else {}
            case "StartTransaction":
                key = (socket.client_id, payload["connectorId"], payload["timestamp"], payload["meterStart"])
                number = self.transactions.setdefault(key, len(self.transactions) + 1)
                return {"transactionId": number, "idTagInfo": accepted}
        return {}


class Protocol(WebSocketServerProtocol):
    client_id = ""
    version = None

    def onConnect(self, request):
        server = self.factory.server
        server.handshakes.append(request)
        server.look()
        if server.password is not None and request.headers.get("authorization") != server.password:
            raise ConnectionDeny(401, "who are you?")
        self.client_id = unquote(request.path.rsplit("/", 1)[-1])
        self.version = choose(request.protocols)
        return self.version.subprotocol if self.version in server.speaks else None

    def onOpen(self):
        self.factory.server.sockets[self.client_id] = self

    def onMessage(self, payload, isBinary):
        assert not isBinary
        self.factory.server.received(self, payload)

    def onClose(self, wasClean, code, reason):
        sockets = self.factory.server.sockets
        if sockets.get(self.client_id) is self:
            del sockets[self.client_id]
        self.factory.server.look()
