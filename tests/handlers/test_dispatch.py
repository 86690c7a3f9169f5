"""From a CALL to an answer: registration, unknown actions, and handlers that fail."""

import pytest
from ocpp.exceptions import PropertyConstraintViolationError
from ocpp.routing import on
from twisted.internet.defer import fail

from csms.chargepoint.dispatch import Dispatcher
from csms.handlers.request import Policy
from csms.ledger.state import Transaction
from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import V16
from csms.store.errors import StoreUnavailable
from tests.handlers.station import BOOT, START, Station

STOP = {"transactionId": 7, "meterStop": 1, "timestamp": "2026-03-01T11:00:00Z"}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}


@pytest.mark.parametrize("registration", ["Accepted", "Pending", "Rejected"])
def test_boot(registration):
    """BootNotification is answered with the registration that the operator gave (1.6 §4.2)."""
    station = Station(registration=registration, policy=Policy(heartbeat_interval_s=77))
    request = {**BOOT, "chargeBoxSerialNumber": "S1", "firmwareVersion": "1.2"}
    answer = station.ask("BootNotification", request)
    assert answer.payload == {"currentTime": "2026-03-01T12:00:01.000Z", "interval": 77, "status": registration}
    assert [(event.event_type, event.payload.status) for event in answer.events] == [("booted", registration)]
    assert station.state.charge_point.serial_number == "S1"
    assert station.state.charge_point.firmware_version == "1.2"


@pytest.mark.parametrize(
    ("registration", "refused", "taken"),
    [
        ("Accepted", [], ["Authorize", "StartTransaction", "StatusNotification", "Heartbeat", "StopTransaction"]),
        ("Pending", ["Authorize", "StartTransaction"], ["StatusNotification", "Heartbeat", "StopTransaction"]),
        (
            "Rejected",
            ["Authorize", "StartTransaction", "StatusNotification", "Heartbeat"],
            ["StopTransaction", "BootNotification"],
        ),
    ],
)
def test_what_a_registration_lets_pass(registration, refused, taken):
    """SecurityError before Accepted (OCPP-J 1.6 errata 3.10); energy that has flowed is taken."""
    requests = {
        "Authorize": {"idTag": "T"},
        "StartTransaction": START,
        "StatusNotification": STATUS,
        "Heartbeat": {},
        "StopTransaction": STOP,
        "BootNotification": BOOT,
    }
    for action in refused:
        answer = Station(registration=registration).ask(action, requests[action])
        assert answer.code == "SecurityError", action
        assert not any(isinstance(change, Transaction) for change in answer.changes)
    for action in taken:
        assert isinstance(Station(registration=registration).ask(action, requests[action]).payload, dict)


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("Nonsense", "NotImplemented"),
        ("heartbeat", "NotImplemented"),
        ("HeartbeatResponse", "NotImplemented"),
        ("NotifyReport", "NotImplemented"),
        ("", "NotImplemented"),
        ("x" * 10_000, "NotImplemented"),
        ("RemoteStartTransaction", "NotSupported"),
        ("Reset", "NotSupported"),
    ],
)
def test_unknown_action(action, code):
    """NotImplemented: unknown to the receiver; NotSupported: known, but not from a charge point (OCPP-J §4.2.3)."""
    answer = Station().ask(action, {})
    assert answer.code == code
    assert len(answer.frame[3]) <= 255
    assert Station(registration="Pending").ask(action, {}).code == code


class _Failing:
    def __init__(self, failure):
        self._failure = failure

    @on("Heartbeat")
    def on_heartbeat(self, request, **members):
        if isinstance(self._failure, Exception):
            raise self._failure
        return self._failure()


def _failing(failure):
    station = Station()
    station.dispatcher = Dispatcher.of(V16, [_Failing(failure)])
    return station


@pytest.mark.parametrize("failure", [ZeroDivisionError("secret"), lambda: fail(ZeroDivisionError("secret"))])
def test_a_handler_that_fails_is_logged_once_and_answered_with_internal_error(failure, logged):
    answer = _failing(failure).ask("Heartbeat", {})
    assert answer.code == "InternalError"
    assert "secret" not in str(answer.frame)
    assert len(logged.failures) == 1
    assert logged.failures[0]["action"] == "Heartbeat"


def test_a_handler_raises_the_ocpp_error_that_it_means(logged):
    answer = _failing(PropertyConstraintViolationError("too long", {"member": "x"})).ask("Heartbeat", {})
    assert answer.frame[2:] == ["PropertyConstraintViolation", "too long", {"member": "x"}]
    assert logged.failures == []


def test_a_store_that_is_away_is_no_callerror():
    """Nothing is answered then (architecture, the promise): the session hears of it."""
    with pytest.raises(StoreUnavailable):
        _failing(StoreUnavailable("away")).ask("Heartbeat", {})


def test_zero_for_false_is_a_deviation():
    """0 and 1 for booleans (lbbrhzn#1248); of 1.6 only an answer holds one."""
    schemas, answer = schemas_of(V16), {"configurationKey": [{"key": "k", "readonly": 1}]}
    assert len(schemas.check_response("GetConfiguration", answer, "tolerant")) == 1
    answer["configurationKey"][0]["readonly"] = True
    assert schemas.check_response("GetConfiguration", answer, "strict") == ()
