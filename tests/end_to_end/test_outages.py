"""The broker away, the daemon killed: chargers notice nothing, and every event goes out."""

from __future__ import annotations

from tests.end_to_end.charger import Charger
from tests.end_to_end.subscriber import Subscriber
from tests.end_to_end.test_session import run_session
from tests.mosquitto import Mosquitto


def business_of(subscriber: Subscriber, client_id: str) -> list[dict]:
    with_ids = [body for _, body, _ in subscriber.messages if "eventId" in body and body["clientId"] == client_id]
    return list({body["eventId"]: body for body in with_ids}.values())


def test_sessions_while_the_broker_is_away_are_delivered_in_order_when_it_is_back(with_broker, tmp_path):
    broker = Mosquitto(tmp_path / "broker", durable=True)
    with broker:
        daemon = with_broker(broker)
        daemon.start()
        with Subscriber(broker.port) as subscriber:
            with Charger(daemon.url, "CP1") as charger:
                subscriber.wait_topic("csms/chargepoints/CP1/booted")
                broker.kill()
                for _ in range(5):
                    run_session(charger)
                    charger.call("Heartbeat")
                assert daemon.get("/ready")[0] == 200
                broker.start()
                subscriber.wait_topic("csms/billing/CP1/session_cost", 1)
            subscriber.wait_for(lambda s: "disconnected" in [body["eventType"] for body in business_of(s, "CP1")])
            events = business_of(subscriber, "CP1")
    sequences = [body["sequence"] for body in events]
    assert sequences == list(range(1, len(events) + 1))
    assert len([body for body in events if body["eventType"] == "started"]) == 1


def test_a_frozen_broker_delays_no_charger(daemon, mosquitto, subscriber):
    with Charger(daemon.url, "CP1") as charger:
        mosquitto.pause()
        try:
            for number in range(300):
                charger.status("Charging" if number % 2 else "SuspendedEV")
        finally:
            mosquitto.resume()
        last = subscriber.wait_topic("csms/connectors/CP1/status_changed", 300)[-1]
    assert last["payload"]["status"] == "Charging"


def test_after_kill_9_the_next_start_tells_the_truth(daemon, subscriber):
    charger = Charger(daemon.url, "CP1")
    charger.status("Charging")
    transaction = charger.begin("2026-03-01T10:00:00Z")
    subscriber.wait_topic("csms/transactions/CP1/started")
    daemon.kill()
    (will,) = [body for body in subscriber.wait_topic("csms/gateways/gw1/status", 2) if not body["online"]]
    assert will == {"online": False}
    daemon.start()
    (gone,) = subscriber.wait_topic("csms/chargepoints/CP1/disconnected")
    assert gone["payload"]["reason"] == "the daemon ended uncleanly"
    state = subscriber.wait_for(lambda s: [body for body in s.of("csms/state/CP1") if not body["online"]])[-1]
    assert [running["transactionId"] for running in state["transactions"]] == [transaction]
    with Charger(daemon.url, "CP1", boot=False) as charger:
        charger.end(transaction, "2026-03-01T10:30:00Z", 5000)
    (completed,) = subscriber.wait_topic("csms/transactions/CP1/completed")
    assert completed["payload"]["energyUsed"] == 4
    sequences = [body["sequence"] for body in business_of(subscriber, "CP1")]
    assert sequences == list(range(1, len(sequences) + 1))


def test_undelivered_events_go_out_after_kill_9(with_broker, tmp_path):
    broker = Mosquitto(tmp_path / "broker")
    daemon = with_broker(broker)
    daemon.start()
    with Charger(daemon.url, "CP1") as charger:
        transaction = run_session(charger)
    daemon.kill()
    with broker, Subscriber(broker.port) as subscriber:
        daemon.start()
        (completed,) = subscriber.wait_topic("csms/transactions/CP1/completed")
        assert completed["payload"]["transactionId"] == transaction
        subscriber.wait_topic("csms/billing/CP1/session_cost")


def test_hostile_names_of_security_events_stop_nothing(daemon, subscriber):
    """Each of these, as it came in a property or a topic, makes mosquitto drop the client: then all events would stop."""
    with Charger(daemon.url, "CP1") as charger:
        for name in ("a\nb", "\x7f", "\x01", "\uffff", "+/#", "\u202e"):
            charger.call("SecurityEventNotification", type=name, timestamp="2026-03-01T10:00:00Z")
        run_session(charger)
    subscriber.wait_topic("csms/billing/CP1/session_cost")
    events = [topic for topic in subscriber.topics() if topic.startswith("csms/security/CP1/")]
    assert events[0] == "csms/security/CP1/a%0Ab"
    assert len(events) == 6
