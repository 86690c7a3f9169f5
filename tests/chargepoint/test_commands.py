"""Every command of OCPP 1.6 to a simulated charge point: what comes back, whatever happens to it."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from csms.chargepoint.outcomes import (
    CallRefused,
    CallTimedOut,
    ConnectionLost,
    Expired,
    InvalidPayload,
    NotConnected,
    TooManyCommands,
    UnknownAction,
    UnknownChargePoint,
)
from csms.handlers.v16.commands import COMMANDS
from csms.ledger.provisioning import Provision
from csms.ledger.state import Record, Reservation
from csms.ocppj.connection import MAX_WAITING
from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import V16
from tests.chargepoint.control import Control
from tests.command_table import ACCEPTED, AT, TABLE, every_action
from tests.fakes import state_of

SCHEMAS = schemas_of(V16)


@pytest.fixture
def control():
    return Control()


def test_the_table_is_complete():
    assert {row[0] for row in TABLE} == COMMANDS.actions
    assert len(COMMANDS.actions) == 26


@every_action
def test_accepted(control, action, request_, accepted, refused):
    charger = control.connect()
    charger.answers[action] = accepted
    sent = []
    assert control.send(action, request_, message_id="mine", on_sent=sent.append) == accepted
    assert sent == ["mine"]
    assert orjson.loads(charger.sent[-1]) == [2, "mine", action, request_]
    assert charger.sent[-1] == orjson.dumps([2, "mine", action, request_])


@every_action
def test_refused(control, action, request_, accepted, refused):
    charger = control.connect()
    charger.answers[action] = refused
    assert control.send(action, request_) == refused
    assert control.ledger.transactions == {}
    assert all(row.status == "REJECTED" for row in control.changes(Reservation))


@every_action
def test_what_the_simulator_answers(control, action, request_, accepted, refused):
    control.connect()
    response = control.send(action, request_)
    SCHEMAS.check_response(action, response, "strict")


@every_action
def test_call_error(control, action, request_, accepted, refused):
    charger = control.connect()
    charger.answers[action] = "InternalError"
    with pytest.raises(CallRefused) as caught:
        control.send(action, request_)
    error = caught.value
    assert (error.status, error.code, error.description, error.details) == (
        "CallError",
        "InternalError",
        "no",
        {"why": 1},
    )
    assert control.changes(Record) == control.changes(Reservation) == []


@every_action
def test_silence(control, action, request_, accepted, refused):
    charger = control.connect()
    charger.answers[action] = None
    results = control.start(control.commands.send("CP1", action, request_, timeout_s=5))
    control.advance(4.9)
    assert results == []
    control.advance(0.2)
    (failure,) = results
    assert failure.check(CallTimedOut)
    assert failure.value.status == "Timeout"
    assert control.commands.is_connected("CP1")
    assert control.changes(Record) == control.changes(Reservation) == []
    assert control.send("GetLocalListVersion" if action == "ClearCache" else "ClearCache", {})


@every_action
def test_socket_lost_in_the_middle(control, action, request_, accepted, refused):
    charger = control.connect()
    charger.answers[action] = None
    first = control.start(control.commands.send("CP1", action, request_, message_id="a"))
    second = control.start(control.commands.send("CP1", action, request_))
    control.lose(charger)
    assert first[0].check(ConnectionLost)
    assert first[0].value.message_id == "a"
    assert second[0].check(NotConnected)
    assert not control.commands.is_connected("CP1")


@every_action
def test_hard_reset_with_an_instant_reconnect(control, action, request_, accepted, refused):
    """Hard Reset is never answered: a new socket arrives within milliseconds, and serves what comes next."""
    old = control.connect()
    old.answers = {"Reset": None, action: None}
    reset = control.start(control.commands.send("CP1", "Reset", {"type": "Hard"}))
    behind = control.start(control.commands.send("CP1", action, request_))
    new = control.connect(boot=False)
    assert reset[0].check(ConnectionLost)
    assert behind[0].check(NotConnected)
    assert old.closed_with[0] == 1008
    new.answers[action] = accepted
    assert control.send(action, request_) == accepted
    new.say("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"})
    control.settle()
    assert control.send(action, request_) == accepted


def test_the_order_of_members_is_kept(control):
    charger = control.connect()
    control.send("ReserveNow", {"reservationId": 1, "idTag": "T", "expiryDate": AT, "connectorId": 1})
    assert b'{"reservationId":1,"idTag":"T","expiryDate":"%b","connectorId":1}]' % AT.encode() in charger.sent[-1]


def test_one_outstanding_and_the_next_when_it_is_settled(control):
    charger = control.connect()
    charger.answers["Reset"] = None
    first = control.start(control.commands.send("CP1", "Reset", {"type": "Soft"}, timeout_s=10))
    second = control.start(control.commands.send("CP1", "ClearCache", {}))
    control.settle()
    assert charger.actions == ["Reset"]
    control.advance(10)
    assert first[0].check(CallTimedOut)
    assert second == [ACCEPTED]


def test_too_many(control):
    charger = control.connect()
    charger.answers["ClearCache"] = None
    results = [control.start(control.commands.send("CP1", "ClearCache", {})) for _ in range(MAX_WAITING + 2)]
    assert [bool(result) for result in results].count(True) == 1
    assert results[-1][0].check(TooManyCommands)
    assert results[-1][0].value.status == "Busy"


def test_what_expires_before_its_turn_is_not_sent(control):
    charger = control.connect()
    charger.answers["ClearCache"] = None
    control.start(control.commands.send("CP1", "ClearCache", {}, timeout_s=20))
    expires_at = control.now + timedelta(seconds=5)
    reset = control.start(control.commands.send("CP1", "Reset", {"type": "Hard"}, expires_at=expires_at))
    control.advance(4.9)
    assert reset == []
    control.advance(0.2)
    assert reset[0].check(Expired)
    control.advance(30)
    assert charger.actions == ["ClearCache"]
    late = control.start(
        control.commands.send("CP1", "Reset", {"type": "Hard"}, expires_at=expires_at - timedelta(days=1))
    )
    assert late[0].check(Expired)


def test_a_turn_that_does_not_come(control):
    charger = control.connect()
    charger.answers["Reset"] = None
    control.start(control.commands.send("CP1", "Reset", {"type": "Soft"}, timeout_s=600))
    behind = control.start(control.commands.send("CP1", "ClearCache", {}))
    control.advance(60)
    assert behind[0].check(TooManyCommands)
    assert charger.actions == ["Reset"]


def test_unknown_charge_point(control):
    with pytest.raises(UnknownChargePoint):
        control.send("ClearCache", {}, client_id="CP9")


@pytest.mark.parametrize("action", ["Nonsense", "BootNotification", "StartTransaction", "clearCache", ""])
@pytest.mark.parametrize("online", [True, False])
def test_unknown_action(control, action, online):
    charger = control.connect()
    if not online:
        control.lose(charger)
    with pytest.raises(UnknownAction):
        control.send(action, {})


@pytest.mark.parametrize(
    ("payload", "path"),
    [
        ({"type": "Warm"}, "type"),
        ({}, "payload"),
        ({"type": "Hard", "more": 1}, "payload"),
        ({"type": 1}, "type"),
    ],
)
@pytest.mark.parametrize("online", [True, False])
def test_bad_payload(control, payload, path, online):
    charger = control.connect()
    if not online:
        control.lose(charger)
    with pytest.raises(InvalidPayload) as caught:
        control.send("Reset", payload)
    assert caught.value.path == path
    assert caught.value.status == "BadPayload"
    assert "Reset" not in charger.actions
    with pytest.raises(InvalidPayload):
        control.get(control.commands.check("CP1", "Reset", payload))


def test_a_number_that_json_does_not_carry(control):
    control.connect()
    with pytest.raises(InvalidPayload):
        control.send("CancelReservation", {"reservationId": 2**70})


def test_offline_fails_at_once_and_nothing_is_queued(control):
    control.lose(control.connect())
    with pytest.raises(NotConnected):
        control.send("ClearCache", {})
    control.get(control.commands.check("CP1", "ClearCache", {}))
    assert control.connect().actions == []


def test_offline_while_the_ledger_is_away(control):
    control.ledger.available = False
    with pytest.raises(NotConnected):
        control.send("ClearCache", {})


def test_a_response_against_its_schema_is_returned_and_noted(control):
    charger = control.connect()
    for response in ({"status": "Perhaps"}, {}, {"status": "Accepted", "vendor": [1]}, {"status": 5}):
        charger.answers["ReserveNow"] = response
        request = {"connectorId": 1, "expiryDate": AT, "idTag": "T", "reservationId": 1}
        assert control.send("ReserveNow", request) == response
        assert control.published[-1].direction == "in"
        assert control.published[-1].deviations
    assert sum(control.shared.counters.values["deviations"].values()) == 4


def test_a_listener_that_fails_harms_nobody(control, logged):
    control.connect()

    def broken(message_id):
        raise ValueError(message_id)

    assert control.send("ClearCache", {}, on_sent=broken) == ACCEPTED
    assert len(logged.failures) == 1


def test_a_ledger_that_fails_to_learn_keeps_the_answer(control, logged):
    """The charge point has done it, whatever becomes of our record of it."""
    charger = control.connect()
    charger.answers["ReserveNow"] = ACCEPTED
    results = control.start(
        control.commands.send(
            "CP1", "ReserveNow", {"connectorId": 1, "expiryDate": AT, "idTag": "T", "reservationId": 1}
        )
    )
    control.ledger.available = False
    control.settle()
    assert results == [ACCEPTED]
    assert logged.failures


def test_actions_by_version(control):
    assert control.commands.actions("1.6") == COMMANDS.actions
    assert control.commands.actions("2.7") == frozenset()


# Who may be spoken to (OCPP 1.6 §4.2).


def test_not_before_the_boot_was_answered(control):
    charger = control.connect(boot=False)
    with pytest.raises(NotConnected, match="booted"):
        control.send("ClearCache", {})
    assert charger.calls == []
    charger.say("BootNotification", {"chargePointVendor": "A", "chargePointModel": "B"})
    control.settle()
    assert control.send("ClearCache", {}) == ACCEPTED


def test_without_a_boot_where_an_earlier_one_was_accepted(control):
    control.ledger.states["CP1"] = state_of(booted=True)
    control.connect(boot=False)
    assert control.send("ClearCache", {}) == ACCEPTED


def test_a_pending_one_may_be_configured(control):
    control.get(control.operations.provisioning.put("CP1", Provision(registration="Pending")))
    charger = control.connect()
    for action in ("GetConfiguration", "ClearCache"):
        control.send(action, {})
    control.send("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"})
    control.send("TriggerMessage", {"requestedMessage": "BootNotification"})
    for action, payload in (
        ("RemoteStartTransaction", {"idTag": "T"}),
        ("RemoteStopTransaction", {"transactionId": 1}),
    ):
        with pytest.raises(NotConnected, match="Pending"):
            control.send(action, payload)
    assert len(charger.calls) == 4


def test_a_rejected_one_is_not_spoken_to(control):
    control.get(control.operations.provisioning.put("CP1", Provision(registration="Rejected")))
    charger = control.connect()
    with pytest.raises(NotConnected, match="Rejected"):
        control.send("TriggerMessage", {"requestedMessage": "BootNotification"})
    assert charger.calls == []
