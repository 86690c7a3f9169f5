"""One whole session, and the exact bodies of its events (contracts §3)."""

from __future__ import annotations

from decimal import Decimal

from csms.ledger.cost import Tariff
from tests.ledger.station import Station, sample

TARIFF = Tariff("EUR", Decimal("0.39"), Decimal("0.05"), Decimal("0.50"))


def test_the_events_of_a_session() -> None:
    station = Station(TARIFF)
    station.connect()
    station.status(1, "Preparing")
    transaction_id = station.start("10:00", 1000)
    station.status(1, "Charging")
    station.meter(
        station.value(
            "10:30",
            sample("4500", measurand="Energy.Active.Import.Register", context="Sample.Periodic", unit="Wh"),
            sample("7400", measurand="Power.Active.Import", unit="W"),
            sample("55", measurand="SoC", unit="Percent", location="EV"),
        ),
        transaction_id=transaction_id,
    )
    station.stop(transaction_id, "10:50:30", 8213, reason="EVDisconnected")
    station.status(1, "Available")

    assert station.types() == [
        *("connected", "status_changed", "started", "status_changed", "meter_reading"),
        *("completed", "session_cost", "status_changed"),
    ]
    assert station.payload("connected") == {"version": "1.6", "remoteAddress": "10.0.0.7"}
    assert station.payload("started") == {
        "transactionId": 1,
        "connectorId": 1,
        "idTag": "TAG",
        "meterStart": 1000,
        "startTime": "2026-03-01T10:00:00Z",
        "status": "started",
    }
    assert station.payload("meter_reading") == {
        "connectorId": 1,
        "timestamp": "2026-03-01T10:30:00Z",
        "measurands": {
            "Energy.Active.Import.Register": {"value": 4.5, "unit": "kWh", "context": "Sample.Periodic"},
            "Power.Active.Import": {"value": 7.4, "unit": "kW"},
            "SoC": {"value": 55, "unit": "Percent", "location": "EV"},
        },
        "transactionId": 1,
        "currentPower": 7.4,
        "totalEnergy": 4.5,
    }
    assert station.payload("completed") == {
        "transactionId": 1,
        "connectorId": 1,
        "idTag": "TAG",
        "meterStart": 1000,
        "meterStop": 8213,
        "startTime": "2026-03-01T10:00:00Z",
        "stopTime": "2026-03-01T10:50:30Z",
        "energyUsed": 7.213,
        "duration": 50.5,
        "reason": "EVDisconnected",
        "quality": "good",
        "status": "completed",
        "currentMeter": 4500,
    }
    assert station.payload("session_cost") == {
        "transactionId": 1,
        "connectorId": 1,
        "idTag": "TAG",
        "startTime": "2026-03-01T10:00:00Z",
        "endTime": "2026-03-01T10:50:30Z",
        "energyConsumed": 7.213,
        "duration": 50.5,
        "estimatedCost": 5.84,
        "currency": "EUR",
        "pricingModel": "energy+time+session",
        "energyRate": 0.39,
        "timeRate": 0.05,
        "breakdown": {"energy": 2.81307, "time": 2.525, "session": 0.5},
    }
    assert station.payloads("status_changed") == [
        {"connectorId": 1, "status": "Preparing", "errorCode": "NoError"},
        {
            "connectorId": 1,
            "status": "Charging",
            "previousStatus": "Preparing",
            "transactionId": 1,
            "errorCode": "NoError",
        },
        {"connectorId": 1, "status": "Available", "previousStatus": "Charging", "errorCode": "NoError"},
    ]


def test_every_event_names_the_message_that_caused_it(station: Station) -> None:
    transaction_id = station.start()
    station.stop(transaction_id)
    assert [event["causationId"] for event in station.events] == ["m1", "m2", "m2"]
    assert [event["sequence"] for event in station.events] == [1, 2, 3]
    assert all(event["eventId"].startswith(f"{event['eventType']}_") for event in station.events)


def test_the_row_of_a_transaction_says_the_same(station: Station) -> None:
    transaction_id = station.start("10:00", 1000)
    assert station.transactions[transaction_id].status == "active"
    station.stop(transaction_id, "11:00", 2500, id_tag="OTHER")
    row = station.transactions[transaction_id]
    assert (row.status, row.energy_wh, row.meter_stop_wh, row.reason) == ("completed", 1500, 2500, "Local")
    assert (row.stop_id_tag, row.currency, row.cost) == ("OTHER", "EUR", 0)
    assert [row.completed_event_id, row.cost_event_id] == [event["eventId"] for event in station.events[-2:]]


def test_a_meter_start_of_zero_is_there_as_zero(station: Station) -> None:
    station.session(0, meter_stop=1500)
    assert station.payload("started")["meterStart"] == 0
    assert station.payload("completed")["energyUsed"] == 1.5


def test_a_reading_that_is_known_at_the_start_is_the_current_meter(station: Station) -> None:
    station.meter(("09:59", "1000"))
    station.meter(("09:59", "77"), connector_id=2)
    station.start("10:00", 1000)
    assert station.payload("started")["currentMeter"] == 1000


def test_a_meter_may_count_fractions(station: Station) -> None:
    completed = station.session("1000.25", meter_stop="1000.75")
    assert (completed["meterStart"], completed["meterStop"], completed["energyUsed"]) == (1000.25, 1000.75, 0.001)


def test_a_session_at_no_time_costs_the_fee_only() -> None:
    station = Station(TARIFF)
    transaction_id = station.start("10:00", 1000)
    station.stop(transaction_id, "10:00", 1000)
    assert station.payload("completed")["duration"] == 0
    assert station.payload("session_cost")["estimatedCost"] == 0.5
