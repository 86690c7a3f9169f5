"""What flows over the MQTT client: the broker's particulars, links and feeds. Knows nothing of paho."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from attrs import field, frozen

from csms.mqtt.incoming import Message

Acknowledgements = Sequence[tuple[int, int]]
"""Packet ids with reason codes, 0 for success, as they came."""
Outgoing = tuple[str, bytes, bytes]
"""Topic, payload, and properties of MQTT 5 as `csms.mqtt.packets` packs them."""
IDLE_S = 1.0
"""How long the client's thread sleeps at most: keepalives need a look once in a while."""


@frozen
class Broker:
    """Where the broker is and how to log in to it."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    protocol: Literal["auto", "5", "3.1.1"] = "auto"


@frozen
class Retained:
    """A retained message that the daemon says about itself."""

    topic: str
    payload: bytes


class Link(Protocol):
    """A connection to the broker, as a feed sees it."""

    @property
    def writable(self) -> bool:
        """Whether what was published so far has gone to the socket."""

    @property
    def window(self) -> int:
        """How many messages with QoS above 0 may be unacknowledged."""

    @property
    def reply_window(self) -> int:
        """How many results of commands besides."""

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False, properties: bytes = b"") -> int:
        """Publish, and return the packet id; ``properties`` of MQTT 5 are packed by `csms.mqtt.packets`.

        :raises Unpublishable: this message can never be.
        """

    def publish_all(self, messages: Iterable[Outgoing], *, qos: int, retain: bool = False) -> list[int | Unpublishable]:
        """Publish many, in order; return the packet id of each, or why it can never be published."""

    def subscribe(self, filters: list[str]) -> int:
        """Subscribe with QoS 1, in one packet, and return its id."""

    def unsubscribe(self, filters: list[str]) -> int:
        """Unsubscribe, in one packet, and return its id."""


class Feed(Protocol):
    """Something that has messages to publish; called on the client's thread only."""

    def begin(self, link: Link) -> None:
        """A connection stands."""

    def pump(self, link: Link) -> float:
        """Publish what there is, as far as the link takes it; return after how many seconds to be asked again.

        :raises HoldDelivery: the broker refuses for now.
        """

    def acknowledged(self, acknowledgements: Acknowledgements) -> Acknowledgements:
        """The broker acknowledged messages; return the acknowledgements that are of others'."""

    def end(self) -> None:
        """The connection is gone."""

    @property
    def drained(self) -> bool:
        """Whether everything was delivered."""


class Receiver(Protocol):
    """Who takes what was subscribed to; called on the client's thread only."""

    def received(self, message: Message) -> None:
        """A message came; must return at once."""

    def answered(self, packet_id: int, reasons: bytes) -> None:
        """The broker answered a SUBSCRIBE, with a reason for each filter, or an UNSUBSCRIBE."""


class Unpublishable(ValueError):
    """A message that no broker will take."""


class HoldDelivery(Exception):
    """The broker refuses for a reason that passes (not authorized, quota): try again on a new connection, later."""
