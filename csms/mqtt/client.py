"""paho's client, with shorter ways for what it does once per message: the only module that imports paho.

Run as ``python -m csms.mqtt.client HOST PORT TOPIC…`` it subscribes and prints each message as a line of JSON.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from csms.mqtt import packets
from csms.mqtt.buffered import BufferedSocket
from csms.mqtt.feed import Acknowledgements, Broker, Retained
from csms.mqtt.incoming import MalformedPacket, Message, decode_publish, decode_suback

_FIRST_FAILURE = 0x80
_LAST_PACKET_ID = 65535
_KEEPALIVE_S = 30
_LARGEST_RECEIVED = 4 * 1024 * 1024
"""A broker of MQTT 5 keeps what is larger; a command of that size is none."""
CONNECT_TIMEOUT_S = 5.0


class PahoClient(paho.Client):  # type: ignore[misc]
    """Used by one thread only.

    Its socket is buffered: paho reads an acknowledgement in three calls to the kernel and writes each message in one. And a
    message of QoS 0 or 1 goes to the socket without the objects that paho makes to wait for it and to send it again, for our
    sessions are clean and the feeds know what is in flight; its acknowledgement goes to ``acknowledged``.
    What comes is decoded by `incoming`.
    """

    acknowledged: Callable[[Acknowledgements], None]
    received: Callable[[Message], None]
    answered: Callable[[int, bytes], None]

    @classmethod
    def of(cls, broker: Broker, will: Retained, *, is_v5: bool) -> PahoClient:
        """Return a client that is not connected yet."""
        client = cls(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            protocol=MQTTProtocolVersion.MQTTv5 if is_v5 else MQTTProtocolVersion.MQTTv311,
            clean_session=None if is_v5 else True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(0)  # the window is the feeds' own
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set(broker.ca, broker.certificate, broker.key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.suppress_exceptions = False
        # With this set paho only queues; the thread writes a whole batch itself.
        client.on_socket_register_write = lambda _client, _data, _socket: None
        return client

    def say_connect(self, host: str, port: int, *, takes_commands: bool) -> None:
        """Say CONNECT; raises OSError or ValueError where nobody is there."""
        terms = None
        if takes_commands and self._protocol == MQTTProtocolVersion.MQTTv5:
            terms = Properties(PacketTypes.CONNECT)
            terms.MaximumPacketSize = _LARGEST_RECEIVED
        self.connect(host, port, keepalive=_KEEPALIVE_S, properties=terms)

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


def fault(code: int) -> str | None:
    """Return what paho's code for the outcome of an operation says, None where nothing is wrong."""
    is_well = code in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_AGAIN)
    return None if is_well else paho.error_string(code)


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
