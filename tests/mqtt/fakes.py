"""Links, feeds and brokers that do as a test says, and a subscriber to a real broker."""

from __future__ import annotations

import json
import queue
import socket
import threading
from collections import deque
from contextlib import suppress
from itertools import count
from typing import NamedTuple

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from twisted.internet.defer import Deferred

from csms.mqtt.feed import IDLE_S, Unpublishable

_PATIENCE_S = 8.0
_NO_SUBSCRIBERS = 0x10


class Published(NamedTuple):
    packet_id: int
    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: bytes

    @property
    def correlation_data(self):
        """Where that is the only property."""
        return self.properties[3:] if self.properties[:1] == b"\x09" else None


class FakeLink:
    """A `csms.mqtt.feed.Link` that keeps what is published; topics in `poison` are unpublishable."""

    def __init__(self, window=40, reply_window=8):
        self.window = window
        self.reply_window = reply_window
        self.writable = True
        self.poison = set()
        self.published = []
        self.subscribed = []
        self.unsubscribed = []
        self.packet_ids = count(1)

    def subscribe(self, filters):
        packet_id = next(self.packet_ids)
        self.subscribed.append((packet_id, filters))
        return packet_id

    def unsubscribe(self, filters):
        packet_id = next(self.packet_ids)
        self.unsubscribed.append((packet_id, filters))
        return packet_id

    def publish(self, topic, payload, *, qos, retain=False, properties=b""):
        if topic in self.poison:
            raise Unpublishable("a topic that no broker takes")
        packet_id = next(self.packet_ids) if qos else 0
        self.published.append(Published(packet_id, topic, payload, qos, retain, properties))
        return packet_id

    def publish_all(self, messages, *, qos, retain=False):
        return [self._outcome(*message, qos, retain) for message in messages]

    def _outcome(self, topic, payload, properties, qos, retain):
        try:
            return self.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        except Unpublishable as error:
            return error

    @property
    def events(self):
        return [message for message in self.published if not message.retain]

    @property
    def states(self):
        return [message for message in self.published if message.retain]


class FakeFeed:
    """A feed of messages that the test puts into `waiting`. What happens to it is put into `happened`."""

    def __init__(self, properties=b""):
        self._properties = properties
        self.waiting = deque()
        self.happened = queue.Queue()
        self.hold = None
        self.link = None

    def begin(self, link):
        self.link = link
        self.happened.put("begin")

    def pump(self, link):
        while self.waiting:
            topic, payload = self.waiting.popleft()
            link.publish(topic, payload, qos=1, properties=self._properties)
        return IDLE_S

    def acknowledged(self, acknowledgements):
        for _, reason in acknowledgements:
            self.happened.put(("acknowledged", 0 if reason == _NO_SUBSCRIBERS else reason))
            if self.hold is not None and reason:
                raise self.hold
        return []

    def end(self):
        self.happened.put("end")

    def next(self):
        return self.happened.get(timeout=_PATIENCE_S)

    def wait_for(self, wanted):
        """Wait until something happens; what happens before is passed over."""
        while self.next() != wanted:
            pass

    @property
    def drained(self):
        return not self.waiting


class FakeReceiver:
    """A `csms.mqtt.feed.Receiver` that keeps what comes."""

    def __init__(self):
        self.messages = queue.Queue()
        self.answers = queue.Queue()

    def received(self, message):
        self.messages.put(message)

    def answered(self, packet_id, reasons):
        self.answers.put((packet_id, reasons))


class FakeSender:
    """The one path of commands: answers wait until the test gives them."""

    def __init__(self):
        self.sent = []
        self.timeouts = []
        self.queued = []
        self.queue_fails_with = None
        self.waiting = deque()

    async def send(self, client_id, action, payload, *, timeout_s, expires_at=None):
        self.sent.append((client_id, action, payload))
        self.timeouts.append(timeout_s)
        done = Deferred()
        self.waiting.append(done)
        return await done

    async def queue(self, client_id, action, payload, expires_at):
        if self.queue_fails_with is not None:
            raise self.queue_fails_with
        self.queued.append((client_id, action, payload, expires_at))
        return f"message-{len(self.queued)}"

    def settle(self, outcome):
        """Give the outcome of the command that waits longest."""
        done = self.waiting.popleft()
        if isinstance(outcome, Exception):
            done.errback(outcome)
        else:
            done.callback(outcome)


class FakeAnswers:
    """Keeps the results of commands; a ``fault`` is raised in place of the first."""

    def __init__(self):
        self.given = []
        self.fault = None

    def answer(self, client_id, action, answer, addresses):
        fault, self.fault = self.fault, None
        if fault is not None:
            raise fault
        self.given.append((client_id, action, json.loads(answer.body), tuple(addresses)))

    @property
    def results(self):
        return [body for _, _, body, _ in self.given]

    @property
    def statuses(self):
        return [body["status"] for body in self.results]


class FakeThreads:
    """`IReactorFromThreads` whose calls wait for the test."""

    def __init__(self):
        self.calls = deque()

    def callFromThread(self, function, *arguments):
        self.calls.append((function, arguments))

    def run_one(self):
        function, arguments = self.calls.popleft()
        function(*arguments)

    def run(self):
        while self.calls:
            self.run_one()


class Subscriber:
    """A subscriber to a real broker; the messages come out of `next` in order."""

    def __init__(self, port, *topics):
        self._messages = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_message = lambda _client, _data, message: self._messages.put(message)
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.on_connect = lambda client, *_: client.subscribe([(topic, 1) for topic in topics])
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert subscribed.wait(_PATIENCE_S)

    def next(self):
        return self._messages.get(timeout=_PATIENCE_S)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()


class FakeBroker:
    """A broker of raw sockets. The nth connection is answered by the nth of ``answers``, later ones by the last.

    An answer is called as ``answer(connection, level)`` when CONNECT has come; then the connection is closed.
    """

    def __init__(self, *answers):
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open = []
        self.port = self._listener.getsockname()[1]
        self.connects = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        for number in count():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            with connection, suppress(OSError):
                _, body = read_packet(connection)
                self.connects.put((body[6], body))
                self._answers[min(number, len(self._answers) - 1)](connection, body[6])

    def next_level(self):
        """Wait for a CONNECT; returns its protocol level."""
        return self.connects.get(timeout=_PATIENCE_S)[0]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(_PATIENCE_S)
        assert not self._thread.is_alive()


def read_packet(connection):
    """Return the type byte and the body of one MQTT packet; raises OSError at the end."""
    kind, length = _exactly(connection, 1)[0], 0
    for shift in range(0, 28, 7):
        byte = _exactly(connection, 1)[0]
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
    return kind, _exactly(connection, length)


def _exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionResetError
        data += more
    return data


def hang_up(connection, level):
    """Close without a word."""


def stay_silent(connection, level):
    """Read on, but answer nothing."""
    while True:
        read_packet(connection)


def refuse(code, *, as_level=None):
    """Answer CONNECT with a reason code."""

    def answer(connection, level):
        is_v5 = (as_level or level) == 5
        connection.sendall(bytes((0x20, 3, 0, code, 0)) if is_v5 else bytes((0x20, 2, 0, code)))
        with suppress(OSError):
            read_packet(connection)

    return answer


def accept(*, pubacks=(), receive_maximum=None, publishes=None):
    """Answer CONNECT with success and each PUBLISH of QoS 1 with the next of ``pubacks``, then with success."""
    reasons = list(pubacks)

    def answer(connection, level):
        properties = b"" if receive_maximum is None else b"\x21" + receive_maximum.to_bytes(2)
        tail = bytes((len(properties),)) + properties if level == 5 else b""
        connection.sendall(bytes((0x20, 2 + len(tail), 0, 0)) + tail)
        while True:
            kind, body = read_packet(connection)
            if kind >> 4 == 14:
                return
            if kind >> 4 == 3 and kind & 6:
                end = 2 + int.from_bytes(body[:2])
                if publishes is not None:
                    publishes.put(body[2:end].decode())
                reason = reasons.pop(0) if reasons else 0
                reply = body[end : end + 2] + (bytes((reason,)) if reason else b"")
                connection.sendall(bytes((0x40, len(reply))) + reply)

    return answer


class Seconds:
    """A monotonic clock that the test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds
