"""The quirks of each charge point: told by kind, counted, bounded, with an example that does no harm."""

from __future__ import annotations

from datetime import timedelta

import pytest
import pytest_twisted

from csms.ocppj import frames
from csms.ocppj.schemas import Schemas
from csms.ocppj.versions import V16
from csms.store.deviations import FURTHER, MOST_KINDS, kind_of, list_deviations
from tests.store.decisions import NOW
from tests.store.raw_messages import answer, call, keep

SCHEMAS = Schemas(V16)
STATUS = {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}
SAMPLE = {"timestamp": "2026-03-01T12:00:00Z", "sampledValue": [{"value": "1"}, {"value": "1", "unit": "X"}]}


@pytest.mark.parametrize(
    ("action", "payload", "kinds"),
    [
        ("StatusNotification", {**STATUS, "status": "Sleeping"}, ["status: enum"]),
        ("StatusNotification", {**STATUS, "info": "x" * 500}, ["info: maxLength"]),
        ("StatusNotification", {**STATUS, "vendorId": 5}, ["vendorId: type"]),
        ("StatusNotification", {**STATUS, "customData": {}}, ["customData: additionalProperties"]),
        ("StatusNotification", {**STATUS, "\x1b[2J": 1}, ["payload: additionalProperties"]),
        ("MeterValues", {"connectorId": 1, "meterValue": [SAMPLE]}, ["meterValue.sampledValue.unit: enum"]),
        ("MeterValues", {"connectorId": 1, "meterValue": [SAMPLE] * 3}, ["meterValue.sampledValue.unit: enum"] * 3),
        (
            "MeterValues",
            {"connectorId": 1, "meterValue": [{**SAMPLE, "sampledValue": [{"value": "1", "more": 2}]}]},
            ["meterValue.sampledValue.more: additionalProperties"],
        ),
    ],
)
def test_a_kind_is_where_and_what_without_the_value(action, payload, kinds):
    deviations = SCHEMAS.check_request(action, payload, "tolerant")
    assert [kind_of(action, text) for text in deviations] == [f"{action} {kind}" for kind in kinds]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "timestamp: '1970: it\"s' is not to be believed, the time of arrival stands in",
            "StartTransaction timestamp: is not to be believed, the time of arrival stands in",
        ),
        ("sampledValue: 17 values are no numbers", "StartTransaction sampledValue: values are no numbers"),
        ("something new", "StartTransaction something new"),
    ],
)
def test_what_handlers_let_pass_has_a_kind_too(text, kind):
    assert kind_of("StartTransaction", text) == kind


def deviating(number, *deviations, **members):
    return call(number, "StatusNotification", deviations=deviations, **members)


@pytest_twisted.ensureDeferred
async def test_deviations_are_counted_over_flushes_and_restarts(store):
    wrong = ("status: enum: 'A' is wrong", "meterValue.0.x: enum: 1", "meterValue.1.x: enum: 2")
    await keep(store, deviating(1, *wrong), call(2), deviating(3, "status: enum: 'B' is wrong"))
    await keep(store, deviating(4, "status: enum: 'C' is wrong"), deviating(5, *wrong, client_id="CP2"))
    status, other = await store.read(list_deviations, "CP1")
    assert (status.deviation, status.count) == ("StatusNotification status: enum", 3)
    assert (status.first_seen, status.last_seen) == (NOW + timedelta(seconds=1), NOW + timedelta(seconds=4))
    assert status.example == "status: enum: 'A' is wrong"
    # Twice in one message is one message.
    assert (other.deviation, other.count, other.example) == (
        "StatusNotification meterValue.x: enum",
        1,
        "meterValue.0.x: enum: 1",
    )
    assert len(await store.read(list_deviations, "CP2")) == 2
    assert await store.read(list_deviations, "CP3") == []


@pytest_twisted.ensureDeferred
async def test_no_more_kinds_are_kept_than_can_be_read(store):
    log = await keep(store, *(deviating(number, f"member{number}x: enum: 1") for number in range(70)))
    for number in range(70, 250):
        log.offer(deviating(number, f"member{number}x: enum: 1"))
    await log.flush()
    # A daemon that starts anew knows what it has.
    await keep(
        store, deviating(250, "member0x: enum: 2"), deviating(251, "another: enum: 2"), deviating(252, "b: enum")
    )
    found = await store.read(list_deviations, "CP1")
    assert len(found) == MOST_KINDS
    assert (found[0].deviation, found[0].count) == (FURTHER, 250 - MOST_KINDS + 1 + 2)
    assert (found[1].deviation, found[1].count) == ("StatusNotification member0x: enum", 2)


@pytest_twisted.ensureDeferred
async def test_what_is_kept_does_no_harm(store):
    hostile = '\x1b]0;x\x07\u202e<b>"\n'
    await keep(
        store,
        deviating(1, f"info: maxLength: {hostile}{'x' * 5000}"),
        deviating(2, f"{hostile * 100}: enum: x"),
        deviating(3, "data: type: AuthorizationKey is 0123456789ABCDEF"),
    )
    found = await store.read(list_deviations, "CP1")
    assert len(found) == 3
    for item in found:
        assert (item.deviation + item.example).isprintable()
        assert len(item.deviation) <= 255
        assert len(item.example) <= 250
        assert "0123456789ABCDEF" not in item.example


@pytest_twisted.ensureDeferred
async def test_an_answer_of_the_charge_point_is_told_from_the_message_of_that_name(store):
    event = answer(1, "GetConfiguration", {"configurationKey": []}, direction="in")
    deviating_answer = type(event)(*(getattr(event, name) for name in event.__struct_fields__[:-1]), ("a: enum: x",))
    assert deviating_answer.frame.startswith(b"[%d," % frames.CALLRESULT)
    await keep(store, deviating_answer)
    (found,) = await store.read(list_deviations, "CP1")
    assert found.deviation == "GetConfigurationResponse a: enum"
