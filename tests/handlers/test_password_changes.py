"""How a charge point is given a password in each version."""

import pytest

from csms.events.redaction import REDACTED, without_secrets
from csms.handlers.families import COMMAND_SETS
from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import SUPPORTED, V16, V21, V201

PASSWORD = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("version", SUPPORTED, ids=lambda version: version.name)
def test_a_password_goes_as_the_schema_wants_it_and_is_found_again(version):
    change = COMMAND_SETS[version].password
    payload = change.request(PASSWORD)
    assert change.action in COMMAND_SETS[version].actions
    assert schemas_of(version).check_request(change.action, payload, "strict") == ()
    assert change.given(payload) == PASSWORD
    assert PASSWORD not in repr(without_secrets(payload))
    assert REDACTED in repr(without_secrets(payload))


@pytest.mark.parametrize(
    ("payload", "password"),
    [
        ({"key": "authorizationkey", "value": "x"}, "x"),
        ({"key": "HeartbeatInterval", "value": "300"}, None),
        ({"key": "AuthorizationKey"}, None),
        ({}, None),
    ],
)
def test_which_command_of_an_operator_is_about_a_password_in_1_6(payload, password):
    assert COMMAND_SETS[V16].password.given(payload) == password


def _item(component, variable, **members):
    return {"component": {"name": component}, "variable": {"name": variable}, **members}


@pytest.mark.parametrize("version", [V201, V21], ids=["2.0.1", "2.1"])
def test_which_one_is_in_2_x_and_what_its_answer_says(version):
    change = COMMAND_SETS[version].password
    other = _item("OCPPCommCtrlr", "HeartbeatInterval", attributeValue="300", attributeStatus="Rejected")
    its = _item("SecurityCtrlr", "BasicAuthPassword", attributeValue="x", attributeStatus="Accepted")
    of_network = _item(
        "NetworkConfiguration", "basicAuthPassword", attributeValue="y", attributeStatus="RebootRequired"
    )
    assert change.given({"setVariableData": [other, its]}) == "x"
    assert change.given({"setVariableData": [of_network]}) == "y"
    assert change.answer({"setVariableResult": [other, its]}) == "Accepted"
    assert change.answer({"setVariableResult": [of_network]}) == "RebootRequired"
    for nothing in ({}, {"setVariableData": [other], "setVariableResult": [other]}, {"setVariableData": ["x", None]}):
        assert change.given(nothing) is None
        assert change.answer(nothing) == ""


def test_the_answer_in_1_6():
    change = COMMAND_SETS[V16].password
    assert change.answer({"status": "RebootRequired"}) == "RebootRequired"
    assert change.answer({}) == ""
