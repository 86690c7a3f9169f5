"""A backend that commands charge points over MQTT 5, on paho's own thread."""

from __future__ import annotations

import json
import threading
import time
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Self

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

RESET = {"type": "Soft"}


class Backend:
    """A client of MQTT 5 that sends commands and collects what comes back."""

    def __init__(self, port: int, username: str | None = None, *topics: str) -> None:
        subscriptions = [(topic, 1) for topic in topics or ("csms/command_results/#", "replies/#")]
        self.messages: list[MQTTMessage] = []
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self._client.username_pw_set(username)
        self._client.on_connect = lambda client, *_: client.subscribe(subscriptions)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.on_socket_open = lambda _client, _data, opened: opened.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._subscribed.wait(10)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def send(self, topic: str, body: object, *, retain: bool = False, **properties: object) -> None:
        packed = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(packed, name, value)
        payload = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._client.publish(topic, payload, qos=1, retain=retain, properties=packed).wait_for_publish(5)

    def command(self, request_id: str, action: str = "Reset", client_id: str = "CP1", **members: object) -> None:
        self.send(f"csms/commands/{client_id}/{action}", {"requestId": request_id, "payload": RESET, **members})

    def wait(self, count: int, topic: str = "csms/command_results/") -> list[dict]:
        """Wait for so many messages of a topic; return all of them."""
        deadline = time.monotonic() + 15
        with self._changed:
            while len(found := [m for m in self.messages if m.topic.startswith(topic)]) < count:
                left = deadline - time.monotonic()
                assert left > 0, [(m.topic, m.payload) for m in self.messages]
                self._changed.wait(left)
        return [json.loads(message.payload) for message in found]

    def result_of(self, request_id: str) -> dict:
        """Wait for the result of a request."""
        found: list[dict] = []

        def has_come() -> bool:
            bodies = (json.loads(message.payload) for message in self.messages)
            found[:] = [body for body in bodies if body["requestId"] == request_id]
            return bool(found)

        with self._changed:
            assert self._changed.wait_for(has_come, 15), request_id
        return found[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
