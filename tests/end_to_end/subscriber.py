"""An MQTT subscriber with a durable session, on paho's own thread: it sees what integrators see."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Self

from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion


class Subscriber:
    """Collects messages as (topic, body, retained); the session outlives broker restarts."""

    def __init__(self, port: int, *topics: str) -> None:
        self.messages: list[tuple[str, dict, bool]] = []
        self._changed = threading.Condition(threading.RLock())
        self._subscribed = threading.Event()
        self._topics = topics or ("csms/#", "ocpp/#")
        self._client = Client(
            CallbackAPIVersion.VERSION2, f"subscriber-{uuid.uuid4()}", protocol=MQTTv311, clean_session=False
        )
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(0.1, 0.5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.wait_subscribed()

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_message(self, _client: Client, _data: object, message: object) -> None:
        with self._changed:
            self.messages.append((message.topic, json.loads(message.payload), message.retain))
            self._changed.notify_all()

    def forget_subscription(self) -> None:
        """Let `wait_subscribed` wait for a subscription that is yet to come."""
        self._subscribed.clear()

    def wait_subscribed(self) -> None:
        """Wait until the broker has taken the subscription, again if it was forgotten."""
        assert self._subscribed.wait(15), "the broker did not take the subscription"

    def of(self, prefix: str) -> list[dict]:
        """Return the bodies under a topic prefix, in the order of arrival."""
        with self._changed:
            return [body for topic, body, _ in self.messages if topic.startswith(prefix)]

    def topics(self) -> list[str]:
        with self._changed:
            return [topic for topic, _, _ in self.messages]

    def wait_for(self, condition: Callable[[Subscriber], object], timeout_s: float = 15.0) -> object:
        """Wait until a condition over what came is true; return it."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not (result := condition(self)):
                left = deadline - time.monotonic()
                assert left > 0, f"it did not come; seen: {sorted(set(self.topics()))}"
                self._changed.wait(left)
            return result

    def wait_for_events(self, wanted: set[str], still_s: float = 60.0) -> set[str]:
        """Wait for events by their ids, as long as new ones come; return those that did not."""
        missing, taken, until = set(wanted), 0, time.monotonic() + still_s
        with self._changed:
            while missing:
                before = len(missing)
                missing -= {body.get("eventId") for _, body, _ in self.messages[taken:]}
                taken = len(self.messages)
                if len(missing) < before:
                    until = time.monotonic() + still_s
                elif missing and not self._changed.wait(max(until - time.monotonic(), 0)):
                    break
        return missing

    def wait_topic(self, topic: str, count: int = 1) -> list[dict]:
        """Wait for so many messages of a topic; return their bodies."""
        self.wait_for(lambda _: sum(seen == topic for seen, _, _ in self.messages) >= count)
        return [body for seen, body, _ in self.messages if seen == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
