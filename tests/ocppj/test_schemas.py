"""Payloads against schemas: which faults are errors, which are deviations, and what they are called."""

from __future__ import annotations

from typing import Any

import pytest

from csms.ocppj.schemas import BadPayload, Mode, Schemas
from csms.ocppj.versions import V16

SCHEMAS = Schemas(V16)
START = {"connectorId": 1, "idTag": "TAG", "meterStart": 0, "timestamp": "2026-03-01T10:00:00Z"}
STOP = {"transactionId": 1, "meterStop": 10, "timestamp": "2026-03-01T10:00:00Z"}
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
SAMPLE = {"value": "1"}


def readings(sample: dict[str, Any]) -> dict[str, Any]:
    return {"connectorId": 1, "meterValue": [{"timestamp": "2026-03-01T10:00:00Z", "sampledValue": [sample]}]}


TOLERABLE = [
    pytest.param(
        "StatusNotification", {**STATUS, "status": "Sleeping"}, "PropertyConstraintViolation", "status", id="enum"
    ),
    pytest.param(
        "StartTransaction", {**START, "idTag": "T" * 21}, "PropertyConstraintViolation", "idTag", id="long text"
    ),
    pytest.param(
        "StopTransaction", {**STOP, "idTag": "T" * 36}, "PropertyConstraintViolation", "idTag", id="lbbrhzn#1803"
    ),
    pytest.param("Heartbeat", {"vendor": 1}, "FormationViolation", "payload", id="extra member"),
    pytest.param(
        "StartTransaction", {**START, "meterStart": 0.5}, "TypeConstraintViolation", "meterStart", id="fraction"
    ),
    pytest.param(
        "MeterValues",
        readings({"value": 230.1}),
        "TypeConstraintViolation",
        "meterValue.0.sampledValue.0.value",
        id="number",
    ),
    pytest.param(
        "MeterValues",
        readings({"value": "1", "unit": "Hz"}),
        "PropertyConstraintViolation",
        "meterValue.0.sampledValue.0.unit",
        id="unit",
    ),
]
FAULTS = [
    pytest.param("StartTransaction", {"connectorId": 1}, "ProtocolError", id="missing member"),
    pytest.param("MeterValues", {**readings({}), "connectorId": 1}, "ProtocolError", id="missing nested member"),
    pytest.param("StartTransaction", {**START, "connectorId": "1"}, "TypeConstraintViolation", id="text for a number"),
    pytest.param("StartTransaction", {**START, "connectorId": None}, "TypeConstraintViolation", id="null"),
    pytest.param(
        "StartTransaction", {**START, "meterStart": True}, "TypeConstraintViolation", id="boolean for a number"
    ),
    pytest.param(
        "StartTransaction", {**START, "idTag": {"id": "x"}}, "TypeConstraintViolation", id="object for a text"
    ),
    pytest.param(
        "MeterValues", {"connectorId": 1, "meterValue": {}}, "TypeConstraintViolation", id="object for a list"
    ),
    pytest.param("MeterValues", readings({"value": False}), "TypeConstraintViolation", id="boolean for a text"),
]


@pytest.mark.parametrize(("action", "payload", "code", "path"), TOLERABLE)
def test_tolerant_mode_accepts_and_names_what_does_no_harm(
    action: str, payload: dict[str, Any], code: str, path: str
) -> None:
    """lbbrhzn#1248, core#971: enums beyond the spec, text over its length, extra members."""
    (deviation,) = SCHEMAS.check_request(action, payload, "tolerant")
    assert deviation.startswith(f"{path}: ")
    assert len(deviation) < 250


@pytest.mark.parametrize(("action", "payload", "code", "path"), TOLERABLE)
def test_strict_mode_refuses_the_same_with_its_code_and_path(
    action: str, payload: dict[str, Any], code: str, path: str
) -> None:
    with pytest.raises(BadPayload) as caught:
        SCHEMAS.check_request(action, payload, "strict")
    assert caught.value.code == code
    assert caught.value.description.startswith(f"{path}: ")


@pytest.mark.parametrize("mode", ["strict", "tolerant", "off"])
@pytest.mark.parametrize(("action", "payload", "code"), FAULTS)
def test_a_missing_member_or_a_wrong_structure_is_an_error_in_every_mode(
    action: str, payload: dict[str, Any], code: str, mode: Mode
) -> None:
    with pytest.raises(BadPayload) as caught:
        SCHEMAS.check_request(action, payload, mode)
    assert caught.value.code == code


def test_a_fault_among_deviations_is_still_an_error() -> None:
    with pytest.raises(BadPayload) as caught:
        SCHEMAS.check_request("StatusNotification", {"connectorId": 1, "status": "Sleeping", "more": 1}, "tolerant")
    assert caught.value.code == "ProtocolError"


@pytest.mark.parametrize("mode", ["strict", "tolerant", "off"])
@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Heartbeat", {}),
        ("StartTransaction", START),
        ("StartTransaction", {**START, "idTag": "#4711"}),  # steve#1322
        ("StopTransaction", STOP),
        ("StopTransaction", {**STOP, "transactionId": -1, "meterStop": -1}),
        ("StatusNotification", STATUS),
        ("MeterValues", readings(SAMPLE)),
    ],
)
def test_what_fits_has_no_deviations(action: str, payload: dict[str, Any], mode: Mode) -> None:
    assert SCHEMAS.check_request(action, payload, mode) == ()


@pytest.mark.parametrize(("value", "deviations"), [(0, 1), (1, 1), (True, 0)])
def test_zero_and_one_stand_for_booleans(value: object, deviations: int) -> None:
    """lbbrhzn#1248: 0/1 for booleans."""
    payload = {"configurationKey": [{"key": "K", "readonly": value}]}
    assert len(SCHEMAS.check_response("GetConfiguration", payload, "tolerant")) == deviations


def test_another_number_is_no_boolean() -> None:
    with pytest.raises(BadPayload) as caught:
        SCHEMAS.check_response("GetConfiguration", {"configurationKey": [{"key": "K", "readonly": 2}]}, "tolerant")
    assert caught.value.code == "TypeConstraintViolation"


def test_a_response_is_checked_against_its_own_schema() -> None:
    assert SCHEMAS.check_response("Reset", {"status": "Accepted"}, "strict") == ()
    with pytest.raises(BadPayload) as caught:
        SCHEMAS.check_response("Reset", {"type": "Soft"}, "tolerant")
    assert caught.value.code == "ProtocolError"


def test_an_unknown_action_has_no_schema() -> None:
    with pytest.raises(KeyError):
        SCHEMAS.check_request("Reboot", {}, "tolerant")
    assert "Reboot" not in SCHEMAS.actions
    assert "HeartbeatResponse" not in SCHEMAS.actions


def test_a_flood_of_deviations_is_cut() -> None:
    values = [{"timestamp": "x", "sampledValue": [{"value": "1", "unit": "Furlong"}]}] * 500
    deviations = SCHEMAS.check_request("MeterValues", {"connectorId": 1, "meterValue": values}, "tolerant")
    assert len(deviations) == 20


def test_a_list_that_is_too_short_has_the_code_in_the_spelling_of_1_6() -> None:
    """No schema of 1.6 has a shortest list; those of later versions do, and share this code."""
    schemas = Schemas(V16)
    schemas._texts["Invented"] = {"type": "object", "properties": {"list": {"type": "array", "minItems": 1}}}
    with pytest.raises(BadPayload) as caught:
        schemas.check_request("Invented", {"list": []}, "tolerant")
    assert caught.value.code == "OccurenceConstraintViolation"


def test_numbers_that_were_let_pass_in_place_of_texts_become_texts() -> None:
    """Tolerant mode: what handlers are given has the types of the specification."""
    payload = {**readings({"value": 230.1, "phase": "L1"}), "transactionId": 7}
    assert SCHEMAS.with_texts(payload) == {**readings({"value": "230.1", "phase": "L1"}), "transactionId": 7}
    assert SCHEMAS.with_texts({"idTag": 4711, "connectorId": 1}) == {"idTag": "4711", "connectorId": 1}
    assert SCHEMAS.with_texts({"readonly": False, "key": None}) == {"readonly": False, "key": None}
