"""What stations of OCPP 2.x tell beside transactions: kept as it came, and published."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update

from csms.events import business
from csms.handlers.families import COMMAND_SETS, command_sets
from csms.ledger.authorization import IdTag
from csms.ledger.cost import Tariff
from csms.ledger.parts import MOST_BYTES, MOST_REPORTS
from csms.ledger.state import Fact, Record
from csms.ledger.streams import MOST_STREAMS
from csms.ocppj.versions import V21, V201
from csms.store.queries import charge_point_state
from csms.store.tables import charge_points
from tests.fakes import NOW
from tests.handlers.v2.station import Station

AT = "2026-03-01T11:30:00Z"
SCHEDULE = {"id": 1, "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]}
PROFILE = {
    "id": 7,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [SCHEDULE],
}
NEEDS = {"requestedEnergyTransfer": "AC_three_phase", "departureTime": AT}
TOKEN = {"idToken": "TAG1", "type": "ISO14443"}
MESSAGE = {"id": 1, "priority": "AlwaysFront", "message": {"format": "UTF8", "content": "hello"}}
BOTH = [V201, V21]
ONLY_21 = [V21]

TOLD = [
    # versions, action, request, event type, payload of the event
    (
        BOTH,
        "NotifyChargingLimit",
        {"evseId": 2, "chargingLimit": {"chargingLimitSource": "EMS", "isGridCritical": True}, "chargingSchedule": [SCHEDULE]},
        "charging_limit_changed",
        {
            "evseId": 2, "connectorId": 2, "status": "active", "source": "EMS", "isGridCritical": True,
            "schedules": [SCHEDULE],
        },
    ),
    (
        BOTH,
        "ClearedChargingLimit",
        {"chargingLimitSource": "EMS"},
        "charging_limit_changed",
        {"status": "cleared", "source": "EMS"},
    ),
    (
        BOTH,
        "NotifyEVChargingSchedule",
        {"timeBase": AT, "evseId": 1, "chargingSchedule": SCHEDULE},
        "ev_charging_schedule",
        {"evseId": 1, "connectorId": 1, "timeBase": AT, "schedule": SCHEDULE},
    ),
    (
        BOTH,
        "PublishFirmwareStatusNotification",
        {"status": "Published", "requestId": 3, "location": ["http://10.0.0.1/fw"]},
        "firmware_published",
        {"status": "Published", "requestId": 3, "locations": ["http://10.0.0.1/fw"]},
    ),
    (BOTH, "FirmwareStatusNotification", {"status": "Installed", "requestId": 3}, "firmware_status", {"status": "Installed", "requestId": 3}),
    (BOTH, "LogStatusNotification", {"status": "Uploaded", "requestId": 4}, "diagnostics_status", {"status": "Uploaded", "requestId": 4}),
    (
        ONLY_21,
        "NotifyPriorityCharging",
        {"transactionId": "tx-1", "activated": True},
        "priority_charging_changed",
        {"stationTransactionId": "tx-1", "activated": True},
    ),
    (
        ONLY_21,
        "NotifyDERAlarm",
        {"controlType": "FreqDroop", "timestamp": AT, "gridEventFault": "OverVoltage", "alarmEnded": False},
        "der_alarm",
        {"controlType": "FreqDroop", "timestamp": AT, "gridEventFault": "OverVoltage", "alarmEnded": False},
    ),
    (
        ONLY_21,
        "NotifyDERStartStop",
        {"controlId": "c1", "started": True, "timestamp": AT, "supersededIds": ["c0"]},
        "der_control_changed",
        {"controlId": "c1", "started": True, "timestamp": AT, "supersededIds": ["c0"]},
    ),
    (
        ONLY_21,
        "BatterySwap",
        {
            "requestId": 5, "eventType": "BatteryIn", "idToken": TOKEN,
            "batteryData": [{"evseId": 1, "serialNumber": "B1", "soC": 80.5, "soH": 99}],
        },
        "battery_swapped",
        {
            "requestId": 5, "event": "BatteryIn", "idTag": "TAG1",
            "batteries": [
                {"evseId": 1, "connectorId": 1, "serialNumber": "B1", "stateOfCharge": 80.5, "stateOfHealth": 99}
            ],
        },
    ),
    (
        ONLY_21,
        "NotifySettlement",
        {"pspRef": "p1", "status": "Settled", "settlementAmount": 12.34, "settlementTime": AT, "transactionId": "tx-1"},
        "settlement",
        {"pspRef": "p1", "status": "Settled", "settlementAmount": 12.34, "settlementTime": AT, "stationTransactionId": "tx-1"},
    ),
    (
        ONLY_21,
        "VatNumberValidation",
        {"vatNumber": "NL1", "evseId": 1},
        "vat_number_asked",
        {"vatNumber": "NL1", "evseId": 1, "connectorId": 1, "status": "Rejected"},
    ),
]  # fmt: skip


def payloads(answer):
    return [json.loads(business.encode(event))["payload"] for event in answer.events]


@pytest.mark.parametrize(
    ("version", "action", "request_", "event_type", "payload"),
    [(version, *row) for versions, *row in TOLD for version in versions],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "name", ""),
)
def test_what_is_told_is_kept_and_published(version, action, request_, event_type, payload):
    answer = Station(version).ask(action, request_, "strict")
    assert answer.event_types == [event_type]
    assert payloads(answer) == [payload]
    (record,) = [change for change in answer.changes if type(change) is Record]
    assert (record.kind, json.loads(record.body)) == (action, request_)


@pytest.mark.parametrize(("version", "answer"), [(V201, "Rejected"), (V21, "NoChargingProfile")])
def test_a_vehicles_needs_are_published_and_no_schedule_is_promised(version, answer):
    """K15.FR.04: an Accepted would have the vehicle wait for a schedule that nobody makes."""
    needs = {"requestedEnergyTransfer": "AC_three_phase"}
    told = Station(version).ask("NotifyEVChargingNeeds", {"evseId": 1, "maxScheduleTuples": 3, "chargingNeeds": needs})
    assert told.payload == {"status": answer}
    assert payloads(told) == [{"evseId": 1, "connectorId": 1, "needs": needs, "answer": answer, "maxScheduleTuples": 3}]


# Reports in parts.


def profiles_part(number, *, tbc, request_id=9, evse_id=1):
    return {
        "requestId": request_id,
        "chargingLimitSource": "CSO",
        "evseId": evse_id,
        "chargingProfile": [{**PROFILE, "id": number}],
        "tbc": tbc,
    }


@pytest.mark.parametrize("version", BOTH, ids=["2.0.1", "2.1"])
def test_profiles_are_collected_by_their_request(version):
    station = Station(version)
    assert station.ask("ReportChargingProfiles", profiles_part(1, tbc=True)).events == []
    other = station.ask("ReportChargingProfiles", profiles_part(50, tbc=False, request_id=10))
    assert [item["profile"]["id"] for item in payloads(other)[0]["profiles"]] == [50]
    assert station.ask("ReportChargingProfiles", profiles_part(2, tbc=True, evse_id=2)).events == []
    (report,) = payloads(station.ask("ReportChargingProfiles", profiles_part(3, tbc=False)))
    assert (report["requestId"], report["isComplete"]) == (9, True)
    assert [(item["profile"]["id"], item["evseId"], item["connectorId"]) for item in report["profiles"]] == [
        (1, 1, 1), (2, 2, 2), (3, 1, 1),
    ]  # fmt: skip
    assert station.state.parts == {}


def test_what_is_collected_is_bounded():
    station = Station(V21)
    for request_id in range(MOST_REPORTS + 5):
        station.ask("ReportChargingProfiles", profiles_part(1, tbc=True, request_id=request_id))
    assert len(station.state.parts) == MOST_REPORTS
    large = {**MESSAGE, "message": {"format": "UTF8", "content": "w" * 1000}}
    part = {"requestId": 99, "messageInfo": [large] * 100, "tbc": True}
    for _ in range(MOST_BYTES // 100_000 + 3):
        station.ask("NotifyDisplayMessages", part)
    (report,) = payloads(station.ask("NotifyDisplayMessages", {"requestId": 99, "tbc": False}))
    assert report["isComplete"] is False
    assert 0 < len(report["messages"]) * 1000 <= MOST_BYTES


def test_der_controls_are_collected():
    station = Station(V21)
    gradient = {"id": "g1", "gradient": {"priority": 0, "gradient": 10.0, "softGradient": 1.0}}
    station.ask("ReportDERControl", {"requestId": 3, "gradient": [gradient], "tbc": True})
    (report,) = payloads(station.ask("ReportDERControl", {"requestId": 3, "gradient": [{**gradient, "id": "g2"}]}))
    assert report == {
        "requestId": 3,
        "controls": [{"gradient": gradient}, {"gradient": {**gradient, "id": "g2"}}],
        "isComplete": True,
    }


def test_what_is_known_of_a_customer_is_kept_and_not_published():
    station = Station(V201)
    part = {"requestId": 3, "generatedAt": AT}
    station.ask("NotifyCustomerInformation", {**part, "seqNo": 0, "data": "Jane Doe", "tbc": True})
    answer = station.ask("NotifyCustomerInformation", {**part, "seqNo": 2, "data": "TAG1"})
    assert payloads(answer) == [{"requestId": 3, "parts": 2, "isComplete": False}]
    assert b"TAG1" in answer.changes[0].body
    station.ask("NotifyCustomerInformation", {**part, "seqNo": 1, "data": "TAG1", "tbc": True})
    answer = station.ask("NotifyCustomerInformation", {**part, "seqNo": 0, "data": "Jane Doe"})
    assert payloads(answer) == [{"requestId": 3, "parts": 2, "isComplete": True}]


# Dynamic schedules.


def test_a_dynamic_schedule_is_answered_with_what_an_operator_last_sent():
    station = Station(V21)
    latest = {"limit": 10.5, "limit_L2": 11, "setpointReactive_L3": -1.5, "customData": {"vendorId": "x", "more": 1}}
    for sent, answer in ((latest, "Accepted"), ({"limit": 99}, "Rejected")):
        request = {"chargingProfileId": 7, "scheduleUpdate": sent}
        station.learn(COMMAND_SETS[V21], "UpdateDynamicSchedule", request, {"status": answer})
    answer = station.ask("PullDynamicScheduleUpdate", {"chargingProfileId": 7}, "strict")
    told = {name: value for name, value in latest.items() if name != "customData"}
    assert answer.payload == {"status": "Accepted", "scheduleUpdate": told}
    assert payloads(answer) == [{"chargingProfileId": 7, "status": "Accepted", "update": latest}]


def test_a_dynamic_schedule_that_nobody_sent_is_rejected():
    answer = Station(V21).ask("PullDynamicScheduleUpdate", {"chargingProfileId": 8})
    assert answer.payload == {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidProfile"}}
    assert payloads(answer) == [{"chargingProfileId": 8, "status": "Rejected"}]


# Reservations.


def reserve(station, answer="Accepted", **members):
    request = {
        "id": 7,
        "expiryDateTime": (NOW + timedelta(hours=1)).isoformat(),
        "idToken": TOKEN,
        "groupIdToken": {"idToken": "GROUP", "type": "Central"},
        **members,
    }
    return station.learn(COMMAND_SETS[station.version], "ReserveNow", request, {"status": answer})


@pytest.mark.parametrize("version", BOTH, ids=["2.0.1", "2.1"])
def test_a_reservation_stands_in_the_ledger_as_in_1_6(version):
    station = Station(version)
    decision = reserve(station, evseId=2)
    (event,) = decision.events
    assert (event.event_type, event.payload.status, event.payload.connector_id) == ("reservation_changed", "ACTIVE", 2)
    assert (event.payload.id_tag, event.payload.parent_id_tag) == ("TAG1", "GROUP")
    cancelled = station.learn(COMMAND_SETS[version], "CancelReservation", {"reservationId": 7}, {"status": "Accepted"})
    assert [event.payload.status for event in cancelled.events] == ["CANCELLED"]


def test_a_reservation_of_any_evse_and_a_refused_one():
    station = Station(V21)
    (event,) = reserve(station).events
    assert event.payload.connector_id == 0
    (event,) = reserve(station, "Occupied", id=8, evseId=1).events
    assert (event.payload.status, event.payload.reason) == ("REJECTED", "Occupied")


@pytest.mark.parametrize(
    ("version", "word", "status", "reason"),
    [
        (V201, "Expired", "EXPIRED", None),
        (V201, "Removed", "CANCELLED", "Removed"),
        (V21, "NoTransaction", "CANCELLED", "NoTransaction"),
    ],
)
def test_a_reservation_ends_by_the_stations_word(version, word, status, reason):
    station = Station(version)
    reserve(station, evseId=1)
    ended = {"reservationId": 7, "reservationUpdateStatus": word}
    (told,) = payloads(station.ask("ReservationStatusUpdate", ended, "strict"))
    assert (told["status"], told.get("reason"), told["previousStatus"]) == (status, reason, "ACTIVE")
    assert station.state.reservations == {}
    again = station.ask("ReservationStatusUpdate", ended)
    assert (again.events, len(again.changes)) == ([], 1)


# Periodic event streams.


def stream(number, monitor=40):
    return {"constantStreamData": {"id": number, "params": {"interval": 60}, "variableMonitoringId": monitor}}


def test_a_streams_values_carry_the_id_of_their_monitor():
    station = Station(V21)
    opened = station.ask("OpenPeriodicEventStream", stream(1), "strict")
    assert opened.payload == {"status": "Accepted"}
    assert payloads(opened) == [{"streamId": 1, "variableMonitoringId": 40, "status": "Accepted", "interval": 60}]
    data = {"id": 1, "pending": 2, "basetime": AT, "data": [{"t": 0, "v": "230.1"}, {"t": 1.5, "v": "230.2"}]}
    (event,) = station.send("NotifyPeriodicEventStream", data, "strict").events
    assert json.loads(business.encode(event))["payload"] == {
        "streamId": 1,
        "variableMonitoringId": 40,
        "pending": 2,
        "values": [
            {"timestamp": "2026-03-01T11:30:00Z", "value": "230.1"},
            {"timestamp": "2026-03-01T11:30:01.500000Z", "value": "230.2"},
        ],
    }
    closed = station.ask("ClosePeriodicEventStream", {"id": 1}, "strict")
    assert payloads(closed) == [{"streamId": 1, "variableMonitoringId": 40}]
    assert station.state.streams == {}


def test_open_streams_are_known_again_after_a_reconnect():
    station = Station(V21, client_id="CP1")
    station.ask("BootNotification", {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}})
    station.ask("OpenPeriodicEventStream", stream(1, 40))
    station.ask("OpenPeriodicEventStream", stream(2, 41))
    known = {}
    for version in ("2.1", "1.6"):
        with station.ledger.database.begin() as connection:
            connection.execute(update(charge_points).values(version=version))
        with station.ledger.database.connect() as connection:
            known[version] = charge_point_state(connection, "CP1", "Accepted").streams
    assert known == {"2.1": {1: 40, 2: 41}, "1.6": {}}


@pytest.mark.parametrize("version", BOTH)
def test_whose_a_remote_start_is_outlives_the_daemon(version):
    station = Station(version, client_id="CP1")
    station.ask("BootNotification", {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}})
    commands = command_sets(Tariff())[version]
    for number, answer in [*((number, "Accepted") for number in range(40)), (8, "Accepted"), (50, "Rejected")]:
        request = {"remoteStartId": number, "idToken": {"idToken": f"TAG{number}", "type": "Central"}}
        station.learn(commands, "RequestStartTransaction", request, {"status": answer})
    with station.ledger.database.begin() as connection:
        connection.execute(update(charge_points).values(version=version.name))
    with station.ledger.database.connect() as connection:
        station.state = charge_point_state(connection, "CP1", "Accepted")
    assert list(station.state.remote_starts) == [*range(9, 40), 8]
    event = {
        "eventType": "Started", "timestamp": AT, "triggerReason": "RemoteStart", "seqNo": 0, "evse": {"id": 1},
        "transactionInfo": {"transactionId": "A", "remoteStartId": 8},
    }  # fmt: skip
    assert [told["idTag"] for told in payloads(station.ask("TransactionEvent", event, "strict"))] == ["TAG8"]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (None, {"maxEnergy": 2000}),
        ("maxCost,maxEnergy", {"maxEnergy": 2000}),
        ("maxCost, MaxEnergy ", {"maxEnergy": 2000}),
        ("maxCost,maxTime", None),
        ("", None),
    ],
)
def test_a_limit_that_the_station_has_said_it_does_not_keep_is_not_told(limits, told):
    """E16.FR.12"""
    station = Station(V21)
    station.ledger.tags["tag1"] = IdTag(id_tag="TAG1", status="Accepted", budget_kwh=Decimal(2), budget_period="day")
    if limits is not None:
        report = {
            "component": {"name": "TxCtrlr"},
            "variable": {"name": "SupportedLimits"},
            "variableAttribute": [{"value": limits}],
        }
        station.ask("NotifyReport", {"requestId": 1, "generatedAt": AT, "seqNo": 0, "reportData": [report]}, "strict")
    event = {
        "eventType": "Started", "timestamp": AT, "triggerReason": "Authorized", "seqNo": 0, "evse": {"id": 1},
        "transactionInfo": {"transactionId": "A"}, "idToken": TOKEN,
    }  # fmt: skip
    assert station.ask("TransactionEvent", event, "strict").payload.get("transactionLimit") == told


def test_the_number_of_streams_is_bounded():
    station = Station(V21)
    for number in range(MOST_STREAMS):
        assert station.ask("OpenPeriodicEventStream", stream(number)).payload == {"status": "Accepted"}
    answer = station.ask("OpenPeriodicEventStream", stream(MOST_STREAMS))
    assert answer.payload == {"status": "Rejected"}
    assert not [change for change in answer.changes if type(change) is Fact]
    assert station.ask("OpenPeriodicEventStream", stream(1, 99)).payload == {"status": "Accepted"}
    assert len(station.state.streams) == MOST_STREAMS


def test_the_streams_that_a_station_tells_are_those_that_are_open():
    station = Station(V21)
    station.ask("OpenPeriodicEventStream", stream(1))
    told = {"constantStreamData": [stream(5, 50)["constantStreamData"]]}
    station.learn(COMMAND_SETS[V21], "GetPeriodicEventStream", {}, told)
    assert station.state.streams == {5: 50}
    assert station.learn(COMMAND_SETS[V21], "GetPeriodicEventStream", {}, told).changes == ()


# What nobody here can do.


def test_what_there_is_no_provider_for_has_failed():
    station = Station(V21)
    signing = station.ask("SignCertificate", {"csr": "-----BEGIN"}, "strict")
    assert signing.payload == {"status": "Rejected"}
    transfer = station.ask("DataTransfer", {"vendorId": "acme", "data": {"a": [1]}}, "strict")
    assert transfer.payload == {"status": "UnknownVendorId"}
    assert json.loads(transfer.changes[0].body) == {"vendorId": "acme", "data": {"a": [1]}}
