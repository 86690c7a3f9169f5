"""The attributes of CloudEvents that business events carry as user properties of MQTT 5."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from csms.events import topics
from csms.mqtt import packets
from csms.store.event_log import LoggedEvent

_ID, _TIME = packets.property_name(b"id"), packets.property_name(b"time")
_json = msgspec.json.Encoder().encode


def attributes(event: LoggedEvent) -> bytes:
    """Return an event's attributes, packed. Names of ours, and levels of topics: they are publishable."""
    event_id, time = event.event_id.encode(), _json(event.timestamp)[1:-1]
    kind, source = _kind(event.event_type), _source(event.client_id)
    return b"".join((kind, _ID, len(event_id).to_bytes(2), event_id, source, _TIME, len(time).to_bytes(2), time))


@lru_cache(maxsize=64)
def _kind(event_type: str) -> bytes:
    """Return the attributes that all events of a kind share."""
    return packets.user_properties(("specversion", "1.0"), ("type", f"csms.{event_type}"))


@lru_cache(maxsize=256)
def _source(client_id: str) -> bytes:
    return packets.user_property(b"source", b"/csms/chargepoints/" + topics.level(client_id).encode())
