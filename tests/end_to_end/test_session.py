"""A session on real sockets and a real broker: exact topics and payloads."""

from __future__ import annotations

import json

import pytest

from tests.end_to_end.charger import CallError, Charger
from tests.end_to_end.daemon import ROOT

SCHEMAS = ROOT / "docs" / "schemas"


def run_session(charger: Charger) -> int:
    charger.status("Preparing")
    transaction = charger.begin("2026-03-01T10:00:00Z", meter=1000)
    charger.meter(transaction, "2026-03-01T10:05:00Z", 1500)
    charger.end(transaction, "2026-03-01T10:10:30Z", 2234)
    return transaction


def test_a_session_gives_the_five_business_events_with_exact_payloads(daemon, subscriber):
    with Charger(daemon.url, "CP1") as charger:
        transaction = run_session(charger)
    (cost,) = subscriber.wait_topic("csms/billing/CP1/session_cost")
    subscriber.wait_topic("csms/chargepoints/CP1/disconnected")

    def payload(topic: str) -> dict:
        (body,) = [body for seen, body, _ in subscriber.messages if seen == topic]
        return body["payload"]

    assert payload("csms/connectors/CP1/status_changed") == {
        "connectorId": 1,
        "status": "Preparing",
        "errorCode": "NoError",
    }
    assert payload("csms/transactions/CP1/started") == {
        "transactionId": transaction,
        "connectorId": 1,
        "idTag": "TAG1",
        "meterStart": 1000,
        "startTime": "2026-03-01T10:00:00Z",
        "status": "started",
    }
    assert payload("csms/transactions/CP1/meter_reading") == {
        "connectorId": 1,
        "transactionId": transaction,
        "timestamp": "2026-03-01T10:05:00Z",
        "measurands": {
            "Energy.Active.Import.Register": {"value": 1.5, "unit": "kWh"},
            "Power.Active.Import": {"value": 7.201, "unit": "kW"},
        },
        "currentPower": 7.201,
        "totalEnergy": 1.5,
    }
    assert payload("csms/transactions/CP1/completed") == {
        "transactionId": transaction,
        "connectorId": 1,
        "idTag": "TAG1",
        "meterStart": 1000,
        "meterStop": 2234,
        "currentMeter": 1500,
        "startTime": "2026-03-01T10:00:00Z",
        "stopTime": "2026-03-01T10:10:30Z",
        "energyUsed": 1.234,
        "duration": 10.5,
        "reason": "EVDisconnected",
        "quality": "good",
        "status": "completed",
    }
    # 1.234 * 0.35 + 10.5 * 0.02 + 0.5 = 0.4319 + 0.21 + 0.5
    assert cost["payload"] == {
        "transactionId": transaction,
        "connectorId": 1,
        "idTag": "TAG1",
        "startTime": "2026-03-01T10:00:00Z",
        "endTime": "2026-03-01T10:10:30Z",
        "energyConsumed": 1.234,
        "duration": 10.5,
        "estimatedCost": 1.14,
        "currency": "EUR",
        "pricingModel": "energy+time+session",
        "energyRate": 0.35,
        "timeRate": 0.02,
        "breakdown": {"energy": 0.4319, "time": 0.21, "session": 0.5},
    }
    business = [body for topic, body, _ in subscriber.messages if "eventId" in body]
    assert [body["sequence"] for body in business] == list(range(1, len(business) + 1))
    assert {body["gatewayId"] for body in business} == {"gw1"}
    assert cost["causationId"] == "CP1-5"
    assert cost["eventId"].startswith("session_cost_")


def test_the_two_protocol_topics_carry_every_frame_as_it_was(daemon, subscriber):
    with Charger(daemon.url, "CP1") as charger:
        charger.socket.send('[2,"spaced","Heartbeat",{ }]')
        charger.socket.recv(timeout=5)
        with pytest.raises(CallError):
            charger.call("Nonsense", a=1)
    (heartbeat,) = subscriber.wait_topic("ocpp/messages/CP1/Heartbeat")
    (answer,) = subscriber.wait_topic("ocpp/responses/CP1/Heartbeat")
    (error,) = subscriber.wait_topic("ocpp/responses/CP1/Nonsense")
    assert heartbeat["messageType"] == "Heartbeat"
    assert (heartbeat["requestId"], heartbeat["direction"], heartbeat["payload"]) == ("spaced", "in", {})
    assert answer["messageType"] == "HeartbeatResponse"
    assert (answer["direction"], list(answer["payload"])) == ("out", ["currentTime"])
    assert error["messageType"] == "NonsenseError"
    assert error["payload"]["errorCode"] == "NotImplemented"
    assert set(error["payload"]) == {"errorCode", "errorDescription", "errorDetails"}


def test_everything_published_fits_the_published_schemas(daemon, subscriber):
    from jsonschema import Draft202012Validator

    with Charger(daemon.url, "CP1") as charger:
        run_session(charger)
        charger.end(4711, "2026-03-01T11:00:00Z", 1)
        charger.call("SecurityEventNotification", type="SettingSystemTime", timestamp="2026-03-01T11:00:00Z")
    subscriber.wait_for(lambda s: any(not body["online"] for body in s.of("csms/state/CP1")))
    validators = {path.stem: Draft202012Validator(json.loads(path.read_text())) for path in SCHEMAS.glob("*.json")}
    checked = set()
    for topic, body, _ in subscriber.messages:
        name = schema_of(topic)
        errors = [error.message for error in validators[name].iter_errors(body)]
        assert not errors, (topic, errors)
        checked.add(name)
    assert checked >= {"started", "completed", "session_cost", "status_changed", "meter_reading", "orphan_stop"}


def schema_of(topic: str) -> str:
    levels = topic.split("/")
    if levels[0] == "ocpp":
        return "protocol_event"
    return {"state": "charge_point_state", "gateways": "gateway_status", "security": "security_event"}.get(
        levels[1], levels[-1]
    )


def test_retained_topics_tell_a_late_subscriber_what_is_true(daemon, subscriber, mosquitto):
    from tests.end_to_end.subscriber import Subscriber

    with Charger(daemon.url, "CP1") as charger:
        charger.status("Charging", connector=2)
        transaction = charger.begin("2026-03-01T10:00:00Z", connector=2)
        subscriber.wait_for(lambda s: any(body["transactions"] for body in s.of("csms/state/CP1")))
        with Subscriber(mosquitto.port, "csms/state/#", "csms/gateways/#") as late:
            (state,) = late.wait_topic("csms/state/CP1")
            (birth,) = late.wait_topic("csms/gateways/gw1/status")
            assert all(retained for _, _, retained in late.messages)
    assert state["online"] is True
    assert state["gatewayId"] == "gw1"
    assert state["connectors"] == [
        {"connectorId": 2, "status": "Charging", "errorCode": "NoError", "transactionId": transaction}
    ]
    assert state["transactions"] == [
        {"transactionId": transaction, "connectorId": 2, "idTag": "TAG1", "startTime": "2026-03-01T10:00:00Z"}
    ]
    assert birth["online"] is True


def test_an_identity_with_reserved_characters_is_one_topic_level(daemon, subscriber):
    with Charger(daemon.url, "A%2FB%20+%23") as charger:
        charger.call("Heartbeat")
    (event,) = subscriber.wait_topic("csms/chargepoints/A%2FB%20%2B%23/connected")
    assert event["clientId"] == "A/B +#"


def test_a_repeated_start_on_a_new_socket_is_the_same_transaction_and_no_second_event(daemon, subscriber):
    with Charger(daemon.url, "CP1") as charger:
        first = charger.begin("2026-03-01T10:00:00Z")
    with Charger(daemon.url, "CP1") as charger:
        again = charger.begin("2026-03-01T10:00:00Z")
        charger.end(again, "2026-03-01T10:10:00Z", 1500)
        charger.end(again, "2026-03-01T10:10:00Z", 1500)
        late = charger.begin("2026-03-01T10:00:00Z")
        other = charger.begin("2026-03-01T11:00:00Z", meter=1500)
    subscriber.wait_topic("csms/transactions/CP1/started", 2)
    assert first == again == late != other
    assert len(subscriber.of("csms/transactions/CP1/started")) == 2
    assert len(subscriber.of("csms/transactions/CP1/completed")) == 1
    assert len(subscriber.of("csms/billing/CP1/session_cost")) == 1


def test_meter_values_that_come_again_are_one_reading(daemon, subscriber):
    for _ in range(2):
        with Charger(daemon.url, "CP1") as charger:
            transaction = charger.begin("2026-03-01T10:00:00Z")
            charger.meter(transaction, "2026-03-01T10:05:00Z", 1500)
    subscriber.wait_topic("csms/chargepoints/CP1/disconnected", 2)
    assert len(subscriber.of("csms/transactions/CP1/meter_reading")) == 1


@pytest.mark.parametrize("switch", ["MQTT_BUSINESS_EVENTS_ENABLED", "MQTT_PROTOCOL_EVENTS_ENABLED"])
def test_each_stream_can_be_switched_off_without_the_other(with_broker, mosquitto, subscriber, switch):
    daemon = with_broker(mosquitto, **{switch: "false"})
    daemon.start()
    with Charger(daemon.url, "CP1") as charger:
        run_session(charger)
    if "BUSINESS" in switch:
        subscriber.wait_topic("ocpp/responses/CP1/StopTransaction")
    else:
        subscriber.wait_topic("csms/billing/CP1/session_cost")
    assert daemon.terminate() == 0
    families = {topic.split("/")[0] for topic in subscriber.topics() if not topic.startswith("csms/gateways")}
    assert families == ({"ocpp"} if "BUSINESS" in switch else {"csms"})
