"""A charge point's profile is the operator's word: nothing that is said over OCPP lowers it, and whoever comes below it is told of."""

import pytest
import pytest_twisted

from csms.ledger.state import PasswordHash, Provisioned
from csms.ocppj.versions import V16, V21, V201
from tests.chargepoint.control import Control
from tests.fakes import logged, state_of
from tests.websocket.test_passwords import GUESS, KEY, _come, secure

__all__ = ["logged"]
NETWORK = {
    "ocppVersion": "OCPP20", "ocppTransport": "JSON", "ocppCsmsUrl": "ws://csms.example.org/", "messageTimeout": 30,
    "securityProfile": 0, "ocppInterface": "Wired0",
}  # fmt: skip
VARIABLE = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "SecurityProfile"}}
AT = "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("version", "action", "request_", "response"),
    [
        (V16, "ChangeConfiguration", {"key": "SecurityProfile", "value": "0"}, {"status": "Accepted"}),
        (V16, "GetConfiguration", {}, {"configurationKey": [{"key": "SecurityProfile", "readonly": False, "value": "0"}]}),
        (V16, "DataTransfer", {"vendorId": "Acme", "data": "SecurityProfile=0"}, {"status": "Accepted"}),
        (V201, "SetNetworkProfile", {"configurationSlot": 1, "connectionData": NETWORK}, {"status": "Accepted"}),
        (V21, "SetNetworkProfile", {"configurationSlot": 1, "connectionData": {**NETWORK, "ocppVersion": "OCPP21"}}, {"status": "Accepted"}),
        *(
            (version, "SetVariables", {"setVariableData": [{**VARIABLE, "attributeValue": "0"}]}, {"setVariableResult": [{**VARIABLE, "attributeStatus": "Accepted"}]})
            for version in (V201, V21)
        ),
        (V201, "GetVariables", {"getVariableData": [VARIABLE]}, {"getVariableResult": [{**VARIABLE, "attributeStatus": "Accepted", "attributeValue": "0"}]}),
    ],
)  # fmt: skip
def test_no_command_that_a_charge_point_accepts_lowers_it(version, action, request_, response):
    control = Control()
    control.ledger.states["CP1"] = state_of("CP1", security_profile=2)
    control.connect(version=version).answers[action] = response
    assert control.send(action, request_) == response
    _is_kept(control)


@pytest.mark.parametrize(
    ("version", "action", "payload"),
    [
        (V16, "DataTransfer", {"vendorId": "Acme", "data": "SecurityProfile=0"}),
        (V16, "SecurityEventNotification", {"type": "SecurityProfileChanged", "timestamp": AT, "techInfo": "0"}),
        (V201, "SecurityEventNotification", {"type": "ReconfigurationOfSecurityParameters", "timestamp": AT, "techInfo": "0"}),
        (V201, "NotifyReport", {
            "requestId": 1, "generatedAt": AT, "seqNo": 0,
            "reportData": [{**VARIABLE, "variableAttribute": [{"value": "0"}]}],
        }),
        (V201, "NotifyEvent", {
            "generatedAt": AT, "seqNo": 0,
            "eventData": [{
                "eventId": 1, "timestamp": AT, "trigger": "Delta", "actualValue": "0",
                "eventNotificationType": "HardWiredNotification", **VARIABLE,
            }],
        }),
    ],
)  # fmt: skip
def test_nothing_that_a_charge_point_says_lowers_it(version, action, payload):
    control = Control()
    control.ledger.states["CP1"] = state_of("CP1", security_profile=2)
    charger = control.connect(version=version)
    charger.say(action, payload)
    control.settle()
    _is_kept(control)


def _is_kept(control):
    assert control.changes(Provisioned) == control.changes(PasswordHash) == []
    assert control.ledger._credentials("CP1").security_profile == 2
    assert control.registry.get("CP1").state.charge_point.security_profile == 2


async def _is_told(server, logged, why, client_id="CP1"):
    await server.until(lambda: "login_refused" in server.ledger.events(client_id))
    [event] = [event for decision in server.ledger.committed for event in decision.events]
    assert (event.client_id, event.event_type, event.payload.reason) == (client_id, "login_refused", why)
    [line] = logged.about(client_id)
    assert why in line


@pytest.mark.parametrize(
    ("profile", "password", "why"),
    [
        (1, None, "noPassword"),
        (1, GUESS, "wrongPassword"),
        (2, None, "noPassword"),
        (2, KEY, "noTls"),
        (3, None, "noCertificate"),
        (3, KEY, "noCertificate"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_at_a_port_of_a_lower_profile_it_is_refused_with_one_event_and_one_line(
    serve, logged, profile, password, why
):
    server = await serve()
    secure(server.ledger, security_profile=profile)
    assert (await _come(server, password)).status in {401, 403}
    await _is_told(server, logged, why)


@pytest_twisted.ensureDeferred
async def test_one_that_is_not_known(serve, logged):
    server = await serve(members={"unknown_chargepoints": "Rejected"})
    assert (await _come(server, client_id="STRANGER")).status == 404
    await _is_told(server, logged, "unknown", "STRANGER")


@pytest_twisted.ensureDeferred
async def test_one_that_has_to_wait(serve, logged):
    server = await serve()
    secure(server.ledger)
    for _ in range(3):
        # Behind one address all count as one, by the identity too: the peer is loopback.
        server.door.passwords.attempts.failed("CP1", "127.0.0.1")
    assert (await _come(server, KEY)).status == 429
    await _is_told(server, logged, "tooManyAttempts")
