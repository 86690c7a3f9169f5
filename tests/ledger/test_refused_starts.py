"""Starts that wait for the registration: kept and told of, once."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from msgspec import UNSET
from msgspec.structs import replace

from csms.ledger import clock, refused_starts
from csms.ledger.decision import Context
from csms.ledger.state import Record
from csms.ledger.transactions import StartRequest
from tests.fakes import GATEWAY, NOW, EventIds, state_of

BODY = {"connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": "2026-03-01T11:00:00Z"}
START = StartRequest(1, "TAG1", Decimal(1000), clock.judge("2026-03-01T11:00:00Z", NOW))


def _refuse(state, start=START):
    return refused_starts.refuse(state, Context(NOW, "m1", GATEWAY, EventIds()), start, body=BODY)


def test_it_is_kept_and_told_of():
    decision = _refuse(state_of(registration="Pending"))
    (row,) = decision.changes
    assert (type(row), row.kind, row.message_id, msgspec.json.decode(row.body)) == (Record, "RefusedStart", "m1", BODY)
    (event,) = decision.events
    told = event.payload
    assert (event.event_type, event.causation_id) == ("start_refused", "m1")
    assert (told.connector_id, told.id_tag, told.meter_start, told.registration) == (1, "TAG1", 1000, "Pending")
    assert told.start_time == START.instant.at
    assert decision.state.running == {}


def test_once_however_often_it_comes():
    state = _refuse(state_of(registration="Pending")).state
    again = _refuse(state)
    assert (again.is_durable, again.state) == (False, state)


@pytest.mark.parametrize(
    "other",
    [
        replace(START, connector_id=2),
        replace(START, id_tag="TAG2"),
        replace(START, meter_start_wh=Decimal(1001)),
        replace(START, instant=clock.judge("2026-03-01T11:00:01Z", NOW)),
    ],
)
def test_another_one_is_another_one(other):
    state = _refuse(state_of(registration="Pending")).state
    assert _refuse(state, other).is_durable
    assert not _refuse(_refuse(state, other).state).is_durable


def test_a_meter_that_is_not_known():
    (event,) = _refuse(state_of(registration="Pending"), replace(START, meter_start_wh=Decimal(-1))).events
    assert event.payload.meter_start is UNSET


def test_what_is_remembered_has_a_bound():
    state = state_of(registration="Pending")
    for number in range(100):
        state = _refuse(state, replace(START, meter_start_wh=Decimal(number))).state
    assert len(state.refused_starts) == 16
    assert not _refuse(state, replace(START, meter_start_wh=Decimal(99))).is_durable
