"""The resources: lists in pages, and what operators enter, change and delete."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, DeferredList

from csms.events.protocol import ProtocolEvent
from csms.ledger.decision import Decision
from csms.ledger.state import ConfigurationKey, Reservation
from csms.metrics import Counters
from csms.store.message_log import MessageLog
from tests.fakes import NOW
from tests.store.decisions import connected, metered, started, status, stopped

V1 = "/api/v1"


async def pages(desk, target, limit):
    """Return all items of a list, and how many pages it took."""
    items, count, cursor = [], 0, None
    mark = "&" if "?" in target else "?"
    while True:
        reply = await desk.http.get(f"{V1}{target}{mark}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert reply.status == 200, reply
        items += reply.json["items"]
        count += 1
        cursor = reply.json.get("next")
        if cursor is None:
            return items, count


async def commit(desk, decision):
    await desk.store.commit(decision)
    return decision.state


@pytest.fixture
def message_log(desk):
    return MessageLog(desk.store, Counters(), time.monotonic, 1_000_000)


async def charge(desk, client_id="CP1", first_id=1):
    state = await commit(desk, connected(client_id))
    state = await commit(desk, status(state))
    state = await commit(desk, started(state, first_id))
    for minute in range(1, 6):
        state = await commit(desk, metered(state, first_id, wh=f"{1000 + 100 * minute}.25", minutes=minute))
    state = await commit(desk, stopped(state, first_id))
    return await commit(desk, started(state, first_id + 1, at="2026-03-01T11:45:00Z", tag="Tag2", meter="3000"))


@ensureDeferred
async def test_charge_points_are_listed_with_their_connectors(desk):
    await charge(desk)
    await desk.http.put(f"{V1}/chargepoints/CP0", {"registration": "Pending"})
    await desk.http.put(f"{V1}/chargepoints/CP2", {})
    items, count = await pages(desk, "/chargepoints", 1)
    assert ([item["clientId"] for item in items], count) == (["CP0", "CP1", "CP2"], 3)
    items, _ = await pages(desk, "/chargepoints?connected=true", 50)
    (point,) = items
    assert point == (await desk.http.get(f"{V1}/chargepoints/CP1")).json
    assert point["connected"] is True
    assert (point["version"], point["gatewayId"], point["registration"]) == ("1.6", "gw1", "Accepted")
    (connector,) = point["connectors"]
    assert connector == {
        "connectorId": 1,
        "status": "Charging",
        "errorCode": "NoError",
        "changedAt": "2026-03-01T12:00:00Z",
        "transactionId": 2,
    }
    items, _ = await pages(desk, "/chargepoints?connected=false", 50)
    assert [item["clientId"] for item in items] == ["CP0", "CP2"]


@ensureDeferred
async def test_a_charge_point_is_provisioned(desk):
    target = f"{V1}/chargepoints/CP1"
    assert (await desk.http.get(target)).status == 404
    reply = await desk.http.put(
        target, {"registration": "Pending", "meterFactor": 0.1, "groupName": "depot", "validation": "strict"}
    )
    assert reply.status == 201
    assert {
        "registration": "Pending",
        "meterFactor": 0.1,
        "groupName": "depot",
        "validation": "strict",
    }.items() <= reply.json.items()
    reply = await desk.http.put(target, {"groupName": None, "validation": None, "allowNoSubprotocol": True})
    assert reply.status == 200
    assert "groupName" not in reply.json
    assert (reply.json["registration"], reply.json["allowNoSubprotocol"]) == ("Pending", True)
    for body, path in [
        ({"registration": "Maybe"}, "registration"),
        ({"meterFactor": 0}, "meterFactor"),
        ({"meterFactor": 0.1234567}, "meterFactor"),
        ({"meterFactor": "1"}, "meterFactor"),
        ({"tariffId": "night"}, "tariffId"),
        ({"secret": "x"}, "body"),
        ({"securityProfile": 4}, "securityProfile"),
        ({"certificateName": ""}, "certificateName"),
        ({"certificateName": "x" * 65}, "certificateName"),
        ({"certificateName": "a\nb"}, "certificateName"),
        ({"certificateName": "192.0.2.7"}, "certificateName"),
        ({"certificateName": "https://csms"}, "certificateName"),
    ]:
        reply = await desk.http.put(target, body)
        assert (reply.status, reply.json["path"]) == (422, path), body
    assert (await desk.http.delete(target)).status == 204
    assert (await desk.http.delete(target)).status == 404


@ensureDeferred
async def test_the_name_of_a_certificate_names_one_charge_point(desk):
    first, second = f"{V1}/chargepoints/CP1", f"{V1}/chargepoints/CP2"
    assert (await desk.http.put(first, {"certificateName": "SN-0042"})).json["certificateName"] == "SN-0042"
    assert (await desk.http.put(second, {})).status == 201
    for name in ("SN-0042", "CP1"):
        reply = await desk.http.put(second, {"certificateName": name})
        assert (reply.status, reply.json["path"]) == (422, "certificateName")
        assert "it names 'CP1' already" in reply.json["detail"]
    assert "certificateName" not in (await desk.http.get(second)).json
    for name in ("SN-0042", "CP1"):
        assert (await desk.http.put(first, {"certificateName": name})).status == 200
    assert (await desk.http.put(second, {"certificateName": "SN-0042"})).status == 200
    reply = await desk.http.put(second, {"certificateName": None})
    assert (reply.status, "certificateName" in reply.json) == (200, False)


@ensureDeferred
async def test_one_may_come_with_a_certificate_that_has_ended(desk):
    target = f"{V1}/chargepoints/CP1"
    assert "acceptExpiredCertificate" not in (await desk.http.put(target, {})).json
    assert (await desk.http.put(target, {"acceptExpiredCertificate": True})).json["acceptExpiredCertificate"] is True
    assert "acceptExpiredCertificate" not in (await desk.http.put(target, {"acceptExpiredCertificate": False})).json


@ensureDeferred
async def test_of_two_that_want_a_name_at_once_one_gets_it(desk):
    asked = [desk.http.put(f"{V1}/chargepoints/CP{number}", {"certificateName": "SN-0042"}) for number in (1, 2)]
    replies = await DeferredList([Deferred.fromCoroutine(maybe) for maybe in asked])
    assert sorted(reply.status for _, reply in replies) == [201, 422]


@ensureDeferred
async def test_a_password_goes_in_and_never_comes_out(desk, logged):
    target, secret = f"{V1}/chargepoints/CP1", "correct horse battery"
    reply = await desk.http.put(target, {"password": secret, "securityProfile": 2})
    assert reply.status == 201
    assert (reply.json["hasPassword"], reply.json["securityProfile"]) == (True, 2)
    seen = [
        reply.body,
        (await desk.http.get(target)).body,
        (await desk.http.get(f"{V1}/chargepoints")).body,
        (await desk.http.get(f"{V1}/events")).body,
        repr(logged.events).encode(),
    ]
    assert all(secret.encode() not in text and b"argon2" not in text for text in seen)
    (item,) = (await desk.http.get(f"{V1}/events?type=password_changed")).json["items"]
    assert item["topic"] == "csms/security/CP1/password_changed"
    assert item["event"]["payload"] == {"change": "set"}
    reply = await desk.http.put(target, {"groupName": "north"})
    assert (reply.json["hasPassword"], "newPasswordSent" in reply.json) == (True, False)
    reply = await desk.http.put(target, {"password": None, "securityProfile": None})
    assert (reply.json["hasPassword"], "securityProfile" in reply.json) == (False, False)


@pytest.mark.parametrize("password", ["short", "x" * 65, "12345678\n", 12345678, {"is": "12345678"}])
@ensureDeferred
async def test_what_cannot_be_a_password_is_refused_without_being_told_again(desk, password):
    reply = await desk.http.put(f"{V1}/chargepoints/CP1", {"password": password})
    assert (reply.status, reply.json["path"]) == (422, "password")
    assert b"12345678" not in reply.body
    assert b"xxxxxx" not in reply.body
    assert (await desk.http.get(f"{V1}/chargepoints/CP1")).status == 404


@ensureDeferred
async def test_transactions_are_listed_newest_first(desk):
    await charge(desk)
    await charge(desk, "CP2", 11)
    items, count = await pages(desk, "/transactions", 3)
    assert ([item["transactionId"] for item in items], count) == ([12, 11, 2, 1], 2)
    for query, wanted in [
        ("clientId=CP1", [2, 1]),
        ("active=true", [12, 2]),
        ("active=false", [11, 1]),
        ("idTag=TAG2", [12, 2]),
        ("idTag=tag2&clientId=CP2", [12]),
        ("since=2026-03-01T11:30:00Z", [12, 2]),
        ("since=2026-03-01T12:30:00%2B01:00", [12, 2]),
        ("clientId=CP3", []),
    ]:
        items, _ = await pages(desk, f"/transactions?{query}", 1)
        assert [item["transactionId"] for item in items] == wanted, query
    assert (await desk.http.get(f"{V1}/transactions/1")).json == {
        "transactionId": 1,
        "clientId": "CP1",
        "connectorId": 1,
        "idTag": "TAG1",
        "status": "completed",
        "startTime": "2026-03-01T11:00:00Z",
        "stopTime": "2026-03-01T11:30:00Z",
        "meterStart": 1000.5,
        "meterStop": 3000,
        "currentMeter": 3000,
        "energyUsed": 2,
        "reason": "Local",
        "cost": 0.67,
        "currency": "EUR",
        "quality": "good",
    }
    assert (await desk.http.get(f"{V1}/transactions/99")).status == 404


@ensureDeferred
async def test_readings_come_in_the_order_of_their_times(desk):
    await charge(desk)
    items, count = await pages(desk, "/transactions/1/readings", 2)
    assert ([item["timestamp"] for item in items], count) == (
        [f"2026-03-01T11:0{minute}:00Z" for minute in range(1, 6)],
        3,
    )
    first = items[0]
    assert (first["totalEnergy"], first["currentPower"], first["connectorId"]) == (1.1, 7.2, 1)
    assert first["samples"][0]["value"] == "1100.25"
    assert first["measurands"]["Power.Active.Import"] == {"value": 7.2, "unit": "kW"}
    assert (await desk.http.get(f"{V1}/transactions/2/readings")).json == {"items": []}
    assert (await desk.http.get(f"{V1}/transactions/99/readings")).status == 404


@ensureDeferred
async def test_a_forgotten_transaction_is_closed(desk):
    await charge(desk)
    reply = await desk.http.post(f"{V1}/transactions/2/close")
    assert (reply.status, reply.json["status"], reply.json["quality"]) == (200, "closed", "estimated")
    assert (await desk.http.get(f"{V1}/transactions/2")).json == reply.json
    assert (await desk.http.post(f"{V1}/transactions/2/close")).status == 409
    assert (await desk.http.post(f"{V1}/transactions/99/close")).status == 404
    events = (await desk.http.get(f"{V1}/events?type=completed")).json["items"]
    assert [item["event"]["payload"]["transactionId"] for item in events] == [1, 2]


@ensureDeferred
async def test_reservations_are_listed(desk):
    state = connected("CP1").state
    for client_id, number, word in [("CP1", 1, "ACTIVE"), ("CP1", 2, "EXPIRED"), ("CP2", 1, "ACTIVE")]:
        made = Reservation(
            client_id=client_id, reservation_id=number, connector_id=1, id_tag="TAG1", expiry_date=NOW,
            status=word, created_at=NOW, changed_at=NOW, id_tag_status="Blocked" if number == 2 else None,
        )  # fmt: skip
        await desk.store.commit(Decision(None, state, (made,)))
    items, count = await pages(desk, "/reservations", 1)
    assert [item.get("idTagStatus") for item in items] == [None, "Blocked", None]
    assert ([(item["clientId"], item["reservationId"]) for item in items], count) == (
        [("CP1", 1), ("CP1", 2), ("CP2", 1)],
        3,
    )
    items, _ = await pages(desk, "/reservations?clientId=CP1&status=EXPIRED", 50)
    assert [item["reservationId"] for item in items] == [2]
    assert (await desk.http.get(f"{V1}/reservations/2")).json["status"] == "EXPIRED"
    reply = await desk.http.get(f"{V1}/reservations/1")
    assert (reply.status, reply.json["clientIds"]) == (409, ["CP1", "CP2"])
    assert (await desk.http.get(f"{V1}/reservations/1?clientId=CP2")).json["clientId"] == "CP2"
    assert (await desk.http.get(f"{V1}/reservations/-9")).status == 404


@ensureDeferred
async def test_id_tags_are_entered_changed_and_deleted(desk):
    target = f"{V1}/idtags/TAG1"
    entry = {
        "status": "Accepted",
        "expiryDate": "2030-01-01T01:00:00+01:00",
        "parentIdTag": "GROUP1",
        "chargePoints": ["CP1"],
        "maxTransactions": 2,
        "budgetKwh": 12.5,
        "budgetPeriod": "week",
        "evses": [1, 3],
        "type": "RFID",
    }
    reply = await desk.http.put(target, entry)
    assert (reply.status, reply.json) == (201, {"idTag": "TAG1", **entry, "expiryDate": "2030-01-01T00:00:00Z"})
    assert (await desk.http.put(target, reply.json)).status == 200
    assert (await desk.http.get(f"{V1}/idtags/tag1")).json == reply.json
    assert (await desk.http.put(target, {"status": "Blocked"})).json == {"idTag": "TAG1", "status": "Blocked"}
    for body, path in [
        ({}, "body"),
        ({"status": "Expired"}, "status"),
        ({"status": "Accepted", "budgetKwh": 5}, "budgetKwh, budgetPeriod"),
        ({"status": "Accepted", "expiryDate": "2030-01-01T00:00:00"}, "expiryDate"),
        ({"status": "Accepted", "expiryDate": "0001-01-01T00:00:00+14:00"}, "expiryDate"),
        ({"status": "Accepted", "idTag": "TAG2"}, "idTag"),
        ({"status": "Accepted", "chargePoints": []}, "chargePoints"),
        ({"status": "Accepted", "evses": [0]}, "evses[0]"),
        ({"status": "Accepted", "groups": []}, "body"),
    ]:
        reply = await desk.http.put(target, body)
        assert (reply.status, reply.json["path"]) == (422, path), body
    assert (await desk.http.delete(target)).status == 204
    assert (await desk.http.get(target)).status == 404
    assert (await desk.http.delete(target)).status == 404


@ensureDeferred
async def test_a_tag_that_is_called_as_a_route_is_reached_in_another_case(desk):
    for name in ("import", "export"):
        assert (await desk.http.put(f"{V1}/idtags/{name}", {"status": "Accepted"})).status == 405
        assert (await desk.http.put(f"{V1}/idtags/{name.title()}", {"status": "Accepted"})).status == 201
        assert (await desk.http.get(f"{V1}/idtags/{name.upper()}")).json["idTag"] == name.title()
    assert (await desk.http.get(f"{V1}/idtags/imports")).status == 404


@ensureDeferred
async def test_id_tags_come_and_go_as_csv(desk):
    text = "idTag,status,maxTransactions\r\nTAG1,Accepted,2\r\nTAG2,Wrong,\r\nTäg3,,\r\n"
    reply = await desk.http.post(f"{V1}/idtags/import", text.encode(), **{"Content-Type": "text/csv"})
    assert (reply.status, reply.json["imported"]) == (200, 2)
    assert [line["line"] for line in reply.json["bad"]] == [3]
    items, count = await pages(desk, "/idtags", 1)
    assert ([item["idTag"] for item in items], count) == (["TAG1", "Täg3"], 2)
    reply = await desk.http.get(f"{V1}/idtags/export", Accept="text/csv")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert reply.body.decode().splitlines()[1].startswith("TAG1,Accepted,")
    again = await desk.http.post(f"{V1}/idtags/import", reply.body, **{"Content-Type": "text/csv; charset=utf-8"})
    assert again.json == {"imported": 2, "bad": []}
    assert (await desk.http.post(f"{V1}/idtags/import", b"\xff", **{"Content-Type": "text/csv"})).status == 400
    assert (await desk.http.post(f"{V1}/idtags/import", {})).status == 415
    assert (await desk.http.get(f"{V1}/idtags/export", Accept="application/json")).status == 406
    large = b"idTag\n" + b"x\n" * 200_000
    assert (await desk.http.post(f"{V1}/idtags/import", large, **{"Content-Type": "text/csv"})).status == 413


@ensureDeferred
async def test_tariffs_are_entered_changed_and_deleted(desk):
    target = f"{V1}/tariffs/night%20rate"
    reply = await desk.http.put(target, {"currency": "CHF", "energyRate": 0.123456, "timeRate": 0, "sessionFee": 1})
    assert (reply.status, reply.json) == (
        201,
        {"tariffId": "night rate", "currency": "CHF", "energyRate": 0.123456, "timeRate": 0, "sessionFee": 1},
    )
    assert (await desk.http.put(target, reply.json)).status == 200
    assert (await desk.http.get(f"{V1}/tariffs")).json == {"items": [reply.json]}
    for body in (
        {"currency": "euro"},
        {"energyRate": -1},
        {"energyRate": 1e300},
        {"energyRate": 0.1234567},
        {"rate": 1},
    ):
        assert (await desk.http.put(target, body)).status == 422, body
    assert (await desk.http.put(f"{V1}/chargepoints/CP1", {"tariffId": "night rate"})).json["tariffId"] == "night rate"
    assert (await desk.http.delete(target)).status == 204
    assert (await desk.http.get(target)).status == 404
    assert (await desk.http.delete(target)).status == 404


@ensureDeferred
async def test_configuration_is_shown_as_last_known(desk):
    state = await commit(desk, connected("CP1"))
    for name, value in [("B", None), ("A", "1"), ("C", "")]:
        key = ConfigurationKey(client_id="CP1", key=name, value=value, readonly=name == "B", seen_at=NOW)
        await desk.store.commit(Decision(None, state, (key,)))
    items, count = await pages(desk, "/chargepoints/CP1/configuration", 2)
    assert count == 2
    seen = {"seenAt": "2026-03-01T12:00:00Z"}
    assert items == [
        {"key": "A", "readonly": False, "value": "1", **seen},
        {"key": "B", "readonly": True, **seen},
        {"key": "C", "readonly": False, "value": "", **seen},
    ]
    assert (await desk.http.get(f"{V1}/chargepoints/CP2/configuration")).status == 404


@ensureDeferred
async def test_the_wanted_configuration_is_the_operators(desk):
    await commit(desk, connected("CP1"))
    for target in (f"{V1}/chargepoints/CP1/configuration/wanted", f"{V1}/groups/my%2Fdepot/configuration/wanted"):
        assert (await desk.http.get(target)).json == {}
        wanted = {"HeartbeatInterval": "300", "AuthorizeRemoteTxRequests": "true"}
        assert (await desk.http.put(target, wanted)).json == wanted
        assert (await desk.http.put(target, {"HeartbeatInterval": "60"})).status == 200
        assert (await desk.http.get(target)).json == {"HeartbeatInterval": "60"}
        for body in ({"A": 1}, {"A": None}, {"": "x"}, {"x" * 101: "x"}, {"A": "1", "a": "2"}, {"a\nb": "1"}):
            assert (await desk.http.put(target, body)).status == 422, body
        refused = await desk.http.put(target, {"AuthorizationKey": "s3cret"})
        assert (refused.status, "s3cret" in str(refused.json)) == (422, False), "a secret is never kept"
        assert (await desk.http.delete(target)).status == 204
        assert (await desk.http.get(target)).json == {}
    assert (await desk.http.get(f"{V1}/chargepoints/CP2/configuration/wanted")).status == 404
    assert (await desk.http.put(f"{V1}/chargepoints/CP2/configuration/wanted", {})).status == 404


@ensureDeferred
async def test_the_raw_log_and_the_quirks_are_shown(desk, message_log):
    await commit(desk, connected("CP1"))
    boot = b'[2,"1","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]'
    event = ProtocolEvent(NOW, "CP1", "in", "BootNotification", "1", boot, ("payload: additionalProperties: x",))
    message_log.offer(event)
    message_log.offer(replace(event, direction="out", frame=b'[3,"1",{"status":"Accepted"}]', deviations=()))
    message_log.offer(replace(event, direction="out", action="Reset", message_id="2", frame=b'[2,"2","Reset",{}]'))
    await message_log.flush()
    items, count = await pages(desk, "/chargepoints/CP1/messages", 1)
    assert ([item["messageType"] for item in items], count) == (
        ["Reset", "BootNotificationResponse", "BootNotification"],
        3,
    )
    assert items[1]["payload"] == {"status": "Accepted"}
    assert items[2]["deviations"] == ["payload: additionalProperties: x"]
    for query, wanted in [
        ("action=Reset", 1),
        ("action=BootNotification", 2),
        ("since=2026-03-01T12:00:01Z", 0),
        ("until=2026-03-01T12:00:00Z", 0),
    ]:
        items, _ = await pages(desk, f"/chargepoints/CP1/messages?{query}", 50)
        assert len(items) == wanted, query
    (quirk, *_) = (await desk.http.get(f"{V1}/chargepoints/CP1/quirks")).json["items"]
    assert (quirk["count"], quirk["firstSeen"]) == (1, "2026-03-01T12:00:00Z")
    await desk.http.put(f"{V1}/chargepoints/CP2", {})
    assert (await desk.http.get(f"{V1}/chargepoints/CP2/messages")).json == {"items": []}
    assert (await desk.http.get(f"{V1}/chargepoints/CP2/quirks")).json == {"items": []}
    assert (await desk.http.get(f"{V1}/chargepoints/CP3/messages")).status == 404
    assert (await desk.http.get(f"{V1}/chargepoints/CP3/quirks")).status == 404
