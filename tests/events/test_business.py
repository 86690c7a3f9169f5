"""The envelope and the encoding of business events."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec import UNSET

from csms.events import business
from csms.events.business import BusinessEvent, GatewayStatus, Measurement, MeterReading, Started, StatusChanged

NOW = datetime(2026, 3, 1, 10, 0, 0, 250000, tzinfo=UTC)
STARTED = Started(transaction_id=7, connector_id=1, id_tag="TAG", meter_start=0, start_time=NOW)
EVENT = BusinessEvent(
    timestamp=NOW,
    client_id="CP-1",
    event_type="started",
    event_id="started_0",
    payload=STARTED,
    sequence=3,
    gateway_id="gw",
    causation_id="17",
)


def test_a_started_event_is_exactly_this() -> None:
    assert json.loads(business.encode(EVENT)) == {
        "timestamp": "2026-03-01T10:00:00.250000Z",
        "clientId": "CP-1",
        "eventType": "started",
        "eventId": "started_0",
        "payload": {
            "transactionId": 7,
            "connectorId": 1,
            "idTag": "TAG",
            "meterStart": 0,
            "startTime": "2026-03-01T10:00:00.250000Z",
            "status": "started",
        },
        "sequence": 3,
        "gatewayId": "gw",
        "causationId": "17",
    }


def test_no_cause_is_said_as_null_and_no_correction_not_at_all() -> None:
    body = json.loads(business.encode(msgspec.structs.replace(EVENT, causation_id=None)))
    assert body["causationId"] is None
    assert "supersedes" not in body
    body = json.loads(business.encode(msgspec.structs.replace(EVENT, supersedes="completed_0")))
    assert body["supersedes"] == "completed_0"


@pytest.mark.parametrize(
    ("payload", "members"),
    [
        (StatusChanged(connector_id=0, status="Available"), {"connectorId", "status"}),
        (MeterReading(connector_id=1, timestamp=NOW, measurands={}), {"connectorId", "timestamp", "measurands"}),
        (Measurement(value=0, unit="kWh"), {"value", "unit"}),
        (GatewayStatus(online=False), {"online"}),
        (
            business.OrphanStop(transaction_id=0, stop_time=NOW, meter_stop=0),
            {"transactionId", "stopTime", "meterStop"},
        ),
    ],
)
def test_what_is_not_known_is_absent_and_zero_is_there(payload: msgspec.Struct, members: set[str]) -> None:
    assert set(json.loads(business.encode(payload))) == members


def test_numbers_are_json_numbers() -> None:
    reading = MeterReading(
        connector_id=1,
        timestamp=NOW,
        measurands={"Voltage": Measurement(value=230.1, unit="V", phases={"L1": 230, "L2": 230.2})},
        total_energy=0.083,
    )
    text = business.encode(reading)
    assert b'"value":230.1' in text
    assert b'"phases":{"L1":230,"L2":230.2}' in text
    assert b'"totalEnergy":0.083' in text


def test_an_event_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        EVENT.sequence = 4  # type: ignore[misc]
    assert EVENT.supersedes is UNSET
