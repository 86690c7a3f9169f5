"""A subscriber for the demonstration: ``python -m csms.mqtt.subscriber HOST PORT TOPIC…`` prints each message as a line of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion


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
