"""paho's client, with shorter ways for what it does once per message."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion

from csms.mqtt import packets
from csms.mqtt.buffered import BufferedSocket
from csms.mqtt.feed import Acknowledgements
from csms.mqtt.incoming import MalformedPacket, Message, decode_publish, decode_suback

_FIRST_FAILURE = 0x80
_LAST_PACKET_ID = 65535


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
