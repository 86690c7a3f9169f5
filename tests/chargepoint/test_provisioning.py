"""What the operator sets for charge points, and what he does with forgotten transactions."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from csms.chargepoint.provisioning import UnknownTariff
from csms.chargepoint.transactions import TransactionEnded, UnknownTransaction
from csms.ledger.cost import Tariff
from csms.ledger.provisioning import Provision
from csms.ledger.state import ChargePoint, Provisioned
from csms.ocppj.versions import V16
from csms.passwords.secret import BadPassword
from csms.passwords.threads import Busy
from tests.chargepoint.control import BOOT, Control

START = {"connectorId": 1, "idTag": "T", "meterStart": 100, "timestamp": "2026-03-01T12:00:00Z"}
STOP = {"transactionId": 1, "meterStop": 350, "timestamp": "2026-03-01T12:10:00Z"}


@pytest.fixture
def control():
    return Control()


def _put(control, **changes):
    return control.get(control.operations.provisioning.put("CP1", Provision(**changes)))


def _answers(charger):
    return [frame[2] if frame[0] == 3 else frame[2:4] for frame in map(orjson.loads, charger.sent) if frame[0] != 2]


def _say(control, charger, action, payload):
    charger.say(action, payload)
    control.settle()
    return _answers(charger)[-1]


def test_an_unknown_one_is_made(control):
    made = _put(control, registration="Pending", group_name="north", validation="strict", allow_no_subprotocol=True)
    assert made == ChargePoint(
        client_id="CP1", registration="Pending", group_name="north", validation="strict", allow_no_subprotocol=True
    )
    assert type(control.ledger.committed[-1].changes[0]) is Provisioned
    assert control.get(control.registry.credentials("CP1")).allow_no_subprotocol


def test_what_is_not_named_stays(control):
    _put(control, group_name="north", meter_factor=Decimal(10))
    assert _put(control, validation="off").group_name == "north"
    after = _put(control, group_name=None, meter_factor=None)
    assert (after.group_name, after.meter_factor, after.validation) == (None, None, "off")


@pytest.mark.parametrize("factor", [Decimal(0), Decimal(-1), Decimal("NaN"), Decimal("Infinity")])
def test_a_factor_that_is_none(control, factor):
    with pytest.raises(ValueError, match="meter_factor"):
        _put(control, meter_factor=factor)


def test_validation_takes_effect_on_the_open_socket(control):
    charger = control.connect()
    assert _say(control, charger, "Authorize", {"idTag": "T" * 21}) == {"idTagInfo": {"status": "Accepted"}}
    _put(control, validation="strict")
    assert _say(control, charger, "Authorize", {"idTag": "T" * 21})[0] == "PropertyConstraintViolation"
    _put(control, validation=None)
    assert _say(control, charger, "Authorize", {"idTag": "T" * 21}) == {"idTagInfo": {"status": "Accepted"}}


def test_a_registration_takes_effect_at_the_next_boot(control):
    charger = control.connect()
    _put(control, registration="Rejected")
    assert "transactionId" in _say(control, charger, "StartTransaction", START)
    assert control.send("ClearCache", {})
    assert _say(control, charger, "BootNotification", BOOT)["status"] == "Rejected"
    assert _say(control, charger, "StartTransaction", {**START, "connectorId": 2})[0] == "SecurityError"
    _put(control, registration="Accepted")
    assert _say(control, charger, "StartTransaction", {**START, "connectorId": 2})[0] == "SecurityError"
    assert _say(control, charger, "BootNotification", BOOT)["status"] == "Accepted"
    assert "transactionId" in _say(control, charger, "StartTransaction", {**START, "connectorId": 2})


def test_pending_is_answered_and_its_transactions_wait(control):
    _put(control, registration="Pending")
    charger = control.connect()
    assert _answers(charger)[-1]["status"] == "Pending"
    assert _say(control, charger, "StartTransaction", START)[0] == "SecurityError"
    assert "currentTime" in _say(control, charger, "Heartbeat", {})
    assert control.ledger.transactions == {}


def test_the_factor_of_the_meter(control):
    _put(control, meter_factor=Decimal("0.1"))
    charger = control.connect()
    _say(control, charger, "StartTransaction", {**START, "meterStart": 1000})
    sampled = [
        {"value": "20000"},
        {"value": "70", "measurand": "Power.Active.Import", "unit": "kW"},
        {"value": "230", "measurand": "Voltage", "unit": "V"},
        {"value": "0.9", "measurand": "Power.Factor"},
        {"value": "none", "measurand": "Energy.Active.Export.Register"},
    ]
    value = {"timestamp": "2026-03-01T12:05:00Z", "sampledValue": sampled}
    _say(control, charger, "MeterValues", {"connectorId": 1, "transactionId": 1, "meterValue": [value]})
    _say(control, charger, "StopTransaction", {**STOP, "meterStop": 31000})
    (started,) = control.events("started")
    (reading,) = control.events("meter_reading")
    (completed,) = control.events("completed")
    assert started.meter_start == 100
    assert [orjson.loads(bytes(value)) for value in (reading.total_energy, reading.current_power)] == [2, 7]
    measurands = orjson.loads(bytes(reading.measurands))
    assert measurands["Voltage"]["value"] == 230
    assert measurands["Power.Factor"]["value"] == 0.9
    assert (completed.meter_start, completed.meter_stop, completed.energy_used) == (100, 3100, 3)
    stored = next(
        change for decision in control.ledger.committed for change in decision.changes if hasattr(change, "samples")
    )
    assert b'"20000"' in stored.samples


def test_a_repeated_start_with_a_factor_is_known(control):
    _put(control, meter_factor=Decimal("0.1"))
    charger = control.connect()
    first = _say(control, charger, "StartTransaction", START)
    assert _say(control, charger, "StartTransaction", START) == first
    assert len(control.events("started")) == 1


def _tariffs(control):
    provisioning = control.operations.provisioning
    control.get(provisioning.put_tariff("day", Tariff(currency="EUR", energy_rate=Decimal("0.40"))))


def test_its_own_tariff(control):
    _tariffs(control)
    _put(control, tariff_id="day")
    charger = control.connect()
    _say(control, charger, "StartTransaction", START)
    _say(control, charger, "StopTransaction", {**STOP, "meterStop": 10100})
    (cost,) = control.events("session_cost")
    assert (cost.estimated_cost, cost.energy_rate) == (4, 0.4)


def test_a_tariff_that_changes_while_it_is_connected(control):
    _tariffs(control)
    charger = control.connect()
    _put(control, tariff_id="day")
    _say(control, charger, "StartTransaction", START)
    control.get(control.operations.provisioning.put_tariff("day", Tariff(energy_rate=Decimal("0.50"))))
    _say(control, charger, "StopTransaction", {**STOP, "meterStop": 10100})
    assert control.events("session_cost")[0].estimated_cost == 5
    assert control.get(control.operations.provisioning.delete_tariff("day"))
    assert not control.get(control.operations.provisioning.delete_tariff("day"))
    _say(control, charger, "StartTransaction", {**START, "timestamp": "2026-03-01T12:20:00Z"})
    _say(control, charger, "StopTransaction", {**STOP, "transactionId": 2, "meterStop": 10100})
    assert control.events("session_cost")[1].estimated_cost == 0


def test_a_tariff_that_there_is_not(control):
    with pytest.raises(UnknownTariff):
        _put(control, tariff_id="night")


def test_delete(control):
    charger = control.connect()
    deleting = control.start(control.operations.provisioning.delete("CP1"))
    control.settle()
    assert charger.closed_with[0] == 1008
    assert len(deleting) == 1
    assert control.registry.get("CP1") is None
    assert control.ledger.events()[-1] == "disconnected"


def test_it_does_not_arrive_while_something_is_decided_about_it(control):
    control.lose(control.connect())
    control.ledger._call_later = None
    putting = control.start(control.operations.provisioning.put("CP1", Provision(group_name="north")))
    admitted = control.start(control.registry.admit("CP1", V16))
    control.settle()
    assert (putting, admitted) == ([], [])
    control.ledger.commit_one()
    assert putting[0].group_name == "north"
    assert admitted[0].state.charge_point.group_name == "north"


# Transactions.


@pytest.mark.parametrize("online", [True, False])
def test_close_a_forgotten_transaction(control, online):
    charger = control.connect()
    _say(control, charger, "StartTransaction", START)
    if not online:
        control.lose(charger)
    control.shared.now.advance(300)
    closed = control.get(control.operations.transactions.close(1))
    assert (closed.status, closed.quality, closed.reason) == ("closed", "estimated", "Other")
    (completed,) = control.events("completed")
    with pytest.raises(TransactionEnded):
        control.get(control.operations.transactions.close(1))
    if not online:
        charger = control.connect()
    _say(control, charger, "StopTransaction", STOP)
    correction = control.events("completed")[1]
    assert (correction.meter_stop, correction.quality) == (350, "good")
    superseded = [
        event.supersedes
        for decision in control.ledger.committed
        for event in decision.events
        if event.event_type == "completed"
    ]
    assert superseded[1] is not superseded[0]
    assert completed.energy_used == 0


def test_close_what_there_is_not(control):
    with pytest.raises(UnknownTransaction):
        control.get(control.operations.transactions.close(5))


def _password(control, password):
    return control.get(control.operations.provisioning.put("CP1", Provision(), password))


def _hash(control):
    return control.get(control.registry.credentials("CP1")).password_hash


def test_a_password_is_kept_as_a_hash_and_told_without_it(control):
    made = _password(control, "correct horse")
    stored = _hash(control)
    assert stored.startswith("$argon2id$")
    assert "correct" not in repr(control.ledger.committed)
    assert stored not in repr(made)
    assert control.get(control.passwords.verify("CP1", b"correct horse", [stored])) == stored
    _put(control, group_name="north")
    assert _hash(control) == stored
    _password(control, None)
    assert _hash(control) is None
    assert [payload.change for payload in control.events("password_changed")] == ["set", "removed"]
    assert "argon2" not in repr([d.events for d in control.ledger.committed])


def test_a_password_of_hexadecimal_digits_is_the_bytes_that_they_stand_for(control):
    digits = "0001020304050607FFFFFFFFCCCCCCCCCCCCCCCC"
    _password(control, digits)
    assert control.get(control.passwords.verify("CP1", bytes.fromhex(digits), [_hash(control)])) is not None


@pytest.mark.parametrize("text", ["short", "x" * 65, "12345678\n"])
def test_what_cannot_be_a_password(control, text):
    with pytest.raises(BadPassword) as refused:
        _password(control, text)
    assert text not in str(refused.value)
    assert control.ledger.committed == []


def test_where_too_many_wait_for_their_hashes_nothing_is_changed(control):
    control.passwords._workers.full = True
    with pytest.raises(Busy):
        _password(control, "correct horse")
    assert control.ledger.committed == []


def test_a_new_password_forgives_what_was_wrong_before(control):
    for _ in range(9):
        control.passwords.attempts.failed("CP1", "203.0.113.7")
    _password(control, "correct horse")
    assert control.passwords.attempts.wait_s("CP1", "203.0.113.7") == 0


def test_a_password_leaves_the_open_socket_alone(control):
    charger = control.connect()
    _password(control, "correct horse")
    assert _say(control, charger, "Heartbeat", {})["currentTime"]
    control.lose(charger)
    assert _hash(control) is not None
