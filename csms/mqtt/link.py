"""One session with the broker: what goes out, what comes in, and when it is over."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from math import inf
from typing import Any

from attrs import define

from csms.mqtt import packets
from csms.mqtt.buffered import BufferedSocket, wait_for
from csms.mqtt.client import PahoClient, fault
from csms.mqtt.feed import Acknowledgements, Broker, Outgoing, Receiver, Retained, Unpublishable

_MAX_IN_FLIGHT = 200
_MAX_REPLIES_IN_FLIGHT = 8
_MOST_PACKETS = 64
"""What is read before the feeds have their turn: a flood of commands must not starve them."""
_OVERHEAD_BYTES = 2048
_DISCONNECT = b"\xe0\x00"


@define(eq=False)
class PahoLink:
    """One clean MQTT session, over a connection of its own; see `new_link`."""

    client: PahoClient
    is_v5: bool
    takes_commands: bool
    connected: bool = False
    gone: str | None = None
    """Why the connection is lost."""
    refused: int | None = None
    """The code with which the broker said no to CONNECT."""
    window: int = _MAX_IN_FLIGHT
    reply_window: int = _MAX_REPLIES_IN_FLIGHT
    largest: float = inf
    writable: bool = True
    """Whether the socket took all that it was given last time. What other feeds have put there since does not count."""

    def connect(self, host: str, port: int) -> None:
        """Say CONNECT, whose answer comes in a later turn; raises OSError or ValueError where nobody is there."""
        self.client.say_connect(host, port, takes_commands=self.takes_commands)

    def accepted(self, maximum: int | None, largest: float) -> None:
        """Hear that the broker took CONNECT, how many messages it takes unacknowledged, and how large ones."""
        if maximum is not None:
            replies = min(_MAX_REPLIES_IN_FLIGHT, maximum // 2) if self.takes_commands else 0
            self.window, self.reply_window = min(_MAX_IN_FLIGHT, maximum - replies), max(replies, 1)
        self.largest = largest
        self.connected = True

    def turn(self, wake: socket.socket, timeout_s: float) -> bool:
        """Write, wait for something to happen, read; tell whether there is something to be read from ``wake``."""
        connection = self.flush()
        if connection is None:
            self.gone = self.gone or "the connection was closed"
            return False
        writing = [connection] if connection.unsent or self.client.want_write() else []
        pause_s = 0 if connection.pending() else timeout_s
        readable = wait_for((connection, wake), writing, pause_s)
        if connection.fileno() in readable or connection.pending():
            self._read(connection)
        self._check(self.client.loop_misc())
        self.flush()
        return wake.fileno() in readable

    def _read(self, connection: BufferedSocket) -> None:
        for _ in range(_MOST_PACKETS):
            self._check(self.client.loop_read())
            if self.gone is not None or not connection.pending():
                return

    def _check(self, code: int) -> None:
        self.gone = self.gone or fault(code)

    def disconnect(self) -> None:
        """Say DISCONNECT behind what was published.

        paho would close the socket before its buffer is written. And a close with acknowledgements unread is a reset, at
        which the broker loses what it did not read yet: so the broker closes first.
        """
        connection = self.flush()
        if connection is not None:
            with suppress(BlockingIOError):
                connection.send(_DISCONNECT)

    def close(self) -> None:
        """Close the connection, if there is one, and hear no more of it."""
        connection = self.client.socket()
        self.client.on_disconnect = None
        if connection is not None:
            with suppress(OSError):
                connection.close()

    def flush(self) -> BufferedSocket | None:
        """Hand what was published to the socket, in as few writes as it takes; None where there is no socket."""
        connection: BufferedSocket | None = self.client.socket()
        if connection is None:
            return None
        written = fault(self.client.loop_write()) if self.client.want_write() else None
        try:
            connection.flush()
        except OSError as error:
            self.gone = self.gone or str(error)
        self.writable = not connection.unsent
        self.gone = self.gone or written
        still: BufferedSocket | None = self.client.socket()
        return still

    def subscribe(self, filters: list[str]) -> int:
        code, packet_id = self.client.subscribe([(each, 1) for each in filters])
        return self._sent(code, packet_id)

    def unsubscribe(self, filters: list[str]) -> int:
        code, packet_id = self.client.unsubscribe(filters)
        return self._sent(code, packet_id)

    def _sent(self, code: int, packet_id: int | None) -> int:
        self._check(code)
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
        self._check(info.rc)
        return int(info.mid)


@define(eq=False)
class _Packed:
    """Stands in for paho's Properties, of which it asks only for ``pack``."""

    _properties: bytes

    def pack(self) -> bytes:
        return self._properties


def new_link(
    broker: Broker,
    will: Retained,
    *,
    is_v5: bool,
    acknowledged: Callable[[Acknowledgements], None],
    receiver: Receiver | None,
) -> PahoLink:
    """Return a link that is not connected yet; ``acknowledged`` is called with what the broker acknowledges."""
    client = PahoClient.of(broker, will, is_v5=is_v5)
    link = PahoLink(client, is_v5, receiver is not None)

    def on_connect(_client: Any, _data: Any, _flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            link.refused = int(reason.value)
        else:
            link.accepted(getattr(properties, "ReceiveMaximum", None), getattr(properties, "MaximumPacketSize", inf))

    def on_disconnect(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        link.gone = link.gone or str(reason)

    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    client.acknowledged = acknowledged
    if receiver is not None:
        client.received, client.answered = receiver.received, receiver.answered
    return link
