"""The status of connectors (OCPP 1.6 §4.9)."""

from __future__ import annotations

import pytest

from tests.ledger.event_station import EventStation
from tests.ledger.station import Station


def test_the_first_status_has_no_previous_one(station: Station) -> None:
    station.status(1, "Available")
    assert station.payload("status_changed") == {"connectorId": 1, "status": "Available", "errorCode": "NoError"}


def test_a_status_that_comes_again_changes_nothing(station: Station) -> None:
    """An event only where a connector's status or error code changed."""
    station.status(1, "Available")
    before = station.state
    station.status(1, "Available", info="still")
    assert station.types() == ["status_changed"]
    assert station.state is before


def test_another_error_code_with_the_same_status_is_a_change(station: Station) -> None:
    station.status(1, "Faulted", "GroundFailure")
    station.status(1, "Faulted", "OverVoltage", info="450 V", vendor_id="V", vendor_error_code="E7")
    assert station.payloads("status_changed")[-1] == {
        "connectorId": 1,
        "status": "Faulted",
        "previousStatus": "Faulted",
        "errorCode": "OverVoltage",
        "info": "450 V",
        "vendorId": "V",
        "vendorErrorCode": "E7",
    }


@pytest.mark.parametrize("connector_id", [0, 2])
def test_each_connector_has_its_own_status_and_0_is_the_station(station: Station, connector_id: int) -> None:
    station.start(connector_id=1)
    station.status(1, "Charging")
    station.status(connector_id, "Available")
    assert station.payloads("status_changed")[-1] == {
        "connectorId": connector_id,
        "status": "Available",
        "errorCode": "NoError",
    }
    assert {number: connector.status for number, connector in station.state.connectors.items()} == {
        1: "Charging",
        connector_id: "Available",
    }


def test_a_status_during_a_session_names_it(station: Station) -> None:
    transaction_id = station.start(connector_id=2)
    station.status(2, "SuspendedEV")
    assert station.payload("status_changed")["transactionId"] == transaction_id


def test_a_status_ends_no_session(station: Station) -> None:
    """Available while a transaction runs: its stop may still be in the charge point's queue."""
    transaction_id = station.start()
    station.status(1, "Available")
    assert list(station.state.running) == [transaction_id]


def test_empty_texts_are_absent(station: Station) -> None:
    station.status(1, "Available", "", info="", vendor_id="", vendor_error_code="")
    assert station.payload("status_changed") == {"connectorId": 1, "status": "Available"}


def test_a_station_that_speaks_1_6_again_has_no_other_word_for_a_status() -> None:
    """The version belongs to the socket: what it said in OCPP 2.x is not what it says now."""
    station = EventStation()
    station.status_of("Occupied")
    station.status(1, "Faulted", "GroundFailure")
    assert station.payloads("status_changed")[-1] == {
        "connectorId": 1,
        "status": "Faulted",
        "previousStatus": "Preparing",
        "errorCode": "GroundFailure",
        "evseId": 1,
        "stationConnectorId": 1,
    }
    station.status_of("Faulted")
    assert station.state.evses[1].station_status == "Faulted"
