"""The same session in all versions: a subscriber does not notice which one a charger speaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.end_to_end.daemon import ROOT
from tests.end_to_end.station import STATION_ID, SUBPROTOCOLS, Station2, Station16, station

OF_STATION = {"evseId", "stationConnectorId", "stationTransactionId", "stationStatus"}
"""What the contract adds in 2.x."""
FAMILIES = ("transactions", "billing", "connectors")
SCHEMAS = ROOT / "docs" / "schemas"


def run_session(charger: Station16 | Station2) -> dict[str, Any]:
    charger.plug_in()
    told = charger.begin("2026-03-01T10:00:00Z", 1000)
    charger.charge("2026-03-01T10:00:10Z")
    charger.meter("2026-03-01T10:05:00Z", 1500, 7200.5)
    charger.pause("2026-03-01T10:07:00Z")
    charger.meter("2026-03-01T10:10:00Z", 2200, 0)
    charger.end("2026-03-01T10:10:30Z", 2234)
    charger.unplug()
    return told


def events_of(subscriber: Any, client_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return family, type and payload of the business events of a charge point, in their order."""
    found = []
    for topic, body, _ in subscriber.messages:
        levels = topic.split("/")
        if levels[0] == "csms" and levels[1] in FAMILIES and levels[2] == client_id:
            found.append((f"{levels[1]}/{body['eventType']}", body["payload"]))
    return found


def test_a_session_gives_the_same_business_events_in_every_version(daemon, subscriber):
    told = {}
    for version in SUBPROTOCOLS:
        with station(daemon.url, f"CP-{version}", version) as charger:
            told[version] = run_session(charger)
        subscriber.wait_topic(f"csms/chargepoints/CP-{version}/disconnected")
    assert told["2.0.1"] == told["2.1"] == told["1.6"] == {"status": "Accepted"}
    expected = events_of(subscriber, "CP-1.6")
    numbers = {payload["transactionId"] for _, payload in expected if "transactionId" in payload}
    assert [name for name, _ in expected] == [
        *("connectors/status_changed", "connectors/status_changed", "transactions/started"),
        *("connectors/status_changed", "transactions/meter_reading", "connectors/status_changed"),
        *("transactions/meter_reading", "transactions/completed", "billing/session_cost"),
        *("connectors/status_changed", "connectors/status_changed"),
    ]
    for version in ("2.0.1", "2.1"):
        mine = events_of(subscriber, f"CP-{version}")
        (number,) = {payload["transactionId"] for _, payload in mine if "transactionId" in payload}
        assert 0 < number < 2**31
        numbers.add(number)
        assert neutral(mine) == neutral(expected)
        for name, payload in mine:
            assert (payload["evseId"], payload["stationConnectorId"]) == (1, 1)
            if not name.startswith("connectors/"):
                assert payload["stationTransactionId"] == STATION_ID
        words = [payload["stationStatus"] for name, payload in mine if name == "connectors/status_changed"]
        assert words == ["Available", "Occupied", "Occupied", "Occupied", "Occupied", "Available"]
    assert len(numbers) == 3, "each has a number of its own"


def neutral(events: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Leave out what may differ: the daemon's number of the transaction, and what only 2.x tells."""
    return [
        (
            name,
            {
                key: "a number" if key == "transactionId" else value
                for key, value in payload.items()
                if key not in OF_STATION
            },
        )
        for name, payload in events
    ]


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_an_answer_that_was_lost_and_a_daemon_that_was_killed(daemon, subscriber, version):
    """Each event twice, on two sockets, and between them the daemon starts anew."""
    first = station(daemon.url, "CP1", version)
    first.plug_in()
    first.begin("2026-03-01T10:00:00Z", 1000)
    first.meter("2026-03-01T10:05:00Z", 1500, 7200.5)
    daemon.kill()
    daemon.start()
    with station(daemon.url, "CP1", version) as again:
        again.begin("2026-03-01T10:00:00Z", 1000)
        again.meter("2026-03-01T10:05:00Z", 1500, 7200.5)
        cost = again.end("2026-03-01T10:10:30Z", 2234)
    with station(daemon.url, "CP1", version) as once_more:
        next(once_more._seq_no), next(once_more._seq_no)
        assert once_more.end("2026-03-01T10:10:30Z", 2234) == cost == {"totalCost": 1.14}
    subscriber.wait_topic("csms/billing/CP1/session_cost")
    subscriber.wait_for(lambda s: len(s.of("csms/chargepoints/CP1/disconnected")) >= 3)
    topics = [topic for topic, _, _ in subscriber.messages]
    for event_type in ("started", "meter_reading", "completed"):
        assert len({body["eventId"] for body in subscriber.of(f"csms/transactions/CP1/{event_type}")}) == 1, topics
    (completed,) = {json.dumps(body["payload"]) for body in subscriber.of("csms/transactions/CP1/completed")}
    assert json.loads(completed)["energyUsed"] == 1.234


def test_what_is_true_now_and_what_is_published_fit_the_schemas(daemon, subscriber):
    with station(daemon.url, "CP1", "2.0.1") as charger:
        charger.plug_in()
        charger.begin("2026-03-01T10:00:00Z", 1000)
        charger.charge("2026-03-01T10:00:10Z")
        subscriber.wait_for(
            lambda s: any(
                [connector["status"] for connector in body["connectors"]] == ["Charging"]
                for body in s.of("csms/state/CP1")
            )
        )
        state = subscriber.of("csms/state/CP1")[-1]
        charger.end("2026-03-01T10:10:30Z", 2234)
    subscriber.wait_topic("csms/billing/CP1/session_cost")
    (connector,) = state["connectors"]
    number = connector.pop("transactionId")
    assert connector == {
        "connectorId": 1,
        "status": "Charging",
        "errorCode": "NoError",
        "evseId": 1,
        "stationConnectorId": 1,
        "stationStatus": "Occupied",
    }
    assert state["transactions"] == [
        {
            "transactionId": number,
            "connectorId": 1,
            "idTag": "TAG1",
            "startTime": "2026-03-01T10:00:00Z",
            "evseId": 1,
            "stationConnectorId": 1,
            "stationTransactionId": STATION_ID,
        }
    ]
    assert state["version"] == "2.0.1"
    checked = set()
    for topic, body, _ in subscriber.messages:
        levels = topic.split("/")
        name = {"state": "charge_point_state", "gateways": "gateway_status"}.get(levels[1], levels[-1])
        if levels[0] == "csms":
            schema = json.loads((SCHEMAS / f"{name}.json").read_text())
            assert [error.message for error in Draft202012Validator(schema).iter_errors(body)] == [], topic
            checked.add(name)
    assert checked >= {"started", "completed", "session_cost", "status_changed", "charge_point_state"}
