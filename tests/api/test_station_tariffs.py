"""Tariffs over HTTP: sent to charge points, and which of them they have."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from pytest_twisted import ensureDeferred

from csms.chargepoint import outcomes
from csms.ledger.decision import Decision
from csms.ledger.state import StationTariff
from csms.store import listings
from tests.api.fakes import offline
from tests.api.test_resources import charge, commit
from tests.fakes import NOW, state_of

V1 = "/api/v1"
TARIFFS = f"{V1}/chargepoints/CP1/tariffs"


async def enter(desk):
    await charge(desk)
    for name, rate in (("night", 0.2), ("day", 0.4)):
        assert (await desk.http.put(f"{V1}/tariffs/{name}", {"currency": "EUR", "energyRate": rate})).status == 201


@ensureDeferred
async def test_a_tariff_is_sent_in_the_form_of_ocpp(desk):
    await enter(desk)
    reply = await desk.http.post(TARIFFS, {"tariffId": "night", "evseId": 2})
    assert reply.status == 200, reply
    (client_id, action, payload, _timeout, message_id) = desk.commands.sent[0]
    tariff = reply.json["tariff"]
    assert (client_id, action, payload) == ("CP1", "SetDefaultTariff", {"evseId": 2, "tariff": tariff})
    assert (reply.json["messageId"], reply.json["response"]) == (message_id, {"status": "Accepted"})
    assert tariff["energy"] == {"prices": [{"priceKwh": 0.2}]}


@ensureDeferred
async def test_without_a_name_it_is_its_own_or_that_of_the_settings(desk):
    await enter(desk)
    await desk.http.post(TARIFFS, {})
    await desk.http.put(f"{V1}/chargepoints/CP1", {"tariffId": "day"})
    await desk.http.post(TARIFFS, {})
    ids = [payload["tariff"]["tariffId"].rpartition("-")[0] for _, _, payload, *_ in desk.commands.sent]
    assert ids == ["default", "day"]
    assert [payload["evseId"] for _, _, payload, *_ in desk.commands.sent] == [0, 0]


@ensureDeferred
async def test_to_a_transaction_under_the_stations_own_id(desk):
    await enter(desk)
    body = {"tariffId": "night", "transactionId": 2}
    assert (await desk.http.post(TARIFFS, body)).json["path"] == "transactionId"
    known = await desk.store.read(listings.transaction, 2)
    await commit(desk, Decision(None, state_of(), (replace(known, station_transaction_id="abc"),)))
    assert (await desk.http.post(TARIFFS, body)).status == 200
    (_, action, payload, *_) = desk.commands.sent[0]
    assert (action, payload["transactionId"]) == ("ChangeTransactionTariff", "abc")
    for wrong in ({**body, "evseId": 1}, {**body, "transactionId": 99}):
        assert (await desk.http.post(TARIFFS, wrong)).status == 422
    assert (await desk.http.post(f"{V1}/chargepoints/CP2/tariffs", body)).status == 422


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (outcomes.UnknownAction("SetDefaultTariff"), 404),
        (outcomes.CallRefused("NotSupported", "no", {}), 502),
        (offline(), 503),
        (outcomes.CallTimedOut("m1"), 504),
    ],
)
@ensureDeferred
async def test_every_other_outcome_is_a_problem(desk, outcome, status):
    await enter(desk)
    desk.commands.answers.append(outcome)
    reply = await desk.http.post(TARIFFS, {"tariffId": "night"})
    assert (reply.status, reply.is_problem) == (status, True)


@ensureDeferred
async def test_what_there_is_not(desk):
    assert (await desk.http.post(TARIFFS, {})).status == 404
    assert (await desk.http.get(TARIFFS)).status == 404
    await enter(desk)
    reply = await desk.http.post(TARIFFS, {"tariffId": "none"})
    assert (reply.status, reply.json["path"]) == (422, "tariffId")
    assert desk.commands.sent == []


@ensureDeferred
async def test_which_a_charge_point_has(desk):
    await enter(desk)
    assert (await desk.http.get(TARIFFS)).json == {"items": []}
    known = StationTariff(client_id="CP1", evse_id=2, tariff_id="night-1", kind="DefaultTariff", seen_at=NOW)
    rows = (
        known,
        replace(known, evse_id=1, valid_from=NOW),
        replace(known, tariff_id="gone", is_installed=False),
        replace(known, client_id="CP2"),
    )
    await commit(desk, Decision(None, state_of(), rows))
    shown = {"evseId": 2, "tariffId": "night-1", "kind": "DefaultTariff", "seenAt": "2026-03-01T12:00:00Z"}
    items = [{**shown, "evseId": 1, "validFrom": "2026-03-01T12:00:00Z"}, shown]
    assert (await desk.http.get(TARIFFS)).json == {"items": items}
    await desk.http.delete(f"{V1}/chargepoints/CP1")
    assert (await desk.http.get(TARIFFS)).status == 404


@ensureDeferred
async def test_the_version_of_the_local_list_is_shown(desk):
    state = await charge(desk)
    target = f"{V1}/chargepoints/CP1"
    assert "localListVersion" not in (await desk.http.get(target)).json
    point = replace(state.charge_point, local_list_version=3, local_list_seen_at=NOW)
    await commit(desk, Decision(None, replace(state, charge_point=point), (point,)))
    shown = (await desk.http.get(target)).json
    assert (shown["localListVersion"], shown["localListSeenAt"]) == (3, "2026-03-01T12:00:00Z")
