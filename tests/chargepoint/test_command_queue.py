"""Commands that wait for charge points that are offline."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from csms.chargepoint.command_queue import MOST_FOR_ONE
from csms.chargepoint.outcomes import CallRefused, Expired, InvalidPayload, TooManyCommands, UnknownChargePoint
from csms.ledger.provisioning import Provision
from csms.store.queued_commands import queued_for
from tests.chargepoint.control import BOOT, Control

ACCEPTED = {"status": "Accepted"}


@pytest.fixture
def control():
    control = Control()
    control.lose(control.connect())
    return control


def _queue(control, action="ClearCache", payload=None, seconds=600):
    expires_at = control.now + timedelta(seconds=seconds)
    return control.get(control.commands.queue("CP1", action, payload or {}, expires_at))


def _waiting(control):
    with control.ledger.database.connect() as connection:
        return [command.action for command in queued_for(connection, "CP1")]


def _come(control, **arguments):
    """Let the charge point come back; the fake's states do not know what waits."""
    control.ledger.states["CP1"] = _with_queue(control)
    return control.connect(**arguments)


def _with_queue(control):
    return replace(control.ledger.states["CP1"], has_queued=True)


def test_sent_when_it_is_back(control):
    message_id = _queue(control)
    control.advance(1)
    _queue(control, "Reset", {"type": "Soft"})
    charger = _come(control)
    assert charger.calls == [("ClearCache", {}), ("Reset", {"type": "Soft"})]
    assert [result[:2] + result[3:] for result in control.results] == [
        ("CP1", "ClearCache", ACCEPTED),
        ("CP1", "Reset", ACCEPTED),
    ]
    assert control.results[0][2] == message_id
    assert _waiting(control) == []
    control.lose(charger)
    assert _come(control).calls == []


def test_not_before_it_may_be_spoken_to(control):
    control.get(control.operations.provisioning.put("CP1", Provision(registration="Pending")))
    _queue(control, "RemoteStartTransaction", {"idTag": "T"})
    _queue(control)
    charger = _come(control, boot=False)
    charger.say("BootNotification", BOOT)
    control.settle()
    assert charger.actions == ["ClearCache"]
    assert _waiting(control) == ["RemoteStartTransaction"]
    control.get(control.operations.provisioning.put("CP1", Provision(registration="Accepted")))
    charger.say("BootNotification", BOOT)
    control.settle()
    assert charger.actions == ["ClearCache", "RemoteStartTransaction"]


def test_dropped_when_it_has_expired(control):
    message_id = _queue(control, seconds=60)
    control.advance(61)
    assert _come(control).calls == []
    assert control.results[0][2] == message_id
    assert isinstance(control.results[0][3], Expired)
    assert _waiting(control) == []


def test_swept_when_it_has_expired(control):
    _queue(control, seconds=60)
    _queue(control, seconds=600)
    control.advance(61)
    control.get(control.commands.sweep())
    assert [result[3].status for result in control.results] == ["Expired"]
    assert _waiting(control) == ["ClearCache"]


def test_queued_after_its_session_began_it_does_not_wait_for_the_sweep(control):
    control.get(control.operations.provisioning.put("CP1", Provision(registration="Pending")))
    charger = control.connect(boot=False)
    _queue(control)
    control.settle()
    assert charger.actions == []
    charger.say("BootNotification", BOOT)
    control.settle()
    assert charger.actions == ["ClearCache"]


def test_the_sweep_sends_what_came_by_another_daemon(control):
    _queue(control)
    control.restart()
    charger = control.connect()
    assert charger.calls == []  # its state was read before
    control.get(control.commands.sweep())
    control.settle()
    assert charger.actions == ["ClearCache"]


def test_at_once_where_it_is_connected(control):
    charger = control.connect()
    _queue(control)
    control.settle()
    assert charger.actions == ["ClearCache"]


def test_survives_a_restart(control):
    _queue(control)
    control.restart()
    assert _come(control).actions == ["ClearCache"]


def test_sent_once_at_most(control):
    """The socket goes while the CALL is on its way: whether it was done is not known, and it is not sent again."""
    _queue(control)
    control.ledger.states["CP1"] = _with_queue(control)
    charger = control.connect(boot=False)
    assert charger.actions == ["ClearCache"]
    charger = _come(control)
    assert charger.actions == []


def test_a_refusal_is_a_result(control):
    charger = control.connect()
    charger.answers["Reset"] = "InternalError"
    _queue(control, "Reset", {"type": "Hard"})
    control.settle()
    assert isinstance(control.results[0][3], CallRefused)


def test_what_cannot_be_sent_is_not_queued(control):
    with pytest.raises(InvalidPayload):
        _queue(control, "Reset", {"type": "Warm"})
    with pytest.raises(InvalidPayload, match="secret"):
        _queue(control, "ChangeConfiguration", {"key": "AuthorizationKey", "value": "geheim"})
    with pytest.raises(InvalidPayload, match="secret"):
        control.get(
            control.commands.queue(
                "CP1", "GetDiagnostics", {"location": "ftp://u:s3cret@h/"}, control.now + timedelta(hours=1)
            )
        )
    with pytest.raises(Expired):
        _queue(control, seconds=0)
    with pytest.raises(UnknownChargePoint):
        control.get(control.commands.queue("CP9", "ClearCache", {}, control.now + timedelta(seconds=9)))
    assert _waiting(control) == []


def test_a_bound(control):
    for _ in range(MOST_FOR_ONE):
        _queue(control)
    with pytest.raises(TooManyCommands):
        _queue(control)


def test_a_listener_that_fails_harms_nobody(control, logged):
    control.commands.on_queued_result = lambda *_: 1 / 0
    _queue(control)
    _queue(control, "GetLocalListVersion")
    assert _come(control).actions == ["ClearCache", "GetLocalListVersion"]
    assert len(logged.failures) == 2
