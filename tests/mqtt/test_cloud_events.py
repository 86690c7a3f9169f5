"""The attributes of events against paho's own reading."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from csms.events import topics
from csms.mqtt import packets
from csms.mqtt.cloud_events import attributes
from csms.store.event_log import LoggedEvent

TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants it so


@given(TIMES, st.text(min_size=1, max_size=40))
def test_an_event_has_the_attributes_of_cloud_events(at, client_id):
    event = LoggedEvent(1, "started_1", client_id, "started", at, "csms/transactions/CP1/started", b"{}")
    packed = attributes(event)
    read = Properties(PacketTypes.PUBLISH)
    read.unpack(packets.variable_length(len(packed)) + packed)
    assert read.UserProperty == [
        ("specversion", "1.0"),
        ("type", "csms.started"),
        ("id", "started_1"),
        ("source", f"/csms/chargepoints/{topics.level(client_id)}"),
        ("time", at.isoformat().replace("+00:00", "Z")),
    ]
