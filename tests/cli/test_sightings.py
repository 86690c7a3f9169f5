"""What a subscriber has seen, put together."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from csms.cli.sightings import Sightings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(event_id, event_type, **payload):
    body = {"eventId": event_id, "eventType": event_type, "clientId": "CP1", "gatewayId": "gw", "payload": payload}
    return json.dumps(body)


def test_a_station_of_2x_names_its_transaction_itself():
    sightings = Sightings("gw")
    assert (sightings.number("CP1", 7), sightings.number("CP1", "own")) == (7, None)
    assert not sightings.has_seen({sightings.number("CP1", "own")})
    about = {"transactionId": 9, "stationTransactionId": "own"}
    sightings.take("t", event("a", "completed", **about, energyUsed=1.5), NOW)
    sightings.take("t", event("b", "session_cost", **about, estimatedCost=2), NOW)
    assert (sightings.number("CP1", "own"), sightings.number("CP2", "own")) == (9, None)
    assert sightings.has_seen({9})


def test_an_event_counts_once_and_others_not_at_all():
    sightings = Sightings("gw")
    first = event("a", "completed", transactionId=1, energyUsed=1.5)
    assert sightings.take("t", first, NOW) is not None
    assert sightings.take("t", first, NOW) is None
    assert Sightings("other").take("t", first, NOW) is None
    assert sightings.take("t", "no JSON", NOW) is None
    assert (sightings.duplicates, sightings.completed) == (1, {1: 1.5})
