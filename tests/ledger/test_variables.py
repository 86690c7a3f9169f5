"""The names of variables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ledger.variables import LONGEST_VALUE, VariableName, attribute_of, kept_value, of_wire, parse

NAMES = {
    "OCPPCommCtrlr.HeartbeatInterval": VariableName("OCPPCommCtrlr", "HeartbeatInterval"),
    "DeviceDataCtrlr.ItemsPerMessage[GetReport]": VariableName(
        "DeviceDataCtrlr", "ItemsPerMessage", variable_instance="GetReport"
    ),
    "EVSE@1.Power": VariableName("EVSE", "Power", evse_id=1),
    "Connector@1:2.AvailabilityState": VariableName(
        "Connector", "AvailabilityState", evse_id=1, station_connector_id=2
    ),
    "Fan[left]@12.Speed[x.y]": VariableName(
        "Fan", "Speed", component_instance="left", evse_id=12, variable_instance="x.y"
    ),
}
word = st.text("abAB12*-_=:+|", min_size=1, max_size=50)
number = st.none() | st.integers(1, 10**8)


@pytest.mark.parametrize(("text", "name"), NAMES.items())
def test_text(text, name):
    assert parse(text) == name
    assert name.text == text
    members = name.wire()
    assert of_wire(members["component"], members["variable"]) == name


@given(word, word, st.none() | word, number, number, st.none() | word)
def test_a_name_is_the_same_in_text_and_on_the_wire(component, variable, instance, evse, connector, part):
    name = VariableName(component, variable, instance, evse, connector if evse is not None else None, part)
    assert parse(name.text) == name
    assert of_wire(*name.wire().values()) == name


@pytest.mark.parametrize(
    "text",
    [
        "HeartbeatInterval",
        "",
        ".",
        "A.",
        ".B",
        "A@x.B",
        "A@1:.B",
        "A@0.B",
        "A@01.B",
        "A[].B",
        "A.B[",
        "A.B/C",
        "A" * 51 + ".B",
        "A@9999999999.B",
    ],
)
def test_what_names_no_variable(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("component", "variable"),
    [
        (None, {"name": "B"}),
        ({"name": "A"}, "B"),
        ({"name": ""}, {"name": "B"}),
        ({"name": 5}, {"name": "B"}),
        ({"name": "A", "instance": ["x"]}, {"name": "B"}),
        ({"name": "A", "evse": {"id": -1}}, {"name": "B"}),
        ({"name": "A", "evse": {"id": True}}, {"name": "B"}),
        ({"name": "A", "evse": {"id": 2**31}}, {"name": "B"}),
        ({"name": "A"}, {"name": "B" * 51}),
    ],
)
def test_what_is_none_on_the_wire(component, variable):
    assert of_wire(component, variable) is None


def test_the_station_is_evse_0_and_an_empty_instance_is_none():
    assert of_wire({"name": "A", "instance": "", "evse": {"id": 0}}, {"name": "B", "instance": ""}) == VariableName(
        "A", "B"
    )


def test_a_name_is_the_same_in_any_case_and_no_other_is():
    assert parse("evse@1.power").key == parse("EVSE@1.Power").key
    keys = {name.key for name in NAMES.values()}
    assert len(keys) == len(NAMES)
    assert VariableName("a.b", "c").key != VariableName("a", "b.c").key


@pytest.mark.parametrize(
    "name", ["SecurityCtrlr.BasicAuthPassword", "Vpn.SharedKey", "X[password].Y", "X.Y[WifiKey]", "Sim.PinCode"]
)
def test_values_of_secrets_are_not_kept(name):
    assert kept_value(parse(name), "geheim", None) is None


def test_values_as_they_are_kept():
    plain = parse("A.B")
    assert kept_value(plain, "5", "ReadWrite") == "5"
    assert kept_value(plain, "5", "WriteOnly") is None
    assert kept_value(plain, "", None) == ""
    assert kept_value(plain, "x" * LONGEST_VALUE, None) == "x" * LONGEST_VALUE
    assert kept_value(plain, "x" * (LONGEST_VALUE + 1), None) is None
    assert "geheim" not in kept_value(plain, "ftp://me:geheim@host/", None)


def test_attributes():
    assert [attribute_of(value) for value in (None, "Target", "actual", 5, ["Actual"])] == [
        "Actual",
        "Target",
        None,
        None,
        None,
    ]
