"""New passwords: the old one counts until the charge point has come with the new one, whatever happens on the way."""

from __future__ import annotations

import orjson
import pytest
from twisted.internet.defer import Deferred

from csms.chargepoint.outcomes import (
    CallRefused,
    CallTimedOut,
    ConnectionLost,
    NotConnected,
    TooManyCommands,
    UnknownChargePoint,
)
from csms.events.redaction import frame_without_secrets
from csms.ocppj.versions import V21, V201
from csms.passwords.hashing import make, matching
from csms.passwords.secret import canonical, checked
from csms.store.errors import StoreUnavailable
from tests.chargepoint.control import Control
from tests.fakes import password_of

OLD = make(b"the old one")


@pytest.fixture
def control():
    made = Control()
    made.ledger.put_password(password_of("CP1", OLD))
    return made


def _hashes(control):
    return control.get(control.registry.credentials("CP1")).hashes


def _counts(control, password):
    return matching(canonical(password.encode()), _hashes(control)) is not None


def _rotate(control):
    return control.get(control.commands.rotate_password("CP1"))


def _sent(charger):
    """The passwords that were sent to a charge point."""
    return [payload["value"] for _, payload in charger.calls if payload.get("key") == "AuthorizationKey"]


def test_a_rotation_that_is_taken(control):
    charger = control.connect()
    assert _rotate(control) == "Accepted"
    (password,) = _sent(charger)
    assert len(bytes.fromhex(password)) == 20
    assert _counts(control, password)
    assert _counts(control, "the old one")
    assert checked(password) == bytes.fromhex(password)


def test_it_is_in_no_event_no_row_no_message_and_no_result(control):
    charger = control.connect()
    _rotate(control)
    (password,) = _sent(charger)
    published = [frame_without_secrets(event.action, event.frame) for event in control.published]
    told = repr(control.ledger.committed) + repr(published) + repr(control.results)
    assert len(published) > 2
    assert password not in told
    assert password.upper() not in told


@pytest.mark.parametrize("word", ["Rejected", "NotSupported", "", "Ünknöwn?"])
def test_one_that_is_refused_leaves_the_old_one_alone(control, word):
    charger = control.connect()
    charger.answers["ChangeConfiguration"] = {"status": word}
    assert _rotate(control) == (word if word.isalpha() else "Unknown")
    assert _hashes(control) == (OLD,)


def test_an_answer_that_repeats_the_password_is_not_told(control):
    charger = control.connect()
    charger.answers["ChangeConfiguration"] = {"status": "0123456789abcdef"}
    assert _rotate(control) == "Unknown"
    charger.answers["ChangeConfiguration"] = "SecurityError"
    with pytest.raises(CallRefused) as refused:
        _rotate(control)
    assert (refused.value.code, refused.value.description, refused.value.details) == ("SecurityError", "", {})
    assert _hashes(control) == (OLD,)


def _said(status):
    """An answer to SetVariables."""
    return lambda request: {
        "setVariableResult": [
            {"component": item["component"], "variable": item["variable"], "attributeStatus": status}
            for item in request["setVariableData"]
        ]
    }


def _set(charger):
    """The password that a station of 2.x was told to take."""
    (request,) = [payload for action, payload in charger.calls if action == "SetVariables"]
    (item,) = request["setVariableData"]
    assert (item["component"]["name"], item["variable"]["name"]) == ("SecurityCtrlr", "BasicAuthPassword")
    return item["attributeValue"]


@pytest.mark.parametrize("version", [V201, V21], ids=lambda version: version.name)
def test_in_2_x_it_is_a_variable_that_is_not_kept(control, version):
    charger = control.connect(version=version)
    charger.answers["SetVariables"] = _said("Accepted")
    assert _rotate(control) == "Accepted"
    password = _set(charger)
    assert _counts(control, password)
    assert _counts(control, "the old one")
    published = [frame_without_secrets(event.action, event.frame) for event in control.published]
    told = repr(control.ledger.committed) + repr(published)
    assert "BasicAuthPassword" in told
    assert password not in told
    control.operations.new_passwords.came_with("CP1", matching(canonical(password.encode()), _hashes(control)))
    control.settle()
    assert (_counts(control, password), _counts(control, "the old one")) == (True, False)


@pytest.mark.parametrize("version", [V201, V21], ids=lambda version: version.name)
def test_one_that_a_station_of_2_x_refuses_leaves_the_old_one_alone(control, version):
    charger = control.connect(version=version)
    charger.answers["SetVariables"] = _said("Rejected")
    assert _rotate(control) == "Rejected"
    assert len(_set(charger)) == 40
    assert _hashes(control) == (OLD,)


def test_reboot_required_is_a_yes(control):
    charger = control.connect()
    charger.answers["ChangeConfiguration"] = {"status": "RebootRequired"}
    assert _rotate(control) == "RebootRequired"
    assert len(_hashes(control)) == 2


@pytest.mark.parametrize("fault", [CallTimedOut, ConnectionLost])
def test_where_the_answer_is_lost_both_count(control, fault):
    charger = control.connect()
    charger.answers["ChangeConfiguration"] = None
    results = control.start(control.commands.rotate_password("CP1"))
    control.settle()
    (password,) = _sent(charger)
    if fault is CallTimedOut:
        control.advance(31)
    else:
        control.lose(charger)
    assert isinstance(results[0].value, fault)
    assert _counts(control, password)
    assert _counts(control, "the old one")


def test_it_counts_before_it_is_sent(control):
    """A charge point may come with it before its answer was read."""
    charger = control.connect()
    charger.answers["ChangeConfiguration"] = None
    results = control.start(control.commands.rotate_password("CP1"))
    control.settle()
    assert results == []
    assert _counts(control, _sent(charger)[0])


@pytest.mark.parametrize("where", ["offline", "not booted", "unknown"])
def test_where_nothing_can_be_sent_nothing_is_kept(control, where):
    if where == "not booted":
        control.connect(boot=False)
    elif where == "offline":
        control.lose(control.connect())
    with pytest.raises(UnknownChargePoint if where == "unknown" else NotConnected):
        _rotate(control)
    if where != "unknown":
        assert _hashes(control) == (OLD,)


def test_while_the_ledger_is_away_nothing_is_sent(control):
    charger = control.connect()
    control.ledger.available = False
    with pytest.raises(TooManyCommands):
        _rotate(control)
    assert _sent(charger) == []


def test_while_too_many_wait_for_their_hashes_nothing_is_sent(control):
    charger = control.connect()
    control.passwords._workers.full = True
    with pytest.raises(TooManyCommands):
        _rotate(control)
    assert _sent(charger) == []


def test_after_several_without_coming_back_it_has_to_come_back_first(control):
    charger = control.connect()
    for _ in range(3):
        _rotate(control)
    with pytest.raises(TooManyCommands, match="come with one of them first"):
        _rotate(control)
    assert len(_sent(charger)) == 3
    assert all(_counts(control, password) for password in [*_sent(charger), "the old one"])


def test_when_it_comes_with_the_new_one_that_is_the_only_one(control):
    charger = control.connect()
    _rotate(control)
    _rotate(control)
    first, second = _sent(charger)
    new = matching(canonical(first.encode()), _hashes(control))
    control.operations.new_passwords.came_with("CP1", new)
    control.settle()
    assert _hashes(control) == (new,)
    assert (_counts(control, second), _counts(control, "the old one")) == (False, False)
    assert [payload.change for payload in control.events("password_changed")] == ["renewed"]
    control.operations.new_passwords.came_with("CP1", new)
    control.settle()
    assert len(control.events("password_changed")) == 1


def test_where_that_cannot_be_committed_it_stays_as_it_is(control, logged):
    control.connect()
    _rotate(control)
    before = _hashes(control)
    control.ledger.available = False
    control.operations.new_passwords.came_with("CP1", before[1])
    control.settle()
    control.ledger.available = True
    assert _hashes(control) == before
    assert logged.failures == []


def test_a_password_that_an_operator_sends_by_hand_counts_as_well(control):
    charger = control.connect()
    assert control.send("ChangeConfiguration", {"key": "AuthorizationKey", "value": "0123456789ABCDEF" * 2}) == {
        "status": "Accepted"
    }
    assert _counts(control, "0123456789abcdef" * 2)
    charger.answers["ChangeConfiguration"] = {"status": "Rejected"}
    control.send("ChangeConfiguration", {"key": "AuthorizationKey", "value": "FF" * 20})
    assert not _counts(control, "FF" * 20)


def test_other_configuration_costs_nothing(control):
    control.connect()
    before = control.passwords._workers.ran
    control.send("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "300"})
    assert control.passwords._workers.ran == before


def test_what_can_be_no_password_reaches_the_charge_point_all_the_same(control):
    charger = control.connect()
    charger.answers["ChangeConfiguration"] = {"status": "Accepted"}
    control.send("ChangeConfiguration", {"key": "AuthorizationKey", "value": "x" * 400})
    assert _sent(charger) == ["x" * 400]
    assert _hashes(control) == (OLD,)


def test_the_new_hash_has_the_salt_of_the_old_one(control):
    """So that a wrong password costs one computation however many count."""
    control.connect()
    _rotate(control)
    assert len({stored.rpartition("$")[0] for stored in _hashes(control)}) == 1


def test_a_store_that_fails_while_it_is_withdrawn_does_no_harm(control, logged):
    charger = control.connect()
    charger.answers["ChangeConfiguration"] = None
    results = control.start(control.commands.rotate_password("CP1"))
    control.settle()
    write, control.ledger.write = control.ledger.write, _failing
    message_id = next(orjson.loads(text)[1] for text in reversed(charger.sent) if orjson.loads(text)[0] == 2)
    charger.receive(orjson.dumps([4, message_id, "NotSupported", "", {}]))
    control.settle()
    control.ledger.write = write
    assert isinstance(results[0].value, CallRefused)
    assert logged.failures == []


def _failing(_job):
    done = Deferred()
    done.errback(StoreUnavailable("away"))
    return done
