"""The device model: reports in parts, values that are told, given and taken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csms.ledger import device_model
from csms.ledger.device_model import Reported
from csms.ledger.model import Characteristics
from csms.ledger.variables import parse
from tests.ledger.model import Model


@pytest.fixture
def model():
    return Model()


def _completed(model):
    return model.payloads("report_completed")


# Reports.


@given(st.data(), st.integers(1, 12), st.booleans())
@settings(max_examples=200, deadline=None)
def test_parts_in_any_order_and_again(data, count, is_requested):
    model = Model()
    if is_requested:
        model.requested()
    repeats = data.draw(st.lists(st.integers(0, count - 1), max_size=8))
    order = data.draw(st.permutations([*range(count), *repeats]))
    seen = set()
    for number in order:
        before, rows = len(model.events), dict(model.rows)
        again = number in seen
        part = model.part(number, last=number == count - 1)
        model.notify(part, **{f"V{number}": str(number)})
        seen.add(number)
        assert not again or (len(model.events), model.rows) == (before, rows)
        assert len(_completed(model)) == (len(seen) == count)
        if data.draw(st.booleans()):
            model.forget()
    assert {row["value"] for row in model.rows.values()} == {str(number) for number in range(count)}
    (told,) = _completed(model)
    assert told["parts"] == count
    assert told.get("action") == ("GetBaseReport" if is_requested else None)
    assert model.reports[1].received == ((0, count - 1),)
    assert model.told() == []


@given(st.sets(st.integers(0, 300), min_size=1), st.integers(0, 300))
def test_a_part_that_never_comes_leaves_what_came(numbers, missing):
    model = Model()
    for number in sorted(numbers - {missing}):
        model.notify(model.part(number), **{f"V{number}": "x"})
    model.notify(model.part(301, last=True), V301="x")
    assert len(model.rows) == len(numbers - {missing}) + 1
    assert _completed(model) == []
    assert model.reports[1].completed_at is None


def test_a_complete_report_is_told_once_with_what_was_asked_for(model):
    model.requested(7, reportBase="FullInventory")
    model.notify(model.part(0, request_id=7), A="1")
    model.notify(model.part(1, last=True, request_id=7, time="11:00:30"), B="2")
    assert _completed(model) == [
        {
            "requestId": 7,
            "report": "variables",
            "parts": 2,
            "action": "GetBaseReport",
            "status": "Accepted",
            "generatedAt": "2026-03-01T11:00:30Z",
        }
    ]
    assert model.reports[7].request == b'{"requestId":7,"reportBase":"FullInventory"}'


def test_a_report_of_the_same_number_begins_anew_where_it_was_asked_for(model):
    for at in ("11:00", "11:30"):
        model.requested()
        model.notify(model.part(0, last=True, time=at), A=at)
    assert len(_completed(model)) == 2
    assert model.value("X.A") == "11:30"
    assert [event["value"] for event in model.told()] == ["11:30"]


def test_parts_that_come_before_the_answer_count(model):
    model.notify(model.part(0), A="1")
    model.requested()
    model.notify(model.part(1, last=True), B="1")
    assert _completed(model)[0]["action"] == "GetBaseReport"


def test_a_newer_part_of_a_number_that_was_there_is_taken(model):
    """A station that makes its message anew for each attempt, or that uses a number twice."""
    model.notify(model.part(0, last=True), A="1")
    model.notify(model.part(0, last=True, time="11:05"), A="2")
    model.notify(model.part(0, last=True, time="11:04"), A="3")
    assert model.value("X.A") == "2"
    assert len(_completed(model)) == 1


def test_an_empty_report_is_complete_and_a_refused_one_never(model):
    model.requested(1, "EmptyResultSet")
    model.requested(2, "NotSupported")
    assert [told["requestId"] for told in _completed(model)] == [1]
    assert (model.reports[2].status, model.reports[2].completed_at) == ("NotSupported", None)


def test_a_report_of_another_kind_with_the_same_number_is_another(model):
    model.notify(model.part(0), A="1")
    model.notify_monitors(model.part(1, last=True, kind="monitors"))
    assert _completed(model) == []


def test_few_reports_are_remembered_and_gaps_are_bounded(model):
    for number in range(20):
        model.notify(model.part(0, request_id=number), A="1")
    assert list(model.state.reports) == list(range(12, 20))
    for number in range(0, 2000, 2):
        model.notify(model.part(number, request_id=99), **{f"V{number}": "x"})
    assert len(model.reports[99].received) <= 201
    assert len(model.rows) == 1001


def test_variables_are_bounded(model, monkeypatch):
    monkeypatch.setattr(device_model, "MOST_VARIABLES", 3)
    model.notify(model.part(0), **{f"V{number}": "x" for number in range(5)})
    model.got("X.Another", "1")
    assert sorted(row["variable"] for row in model.rows.values()) == ["V0", "V1", "V2"]
    model.got("X.V0", "2")
    assert model.value("X.V0") == "2"


# What is told of values.


def _report(model, name, value, mutability="ReadWrite", attribute="Actual", request_id=1, **more):
    items = [Reported(parse(name), attribute, value, mutability, **more)]
    model.notify_items(model.part(0, last=True, request_id=request_id), items)


def test_a_changed_value_is_told(model):
    _report(model, "DeviceDataCtrlr@1:2.ItemsPerMessage[GetReport]", "5")
    _report(model, "devicedatactrlr@1:2.ItemsPerMessage[GetReport]", "6", request_id=2)
    assert model.told() == [
        {
            "key": "devicedatactrlr@1:2.ItemsPerMessage[GetReport]",
            "value": "6",
            "previousValue": "5",
            "component": "devicedatactrlr",
            "evseId": 1,
            "stationConnectorId": 2,
            "variable": "ItemsPerMessage",
            "variableInstance": "GetReport",
        }
    ]


def test_attributes_are_told_apart(model):
    for attribute in ("Actual", "Target"):
        _report(model, "X.A", "1", attribute=attribute, request_id=len(model.rows))
    model.got("X.A", "2", attribute="Target")
    assert [(event["attribute"], event["value"]) for event in model.told()] == [("Target", "2")]
    assert model.value("X.A") == "1"


def test_what_can_only_be_read_is_no_configuration(model):
    for number, value in enumerate(("11:00", "11:01")):
        _report(model, "ClockCtrlr.DateTime", value, "ReadOnly", request_id=number)
    model.got("ClockCtrlr.DateTime", "11:02")
    assert model.value("ClockCtrlr.DateTime") == "11:02"
    assert model.told() == []


def test_a_value_that_comes_alone_leaves_what_a_report_told(model):
    traits = Characteristics(data_type="integer", unit="s", supports_monitoring=True)
    _report(model, "X.A", "1", persistent=True, characteristics=traits)
    model.got("X.A", "2")
    _report(model, "X.A", "3", persistent=True, request_id=2)
    (row,) = model.rows.values()
    assert (row["value"], row["persistent"], row["characteristics"]) == ("3", True, traits)


def test_truth_values_in_any_case_are_the_same(model):
    _report(model, "X.A", "true")
    model.got("X.A", "True")
    assert model.told() == []


@pytest.mark.parametrize("status", ["Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType", ""])
def test_what_was_refused_changes_nothing(model, status):
    model.got("X.A", "1", status)
    model.set("X.A", "1", status)
    assert (model.rows, model.events) == ({}, [])


@pytest.mark.parametrize("status", ["Accepted", "RebootRequired"])
def test_set_values_are_told_with_the_answer(model, status):
    model.set("X.A", "1", status)
    model.set("X.A", "1", status)
    model.set("X.A", "2", status)
    assert [(event["value"], event.get("previousValue"), event["status"]) for event in model.told()] == [
        ("1", None, status),
        ("2", "1", status),
    ]


def test_secrets_are_neither_kept_nor_told(model):
    for _ in range(2):
        model.set("SecurityCtrlr.BasicAuthPassword", "geheim")
        model.got("SecurityCtrlr.BasicAuthPassword", "geheim")
        _report(model, "SecurityCtrlr.BasicAuthPassword", "geheim", request_id=len(model.events) + 1)
    assert "geheim" not in repr((model.rows, model.events))
    assert ["value" in event for event in model.told()] == [False, False]


def test_what_can_only_be_written_is_not_kept(model):
    _report(model, "X.A", None, "WriteOnly")
    model.set("X.A", "geheim")
    assert "geheim" not in repr((model.rows, model.events))
    assert model.told()[0]["status"] == "Accepted"


def test_a_long_request_is_not_kept(model):
    model.requested(1, componentVariable=[{"component": {"name": "X" * 50}}] * 1000)
    assert (model.reports[1].request, model.reports[1].action) == (None, "GetBaseReport")
