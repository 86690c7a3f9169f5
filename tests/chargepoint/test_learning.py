"""What the ledger learns from the answers to commands."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from msgspec import UNSET

from csms.ledger.state import ConfigurationKey, Record, Reservation
from tests.chargepoint.control import Control
from tests.fakes import NOW

UNTIL = NOW + timedelta(hours=1)
RESERVE = {"connectorId": 1, "expiryDate": "2026-03-01T13:00:00Z", "idTag": "TAG1", "reservationId": 7}
START = {"connectorId": 1, "idTag": "OTHER", "meterStart": 0, "timestamp": "2026-03-01T12:00:00Z"}


@pytest.fixture
def control():
    return Control()


@pytest.fixture
def charger(control):
    return control.connect()


def _told(control):
    return [(event.reservation_id, event.status) for event in control.events("reservation_changed")]


def _state(control):
    return control.registry.get("CP1").state


# Reservations.


def test_reserve(control, charger):
    control.send("ReserveNow", {**RESERVE, "parentIdTag": "GROUP"})
    (row,) = control.changes(Reservation)
    assert (row.client_id, row.reservation_id, row.connector_id, row.id_tag, row.parent_id_tag, row.status) == (
        "CP1",
        7,
        1,
        "TAG1",
        "GROUP",
        "ACTIVE",
    )
    assert row.expiry_date == UNTIL
    (event,) = control.events("reservation_changed")
    assert (event.status, event.previous_status, event.reason) == ("ACTIVE", UNSET, UNSET)
    committed = control.ledger.committed[-1].events[0]
    assert committed.causation_id == "m1"


@pytest.mark.parametrize("word", ["Faulted", "Occupied", "Rejected", "Unavailable"])
def test_reserve_refused(control, charger, word):
    charger.answers["ReserveNow"] = {"status": word}
    control.send("ReserveNow", RESERVE)
    (row,) = control.changes(Reservation)
    assert row.status == "REJECTED"
    assert control.events("reservation_changed")[0].reason == word
    assert _state(control).reservations == {}


def test_the_same_id_replaces(control, charger):
    control.send("ReserveNow", RESERVE)
    control.send("ReserveNow", {**RESERVE, "idTag": "TAG2"})
    assert _state(control).reservations[7].id_tag == "TAG2"
    assert control.events("reservation_changed")[1].previous_status == "ACTIVE"


def test_a_refusal_leaves_the_active_one(control, charger):
    control.send("ReserveNow", RESERVE)
    charger.answers["ReserveNow"] = {"status": "Occupied"}
    control.send("ReserveNow", {**RESERVE, "idTag": "TAG2"})
    assert _state(control).reservations[7].id_tag == "TAG1"
    assert _told(control) == [(7, "ACTIVE")]


def test_cancel(control, charger):
    control.send("ReserveNow", RESERVE)
    control.send("CancelReservation", {"reservationId": 8})
    assert _told(control) == [(7, "ACTIVE")]
    control.send("CancelReservation", {"reservationId": 7})
    assert _told(control) == [(7, "ACTIVE"), (7, "CANCELLED")]
    assert _state(control).reservations == {}
    control.send("CancelReservation", {"reservationId": 7})
    assert len(_told(control)) == 2


def test_used_by_the_start_that_carries_its_id_whoevers_tag(control, charger):
    control.send("ReserveNow", RESERVE)
    charger.say("StartTransaction", {**START, "reservationId": 7})
    control.settle()
    assert _told(control) == [(7, "ACTIVE"), (7, "USED")]
    row = control.changes(Reservation)[-1]
    assert (row.status, row.transaction_id) == ("USED", 1)


def test_not_used_by_a_start_without_its_id(control, charger):
    control.send("ReserveNow", RESERVE)
    charger.say("StartTransaction", {**START, "idTag": "TAG1"})
    charger.say("StartTransaction", {**START, "connectorId": 2, "reservationId": 9})
    control.settle()
    assert _told(control) == [(7, "ACTIVE")]


def _expire(control):
    control.get(control.operations.expire_reservations())


@pytest.mark.parametrize("online", [True, False])
def test_expires_by_the_clock(control, charger, online):
    control.send("ReserveNow", RESERVE)
    if not online:
        control.lose(charger)
    _expire(control)
    assert _told(control) == [(7, "ACTIVE")]
    control.advance(3600)
    _expire(control)
    _expire(control)
    assert _told(control) == [(7, "ACTIVE"), (7, "EXPIRED")]


def test_a_queued_start_uses_one_that_has_expired_here(control, charger):
    control.send("ReserveNow", RESERVE)
    control.advance(3600)
    _expire(control)
    charger.say("StartTransaction", {**START, "reservationId": 7})
    control.settle()
    assert _told(control)[-1] == (7, "USED")


@pytest.mark.parametrize(("connector_id", "ends"), [(1, True), (0, True), (2, False)])
def test_ends_where_its_connector_is_faulted(control, charger, connector_id, ends):
    """OCPP 1.6 §5.13."""
    control.send("ReserveNow", RESERVE)
    charger.say("StatusNotification", {"connectorId": connector_id, "errorCode": "GroundFailure", "status": "Faulted"})
    control.settle()
    assert (_told(control)[-1] == (7, "CANCELLED")) is ends
    assert not ends or control.events("reservation_changed")[-1].reason == "Faulted"


def test_an_answer_that_arrives_with_the_end_of_the_socket_is_learnt(control, charger):
    charger.answers["ReserveNow"] = None
    results = control.start(control.commands.send("CP1", "ReserveNow", RESERVE, message_id="r"))
    charger.say("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    charger.receive(b'[3,"r",{"status":"Accepted"}]')
    control.lose(charger)
    assert results == [{"status": "Accepted"}]
    assert _told(control) == [(7, "ACTIVE")]
    assert control.ledger.events()[-1] == "disconnected"


# Sessions: a word of the charge point's alone begins and ends them.


def test_remote_start_and_stop(control, charger):
    control.send("RemoteStartTransaction", {"idTag": "TAG1"})
    assert [row.kind for row in control.changes(Record)] == ["RemoteStartTransaction"]
    charger.say("StartTransaction", START)
    control.settle()
    control.send("RemoteStopTransaction", {"transactionId": 1})  # the simulated one knows of none: Rejected
    assert [row.kind for row in control.changes(Record)] == ["RemoteStartTransaction"]
    assert list(_state(control).running) == [1]
    assert control.events("completed") == []


# Records.


@pytest.mark.parametrize("kind", ["GetDiagnostics", "UpdateFirmware"])
def test_records_hold_no_passwords(control, charger, kind):
    payload = {"location": "ftp://operator:geheim@example.org/x"}
    if kind == "UpdateFirmware":
        payload["retrieveDate"] = "2026-03-01T13:00:00Z"
    control.send(kind, payload)
    (row,) = control.changes(Record)
    assert (row.kind, row.message_id) == (kind, "m1")
    body = msgspec.json.decode(row.body)
    assert set(body) == {"request", "response"}
    assert b"geheim" not in row.body
    assert b"operator" in row.body
    assert charger.calls[-1] == (kind, payload)


# Configuration.


def _store(control):
    """Bring the rows that were committed where the next command looks for what is known."""
    rows = control.changes(ConfigurationKey)

    def known(client_id):
        return {row.key.casefold(): row for row in rows if row.client_id == client_id}

    control.ledger._known_configuration = known


def test_get_configuration(control, charger):
    control.send("GetConfiguration", {})
    rows = {row.key: row for row in control.changes(ConfigurationKey)}
    assert rows["HeartbeatInterval"].value == "300"
    assert rows["NumberOfConnectors"].readonly
    assert control.events("configuration_changed") == []
    _store(control)
    charger.station.heartbeat_interval_s = 60.0
    control.send("GetConfiguration", {})
    (event,) = control.events("configuration_changed")
    assert (event.key, event.value, event.previous_value, event.status) == ("HeartbeatInterval", "60", "300", UNSET)


def test_change_configuration(control, charger):
    control.send("GetConfiguration", {})
    _store(control)
    control.send("ChangeConfiguration", {"key": "heartbeatinterval", "value": "60"})  # refused: it is spelled otherwise
    assert control.events("configuration_changed") == []
    control.send("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"})
    (event,) = control.events("configuration_changed")
    assert (event.key, event.value, event.previous_value, event.status) == (
        "HeartbeatInterval",
        "60",
        "300",
        "Accepted",
    )
    _store(control)
    control.send("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"})
    assert len(control.events("configuration_changed")) == 1


@pytest.mark.parametrize(
    "key", ["AuthorizationKey", "authorizationkey", "BasicAuthPassword", "WiFi_Password", "ApnSecret"]
)
def test_secrets_are_never_kept(control, charger, key):
    charger.answers["ChangeConfiguration"] = {"status": "Accepted"}
    charger.answers["GetConfiguration"] = {"configurationKey": [{"key": key, "readonly": False, "value": "geheim"}]}
    control.send("ChangeConfiguration", {"key": key, "value": "geheim"})
    control.send("GetConfiguration", {"key": [key]})
    for decision in control.ledger.committed:
        assert b"geheim" not in msgspec.json.encode([decision.changes, decision.events])
    assert [(event.key, event.value) for event in control.events("configuration_changed")] == [(key, UNSET)]


def test_a_hostile_answer(control, charger):
    for response in (
        {"configurationKey": "all"},
        {
            "configurationKey": [
                1,
                {},
                {"key": 5},
                {"key": ""},
                {"key": "k" * 200, "value": "v"},
                {"key": "A", "value": 5},
            ]
        },
        {"configurationKey": [{"key": f"K{number}", "readonly": "no"} for number in range(5000)]},
    ):
        charger.answers["GetConfiguration"] = response
        assert control.send("GetConfiguration", {}) == response
    rows = control.changes(ConfigurationKey)
    assert rows[0].key == "A"
    assert rows[0].value == "5"
    assert len(rows) == 1001


# Progress.


@pytest.mark.parametrize(
    ("action", "event_type"),
    [
        ("FirmwareStatusNotification", "firmware_status"),
        ("SignedFirmwareStatusNotification", "firmware_status"),
        ("DiagnosticsStatusNotification", "diagnostics_status"),
        ("LogStatusNotification", "diagnostics_status"),
    ],
)
def test_progress_is_told(control, charger, action, event_type):
    more = {"requestId": 4} if action in {"SignedFirmwareStatusNotification", "LogStatusNotification"} else {}
    charger.say(action, {"status": "Idle", **more})
    control.settle()
    (event,) = control.events(event_type)
    assert (event.status, event.request_id) == ("Idle", more.get("requestId", UNSET))
