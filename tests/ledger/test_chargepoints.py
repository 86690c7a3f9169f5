"""The life of a charge point: connected, booted, disconnected; and what is only kept."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from msgspec.structs import replace

from csms.events import topics
from csms.ledger import chargepoints
from csms.ledger.clock import judge
from csms.ledger.state import ChargePoint, Registration
from tests.ledger.station import Station


def test_a_charge_point_comes_and_goes(station: Station) -> None:
    station.connect()
    assert station.state.charge_point.is_online
    station.disconnect("socket closed")
    assert station.types() == ["connected", "disconnected"]
    assert station.payload("connected") == {"version": "1.6", "remoteAddress": "10.0.0.7"}
    assert station.payload("disconnected") == {
        "reason": "socket closed",
        "connectedSince": "2026-03-01T12:00:00Z",
    }
    assert not station.state.charge_point.is_online
    assert station.state.charge_point.disconnected_at is not None


def test_an_unclean_end_is_told_before_the_next_connection(station: Station) -> None:
    """Every `connected` has its `disconnected` before the next one, also where the daemon died between them."""
    station.connect()
    station.now += timedelta(hours=1)
    station.connect()
    assert station.types() == ["connected", "disconnected", "connected"]
    assert station.payload("disconnected")["connectedSince"] == "2026-03-01T12:00:00Z"
    assert [event["sequence"] for event in station.events] == [1, 2, 3]
    assert station.state.charge_point.connected_since == station.now - timedelta(milliseconds=1)


def test_going_away_twice_is_told_once(station: Station) -> None:
    station.connect()
    station.disconnect()
    station.disconnect()
    assert station.types() == ["connected", "disconnected"]


def test_a_connection_does_not_touch_what_runs(station: Station) -> None:
    """The end of a socket is not the end of a session: the charge point goes on and tells later."""
    station.connect()
    transaction_id = station.start()
    station.status(1, "Charging")
    station.disconnect()
    station.connect()
    assert list(station.state.running) == [transaction_id]
    assert station.state.connectors[1].status == "Charging"


@pytest.mark.parametrize("registration", ["Accepted", "Pending", "Rejected"])
def test_a_boot_is_answered_with_the_registration_that_the_operator_gave(
    station: Station, registration: Registration
) -> None:
    station.state = replace(station.state, charge_point=replace(station.state.charge_point, registration=registration))
    decision = chargepoints.boot(
        station.state, station.context(), vendor="V", model="M", serial_number="S1", firmware_version=None
    )
    assert station.apply(decision) == registration
    assert station.payload("booted") == {"status": registration, "vendor": "V", "model": "M", "serialNumber": "S1"}
    charge_point = station.state.charge_point
    assert (charge_point.vendor, charge_point.model, charge_point.serial_number) == ("V", "M", "S1")
    assert charge_point.booted_at is not None
    assert charge_point.booted_as == registration


@pytest.mark.parametrize(
    ("booted_as", "registration", "registered"),
    [
        (None, "Accepted", None),
        ("Accepted", "Accepted", "Accepted"),
        ("Pending", "Accepted", None),
        ("Accepted", "Pending", None),
        ("Accepted", "Rejected", None),
        ("Rejected", "Rejected", None),
    ],
)
def test_on_a_new_connection_only_what_it_was_told_counts(
    booted_as: Registration | None, registration: Registration, registered: Registration | None
) -> None:
    assert ChargePoint(client_id="CP1", registration=registration, booted_as=booted_as).registered == registered


def test_a_boot_keeps_running_transactions(station: Station) -> None:
    """Soft Reset boots again on the same socket, and a station may go on charging after a boot."""
    transaction_id = station.start()
    station.apply(
        chargepoints.boot(
            station.state, station.context(), vendor="V", model="M", serial_number=None, firmware_version="1.2"
        )
    )
    assert list(station.state.running) == [transaction_id]
    assert station.state.charge_point.firmware_version == "1.2"


@pytest.mark.parametrize("name", ["FirmwareUpdated", "started", "completed", "session_cost", "a/b #+"])
def test_a_security_event_is_published_as_one_whatever_its_name(station: Station, name: str) -> None:
    """A charge point names its security events itself: none of them gets into another family of topics."""
    body = {"type": name, "timestamp": "2026-03-01T11:00:00Z", "techInfo": "x"}
    instant = judge("2026-03-01T11:00:00Z", station.now)
    decision = chargepoints.security_event(
        station.state, station.context(), event_type=name, instant=instant, tech_info="x", body=body
    )
    station.apply(decision)
    assert station.events[0]["eventType"] == topics.level(name)
    assert station.events[0]["eventId"].startswith(topics.level(name))
    assert station.events[0]["payload"] == {"timestamp": "2026-03-01T11:00:00Z", "techInfo": "x"}
    assert topics.business(decision.events[0]).startswith("csms/security/CP-1/")
    (record,) = station.records
    assert (record.kind, json.loads(record.body)) == ("SecurityEventNotification", body)


def test_a_message_that_is_only_kept_makes_no_event(station: Station) -> None:
    body = {"vendorId": "V", "data": "\u202e<b>"}
    decision = chargepoints.keep(station.state, station.context(), kind="DataTransfer", body=body)
    assert decision.is_durable
    station.apply(decision)
    (record,) = station.records
    assert (record.kind, record.message_id, json.loads(record.body)) == ("DataTransfer", "m1", body)
    assert station.events == []
