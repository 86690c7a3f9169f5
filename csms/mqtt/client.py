"""The MQTT client: the only module that imports paho.

One thread of a pool owns paho for good: it connects, publishes what its feeds have, and takes acknowledgements. The reactor
never calls paho. Each connection is a new, clean session with a client of its own; what was in flight on an old one is the
feeds' business.

Run as ``python -m csms.mqtt.client HOST PORT TOPIC…`` it subscribes and prints each message as a line of JSON.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from attrs import define
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from csms.mqtt import packets
from csms.mqtt.buffered import BufferedSocket
from csms.mqtt.feed import (
    IDLE_S,
    Acknowledgements,
    Broker,
    Feed,
    HoldDelivery,
    Outgoing,
    Receiver,
    Retained,
    Unpublishable,
)
from csms.mqtt.incoming import MalformedPacket, Message, decode_publish, decode_suback

_log = Logger()
_KEEPALIVE_S = 30
_CONNECT_TIMEOUT_S = 5.0
_FIRST_BACKOFF_S = 1.0
_LAST_BACKOFF_S = 60.0
_MAX_IN_FLIGHT = 200
_MAX_REPLIES_IN_FLIGHT = 8
_MOST_PACKETS = 64
"""What is read before the feeds have their turn: a flood of commands must not starve them."""
_UNSUPPORTED_VERSION = 0x84
_OVERHEAD_BYTES = 2048
_LARGEST_RECEIVED = 4 * 1024 * 1024
"""A broker of MQTT 5 keeps what is larger; a command of that size is none."""
_FIRST_FAILURE = 0x80
_LAST_PACKET_ID = 65535
_BREATH_S = 0.01
"""The least time between two rounds of publishing: under load the thread works in bursts, not against the reactor's."""
_DISCONNECT = b"\xe0\x00"


def _wait_for(reading: Sequence[Any], writing: Sequence[Any], timeout_s: float) -> set[int]:
    """Wait until a socket can be read or written, and return the descriptors of those that can be read.

    By poll: select takes no descriptor above 1023, and a daemon with many charge points has no lower one to give.
    """
    poll = select.poll()
    for connection in reading:
        poll.register(connection, select.POLLIN | (select.POLLOUT if connection in writing else 0))
    return {number for number, happened in poll.poll(timeout_s * 1000) if happened & ~select.POLLOUT}


class _Client(paho.Client):  # type: ignore[misc]
    """paho's client with shorter ways for what it does once per message.

    Its socket is buffered: paho reads an acknowledgement in three calls to the kernel and writes each message in one. And a
    message of QoS 0 or 1 goes to the socket without the objects that paho makes to wait for it and to send it again, for our
    sessions are clean and the feeds know what is in flight; its acknowledgement goes to ``acknowledged``.
    What comes is decoded by `incoming`.
    """

    acknowledged: Callable[[Acknowledgements], None]
    received: Callable[[Message], None]
    answered: Callable[[int, bytes], None]

    def next_packet_id(self) -> int:
        """Return the next packet identifier; for paho's own packets, too."""
        self._last_mid: int = self._last_mid % _LAST_PACKET_ID + 1
        return self._last_mid

    _mid_generate = next_packet_id  # paho's own takes a lock, where there is one thread

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read what has come: first the acknowledgements that stand in front, then what paho has to look at."""
        connection: BufferedSocket | None = self._sock
        if connection is not None and not self._in_packet["command"]:
            settled, place = packets.acknowledgements(*connection.read_ahead())
            if settled:
                connection.skip_to(place)
                self.acknowledged(settled)
                if not connection.pending():
                    return MQTTErrorCode.MQTT_ERR_SUCCESS
        code: MQTTErrorCode = super().loop_read(max_packets)
        return code

    def _create_socket(self) -> Any:
        connection = super()._create_socket()
        # What is sent was gathered already. Without this the result of a command waits for the broker's delayed ACK (40 ms).
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return BufferedSocket(connection)

    def _handle_pubackcomp(self, cmd: str) -> MQTTErrorCode:
        del cmd
        return self._settle(*self._acknowledgement())

    def _handle_pubrec(self) -> MQTTErrorCode:
        """With QoS 2 the refusal comes here already; paho would not look at it."""
        packet_id, reason = self._acknowledgement()
        if reason >= _FIRST_FAILURE:
            return self._settle(packet_id, reason)
        code: MQTTErrorCode = super()._handle_pubrec()
        return code

    def _handle_publish(self) -> MQTTErrorCode:
        try:
            message, packet_id = decode_publish(
                self._in_packet["command"],
                self._in_packet["packet"],
                is_v5=self._protocol == MQTTProtocolVersion.MQTTv5,
            )
        except MalformedPacket as error:
            raise paho.MalformedPacket(str(error)) from error
        if message is not None:
            self.received(message)
        code: MQTTErrorCode = MQTTErrorCode.MQTT_ERR_SUCCESS if packet_id is None else self._send_puback(packet_id)
        return code

    def _handle_suback(self) -> None:
        try:
            packet_id, reasons = decode_suback(
                self._in_packet["packet"], is_v5=self._protocol == MQTTProtocolVersion.MQTTv5
            )
        except MalformedPacket as error:
            raise paho.MalformedPacket(str(error)) from error
        self.answered(packet_id, reasons)

    def _handle_unsuback(self) -> MQTTErrorCode:
        self._handle_suback()
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _acknowledgement(self) -> tuple[int, int]:
        packet = self._in_packet["packet"]
        return packet[0] << 8 | packet[1], packet[2] if len(packet) > 2 else 0

    def _settle(self, packet_id: int, reason: int) -> MQTTErrorCode:
        with self._out_message_mutex:
            known = self._out_messages.pop(packet_id, None)
        if known is not None:
            self._inflight_messages -= 1
        self.acknowledged([(packet_id, reason)])
        return MQTTErrorCode.MQTT_ERR_SUCCESS


@define(eq=False)
class _PahoLink:
    """One clean MQTT session."""

    client: _Client
    is_v5: bool
    connected: bool = False
    gone: str | None = None
    refused: int | None = None
    window: int = _MAX_IN_FLIGHT
    reply_window: int = _MAX_REPLIES_IN_FLIGHT
    largest: float = inf
    writable: bool = True
    """Whether the socket took all that it was given last time. What other feeds have put there since does not count."""

    def flush(self) -> BufferedSocket | None:
        """Hand what was published to the socket, in as few writes as it takes; None where there is no socket."""
        connection: BufferedSocket | None = self.client.socket()
        if connection is None:
            return None
        code = self.client.loop_write() if self.client.want_write() else MQTTErrorCode.MQTT_ERR_SUCCESS
        try:
            connection.flush()
        except OSError as error:
            self.gone = self.gone or str(error)
        self.writable = not connection.unsent
        if code not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
            self.gone = self.gone or paho.error_string(code)
        still: BufferedSocket | None = self.client.socket()
        return still

    def subscribe(self, filters: list[str]) -> int:
        code, packet_id = self.client.subscribe([(each, 1) for each in filters])
        return self._sent(code, packet_id)

    def unsubscribe(self, filters: list[str]) -> int:
        code, packet_id = self.client.unsubscribe(filters)
        return self._sent(code, packet_id)

    def _sent(self, code: MQTTErrorCode, packet_id: int | None) -> int:
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.gone = self.gone or paho.error_string(code)
        return int(packet_id or 0)

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False, properties: bytes = b"") -> int:
        (outcome,) = self.publish_all([(topic, payload, properties)], qos=qos, retain=retain)
        if isinstance(outcome, Unpublishable):
            raise outcome
        return outcome

    def publish_all(self, messages: Iterable[Outgoing], *, qos: int, retain: bool = False) -> list[int | Unpublishable]:
        if qos > 1:
            return [self._publish_twice(*message, qos=qos, retain=retain) for message in messages]
        packed, outcomes = packets.publishes(
            messages, self.client.next_packet_id, qos=qos, retain=retain, is_v5=self.is_v5, largest=self.largest
        )
        connection: BufferedSocket | None = self.client.socket()
        if connection is None:
            self.gone = self.gone or "no connection"
        else:
            connection.put(packed)
        return outcomes

    def _publish_twice(
        self, topic: str, payload: bytes, properties: bytes, *, qos: int, retain: bool
    ) -> int | Unpublishable:
        """Publish with QoS 2, whose four packets are paho's."""
        if not topic:
            return Unpublishable("the topic is empty")
        if len(topic) + len(payload) + len(properties) + _OVERHEAD_BYTES > self.largest:
            return Unpublishable(f"{len(payload)} bytes are more than the broker takes")
        packed = _Packed(packets.all_properties(properties)) if self.is_v5 else None
        try:
            info = self.client.publish(topic, payload, qos, retain, packed)
        except (ValueError, UnicodeError) as error:
            return Unpublishable(str(error))
        if info.rc == MQTTErrorCode.MQTT_ERR_NO_CONN:
            self.gone = self.gone or "no connection"
        return int(info.mid)


@define(eq=False)
class _Packed:
    """Stands in for paho's Properties, of which it asks only for ``pack``."""

    _properties: bytes

    def pack(self) -> bytes:
        return self._properties


class MqttClient:
    """Keeps a connection to the broker and lets feeds publish over it, on a thread of its own.

    ``receiver`` is given what is subscribed to, if anything is. ``random`` returns a number from 0 to 1; ``birth`` is asked for at each connection, ``will`` is said by the broker when
    the connection dies, and by the client itself when it leaves.
    """

    def __init__(
        self,
        broker: Broker,
        feeds: Sequence[Feed],
        *,
        birth: Callable[[], Retained],
        will: Retained,
        random: Callable[[], float],
        receiver: Receiver | None = None,
    ) -> None:
        self._broker = broker
        self._feeds = feeds
        self._birth = birth
        self._will = will
        self._random = random
        self._receiver = receiver
        self._pool = ThreadPool(1, 1, "mqtt")
        self._awake = True  # until it is started nobody need be woken
        self._stop_at: float | None = None
        self._v5 = broker.protocol != "3.1.1"
        self._spoke_v5 = False
        self._trouble: str | None = None
        self.connected = False

    def start(self) -> None:
        """Start the thread; the broker need not be there."""
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._awake = False
        self._pool.start()
        self._pool.callInThread(self._run)

    def request_stop(self, flush_s: float) -> None:
        """Ask the thread to deliver what the broker takes within a time, to say goodbye, and to end."""
        self._stop_at = time.monotonic() + flush_s
        self.wake()

    def join(self) -> None:
        """Wait until the thread has ended; blocks."""
        self._pool.stop()
        self._wake_reader.close()
        self._wake_writer.close()

    def wake(self) -> None:
        """Tell the thread that a feed has something; may be called from any thread."""
        if not self._awake:
            self._awake = True
            with suppress(OSError):
                self._wake_writer.send(b"\0")

    # What follows runs on the client's thread.

    def _run(self) -> None:
        failures = 0
        while self._stop_at is None:
            try:
                served = self._serve_one_connection()
            except Exception:  # noqa: BLE001 - the thread must outlive whatever happened
                _log.failure("the MQTT connection failed")
                served = False
            failures = 0 if served else failures + 1
            if self._stop_at is None and not (failures == 1 and self._fall_back):
                self._sleep(self._backoff_s(failures))

    def _backoff_s(self, failures: int) -> float:
        longest: float = min(_LAST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** min(failures, 10))
        return _FIRST_BACKOFF_S + (longest - _FIRST_BACKOFF_S) * self._random()

    @property
    def _fall_back(self) -> bool:
        return self._broker.protocol == "auto" and not self._v5

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self._stop_at is None and (left := until - time.monotonic()) > 0:
            _wait_for([self._wake_reader], (), left)
            self._drain_wake()

    def _drain_wake(self) -> None:
        with suppress(BlockingIOError):
            self._wake_reader.recv(4096)
        # Only now: a wake between the two would otherwise be lost.
        self._awake = False

    def _serve_one_connection(self) -> bool:
        link = self._connect()
        if link is None:
            return False
        try:
            self.connected = True
            self._trouble = None
            _log.info(
                "connected to the MQTT broker {host}:{port} with MQTT {version}",
                host=self._broker.host,
                port=self._broker.port,
                version="5" if link.is_v5 else "3.1.1",
            )
            birth = self._birth()
            link.publish(birth.topic, birth.payload, qos=1, retain=True)
            for feed in self._feeds:
                feed.begin(link)
            self._serve(link)
            self._leave(link)
        except HoldDelivery as hold:
            self._say("the MQTT broker refuses events for now: {reason}", str(hold))
            return False
        finally:
            self.connected = False
            for feed in self._feeds:
                feed.end()
            self._abandon(link)
        if link.gone and self._stop_at is None:
            self._say("lost the MQTT broker: {reason}", link.gone)
        return True

    def _say(self, text: str, reason: str) -> None:
        """Log trouble when it changes, not at each attempt."""
        if self._trouble != reason:
            self._trouble = reason
            _log.warn(text, reason=reason)

    def _connect(self) -> _PahoLink | None:
        broker = self._broker
        link = self._new_link()
        try:
            link.client.connect(broker.host, broker.port, keepalive=_KEEPALIVE_S, properties=self._terms(link))
            deadline = time.monotonic() + _CONNECT_TIMEOUT_S
            while not link.connected and link.gone is None and link.refused is None:
                if time.monotonic() > min(deadline, self._stop_at or deadline):
                    link.gone = "no answer to CONNECT"
                self._turn(link, 0.2)
        except (OSError, ValueError) as error:
            self._abandon(link)
            self._say("cannot reach the MQTT broker: {reason}", f"{broker.host}:{broker.port}: {error}")
            return None
        if link.connected and link.gone is None:
            self._spoke_v5 = self._spoke_v5 or link.is_v5
            return link
        self._abandon(link)
        # A broker of 3.1.1 may answer a CONNECT of 5 with a code, or just hang up; so does any broker that is about to stop.
        if broker.protocol == "auto":
            hung_up = link.refused is None and not (link.connected or self._spoke_v5)
            said_no = hung_up or link.refused in (_UNSUPPORTED_VERSION, 1)
            self._v5 = not self._v5 if said_no else self._v5
        code = f"refused with code {link.refused}" if link.refused is not None else link.gone
        self._say("cannot connect to the MQTT broker: {reason}", f"{broker.host}:{broker.port}: {code}")
        return None

    def _terms(self, link: _PahoLink) -> Properties | None:
        if self._receiver is None or not link.is_v5:
            return None
        terms = Properties(PacketTypes.CONNECT)
        terms.MaximumPacketSize = _LARGEST_RECEIVED
        return terms

    def _new_link(self) -> _PahoLink:
        broker = self._broker
        version = MQTTProtocolVersion.MQTTv5 if self._v5 else MQTTProtocolVersion.MQTTv311
        options: dict[str, Any] = {} if self._v5 else {"clean_session": True}
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            protocol=version,
            reconnect_on_failure=False,
            **options,
        )
        client.connect_timeout = _CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # the window is the feeds' own
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set(broker.ca, broker.certificate, broker.key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        link = _PahoLink(client, self._v5)

        def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
            if reason.is_failure:
                link.refused = int(reason.value)
                return
            maximum = getattr(properties, "ReceiveMaximum", None) if properties is not None else None
            if maximum is not None:
                replies = min(_MAX_REPLIES_IN_FLIGHT, maximum // 2) if self._receiver is not None else 0
                link.window, link.reply_window = min(_MAX_IN_FLIGHT, maximum - replies), max(replies, 1)
            link.largest = getattr(properties, "MaximumPacketSize", inf)
            link.connected = True

        def on_disconnect(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            link.gone = link.gone or str(reason)

        def acknowledged(acknowledgements: Acknowledgements) -> None:
            for feed in self._feeds:
                acknowledgements = feed.acknowledged(acknowledgements)

        client.on_connect = on_connect
        client.on_disconnect = on_disconnect
        client.acknowledged = acknowledged
        if self._receiver is not None:
            client.received, client.answered = self._receiver.received, self._receiver.answered
        client.suppress_exceptions = False
        # With this set paho only queues; the thread writes a whole batch itself.
        client.on_socket_register_write = lambda _client, _data, _socket: None
        return link

    def _serve(self, link: _PahoLink) -> None:
        while link.gone is None:
            began = time.monotonic()
            pause_s = min((feed.pump(link) for feed in self._feeds), default=IDLE_S)
            if self._stop_at is not None and (
                time.monotonic() > self._stop_at or all(feed.drained for feed in self._feeds)
            ):
                return
            self._turn(link, pause_s)
            rest_s = _BREATH_S - (time.monotonic() - began)
            if rest_s > 0 and self._stop_at is None:
                select.select([], [], [], rest_s)

    def _turn(self, link: _PahoLink, timeout_s: float) -> None:
        """Write, wait for something to happen, read."""
        client = link.client
        connection = link.flush()
        if connection is None:
            link.gone = link.gone or "the connection was closed"
            return
        writing = [connection] if connection.unsent or client.want_write() else []
        pause_s = 0 if connection.pending() else timeout_s
        readable = _wait_for((connection, self._wake_reader), writing, pause_s)
        if self._wake_reader.fileno() in readable:
            self._drain_wake()
        if connection.fileno() in readable or connection.pending():
            self._read(link, connection)
        self._check(link, client.loop_misc())
        link.flush()

    def _read(self, link: _PahoLink, connection: BufferedSocket) -> None:
        for _ in range(_MOST_PACKETS):
            self._check(link, link.client.loop_read())
            if link.gone is not None or not connection.pending():
                return

    def _check(self, link: _PahoLink, code: MQTTErrorCode) -> None:
        if code not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN):
            link.gone = link.gone or paho.error_string(code)

    def _leave(self, link: _PahoLink) -> None:
        """Say goodbye, as the will would."""
        if link.gone is not None:
            return
        with suppress(Unpublishable):
            link.publish(self._will.topic, self._will.payload, qos=1, retain=True)
        deadline = time.monotonic() + 1
        link.flush()
        while link.gone is None and not link.writable and time.monotonic() < deadline:
            self._turn(link, 0.1)
        # paho would close the socket before its buffer is written. And a close with acknowledgements unread is a reset, at
        # which the broker loses what it did not read yet: so the broker closes first.
        connection = link.flush()
        if connection is not None:
            with suppress(BlockingIOError):
                connection.send(_DISCONNECT)
        while link.gone is None and time.monotonic() < deadline:
            self._turn(link, 0.1)

    def _abandon(self, link: _PahoLink) -> None:
        connection = link.client.socket()
        link.client.on_disconnect = None
        if connection is not None:
            with suppress(OSError):
                connection.close()


def subscribe(host: str, port: int, topics: Sequence[str], say: Callable[[str, bytes], None]) -> None:
    """Subscribe and call ``say(topic, payload)`` for each message, until interrupted."""

    def on_connect(client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe([(topic, 1) for topic in topics])

    def on_message(_client: Any, _data: Any, message: Any) -> None:
        say(message.topic, message.payload)

    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv311)
    client.on_connect = on_connect
    client.on_subscribe = lambda *_: say("", b"subscribed")
    client.on_message = on_message
    client.connect(host, port)
    client.loop_forever()


def _print_line(topic: str, payload: bytes) -> None:
    sys.stdout.write(json.dumps({"topic": topic, "payload": payload.decode("utf-8", "replace")}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        subscribe(sys.argv[1], int(sys.argv[2]), sys.argv[3:] or ["csms/#"], _print_line)
