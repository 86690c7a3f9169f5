"""Commands over MQTT, with a real broker: what a backend sends and gets, and what the charge point sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tests.end_to_end.backend import RESET, Backend
from tests.end_to_end.charger import Charger
from tests.end_to_end.daemon import ROOT, Daemon, wait, wait_held
from tests.end_to_end.subscriber import Subscriber
from tests.mosquitto import Mosquitto

ACCEPTED = {"status": "Accepted"}


class Station(Charger):
    """A charge point that is commanded."""

    def take(self) -> list:
        """Wait for a CALL."""
        call = json.loads(self.socket.recv(timeout=10))
        assert call[0] == 2
        return call

    def reply(self, call: list, payload: dict) -> None:
        self.socket.send(json.dumps([3, call[1], payload]))

    def obey(self, payload: dict = ACCEPTED) -> list:
        call = self.take()
        self.reply(call, payload)
        return call


@pytest.fixture
def backend(mosquitto: Mosquitto) -> Iterator[Backend]:
    with Backend(mosquitto.port) as backend:
        yield backend


@contextmanager
def station_of(daemon: Daemon, client_id: str = "CP1", url: str | None = None, held: int = 1) -> Iterator[Station]:
    """A charge point whose commands are subscribed to."""
    with Station(url or daemon.url, client_id) as station:
        wait_held(daemon, held)
        yield station


def test_a_command_reaches_the_charge_point_and_its_answer_comes_back(daemon, backend):
    with station_of(daemon) as station:
        body = '{"requestId": "r1", "payload": {"vendorId": "v", "data": "1", "messageId": "m"}}'
        backend.send("csms/commands/CP1/DataTransfer", body.encode())
        call = station.obey({"status": "Accepted", "data": "ü"})
        assert call[2:] == ["DataTransfer", {"vendorId": "v", "data": "1", "messageId": "m"}]
        assert list(call[3]) == ["vendorId", "data", "messageId"]
        (result,) = backend.wait(1)
    assert backend.messages[0].topic == "csms/command_results/CP1/DataTransfer"
    assert not backend.messages[0].retain
    assert result == {"requestId": "r1", "status": "ok", "response": {"status": "Accepted", "data": "ü"}}


def test_a_response_topic_with_correlation_data_is_honoured(daemon, backend):
    with station_of(daemon) as station:
        body = {"requestId": "r1", "payload": RESET}
        backend.send("csms/commands/CP1/Reset", body, ResponseTopic="replies/7", CorrelationData=b"\0\xff")
        station.obey()
        (plain,), (reply,) = backend.wait(1), backend.wait(1, "replies/")
    assert plain == reply == {"requestId": "r1", "status": "ok", "response": ACCEPTED}
    (message,) = [message for message in backend.messages if message.topic == "replies/7"]
    assert message.properties.CorrelationData == b"\0\xff"
    assert message.properties.ContentType == "application/json"


def test_a_request_that_comes_again_is_carried_out_once_even_after_a_restart_of_the_daemon(daemon, backend):
    with station_of(daemon) as station:
        backend.command("r1")
        backend.command("r1")
        station.obey()
        backend.wait(1)
        backend.command("r1")
        backend.command("r2")
        station.obey()
        results = backend.wait(3)
    assert daemon.terminate() == 0
    daemon.start()
    with station_of(daemon) as station:
        backend.command("r1")
        assert backend.wait(len(results) + 1)[-1] == results[0]
        backend.command("r3")
        station.obey()
        results = backend.wait(5)
    assert sorted(result["requestId"] for result in results) == ["r1", "r1", "r1", "r2", "r3"]
    assert all(result == results[0] for result in results if result["requestId"] == "r1")


def test_what_goes_wrong_has_its_word(daemon, backend):
    with station_of(daemon) as station:
        backend.send("csms/commands/CP1/Reset", b"please")
        backend.send("csms/commands/CP1/Reset", {"requestId": "r2"})
        backend.send("csms/commands/CP1/Reset", {"requestId": "r3", "payload": {"type": "Medium"}})
        backend.command("r4", "Explode")
        backend.command("r5", expiresAt="2020-01-01T00:00:00Z")
        backend.send("csms/commands/CP1/Reset", {"requestId": "big", "payload": {"a": "x" * 1024 * 1024}})
        backend.command("r6")
        call = station.take()
        station.socket.send(json.dumps([4, call[1], "NotSupported", "not here", {"a": 1}]))
        results = backend.wait(7)
        backend.command("r7")
        station.take()
    results = backend.wait(8)
    statuses = {(result["requestId"], result["status"]) for result in results}
    assert statuses == {
        (None, "BadRequest"),
        ("r2", "BadRequest"),
        ("r3", "BadPayload"),
        ("r4", "UnknownAction"),
        ("r5", "Expired"),
        ("r6", "CallError"),
        ("r7", "ConnectionLost"),
    }
    assert sum(result["requestId"] is None for result in results) == 2
    by_id = {result["requestId"]: result for result in results}
    assert by_id["r6"]["error"] == {"code": "NotSupported", "description": "not here", "details": {"a": 1}}
    assert by_id["r3"]["error"]["path"] == "type"


def test_an_identity_that_is_no_topic_level_is_commanded_by_its_level(daemon, backend):
    url = daemon.url + "a%2Fb%20%2Bc"
    with station_of(daemon, "", url) as station:
        backend.command("r1", client_id="a%2Fb%20%2Bc")
        station.obey()
        backend.wait(1)
    assert backend.messages[0].topic == "csms/command_results/a%2Fb%20%2Bc/Reset"


def test_only_the_charge_points_that_are_here_are_subscribed_to(daemon, backend):
    with station_of(daemon), station_of(daemon, "CP2", held=2) as other:
        backend.command("r1", client_id="CP2")
        other.obey()
        backend.wait(1)
        other.close()
        wait_held(daemon, 1)
        backend.command("r2", client_id="CP2")
        with station_of(daemon, "CP2", held=2) as other:
            backend.command("r3", client_id="CP2")
            other.obey()
            results = backend.wait(2)
    assert [result["requestId"] for result in results] == ["r1", "r3"]


def test_a_result_survives_a_restart_of_the_broker(with_broker, durable_mosquitto):
    daemon = with_broker(durable_mosquitto)
    daemon.start()
    results = "csms/command_results/CP1/Reset"
    with Subscriber(durable_mosquitto.port, results, "replies/#") as subscriber, station_of(daemon) as station:
        with Backend(durable_mosquitto.port) as backend:
            body = {"requestId": "r1", "payload": RESET}
            backend.send("csms/commands/CP1/Reset", body, ResponseTopic="replies/1", CorrelationData=b"1")
            call = station.take()
        durable_mosquitto.stop()
        wait(lambda: daemon.metric("csms_mqtt_connected") == 0)
        station.reply(call, ACCEPTED)
        wait(lambda: daemon.metric("csms_mqtt_commands_total") == 1)
        durable_mosquitto.start()
        ok = {"requestId": "r1", "status": "ok", "response": ACCEPTED}
        assert subscriber.wait_topic(results) == subscriber.wait_topic("replies/1") == [ok]
        wait_held(daemon, 1)
        with Backend(durable_mosquitto.port) as backend:
            backend.send("csms/commands/CP1/Reset", body)
            assert subscriber.wait_topic(results, 2) == [ok, ok]
            backend.command("r2")
            station.obey()
            assert subscriber.wait_topic(results, 3)[2]["requestId"] == "r2"


def test_a_command_that_runs_when_the_daemon_stops_has_a_result(daemon, backend):
    with station_of(daemon) as station:
        backend.command("r1")
        backend.command("r2")
        station.take()
        daemon.process.terminate()
        results = backend.wait(2)
    assert daemon.process.wait(20) == 0
    assert [(result["requestId"], result["status"]) for result in results] == [
        ("r1", "ConnectionLost"),
        ("r2", "NotConnected"),
    ]


def test_a_flood_is_busy_and_the_charge_point_sees_one_command_at_a_time(daemon, backend):
    with station_of(daemon) as station:
        for number in range(60):
            backend.command(f"r{number}")
        call = station.take()
        busy = backend.wait(40)
        assert {result["status"] for result in busy} == {"Busy"}
        station.reply(call, ACCEPTED)
        for _ in range(19):
            station.obey()
        results = backend.wait(60)
    assert sum(result["status"] == "ok" for result in results) == 20
    assert len({result["requestId"] for result in results}) == 60


def test_a_retained_command_is_carried_out_once_if_it_says_until_when(daemon, backend):
    soon = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    backend.send("csms/commands/CP1/Reset", {"requestId": "for ever", "payload": RESET}, retain=True)
    backend.send("csms/commands/CP1/ClearCache", {"requestId": "soon", "payload": {}, "expiresAt": soon}, retain=True)
    for number in range(2):
        with station_of(daemon) as station:
            if number == 0:
                assert station.obey()[2] == "ClearCache"
                backend.wait(1)
            backend.command(f"after {number}")
            assert station.obey()[2] == "Reset"
            backend.wait(2 * number + 2)
        wait_held(daemon, 0)
    assert [result["requestId"] for result in backend.wait(4)] == ["soon", "after 0", "soon", "after 1"]


def test_a_retained_command_waits_for_the_boot_of_the_charge_point(daemon, backend):
    soon = (datetime.now(UTC) + timedelta(hours=5)).isoformat()
    body = {"requestId": "r1", "payload": RESET, "expiresAt": soon}
    backend.send("csms/commands/CP1/Reset", body, retain=True, ResponseTopic="replies/1", CorrelationData=b"1")
    with Station(daemon.url, "CP1", boot=False) as station:
        wait_held(daemon, 1)
        # A command after it says that the retained one was taken, and that without expiresAt nothing waits.
        backend.command("r2")
        assert [result["status"] for result in backend.wait(1)] == ["NotConnected"]
        station.call("BootNotification", chargePointVendor="ACME", chargePointModel="One")
        station.obey()
        assert backend.wait(2)[1] == {"requestId": "r1", "status": "ok", "response": ACCEPTED}
    assert backend.wait(1, "replies/1")
    (reply,) = [message for message in backend.messages if message.topic == "replies/1"]
    assert reply.properties.CorrelationData == b"1"


def test_with_the_sample_access_list_only_operations_command(tmp_path, with_broker):
    access = tmp_path / "access"
    access.write_text((ROOT / "etc" / "mosquitto.acl").read_text())
    access.chmod(0o600)
    with Mosquitto(tmp_path / "broker", settings=f"acl_file {access}\n") as broker:
        daemon = with_broker(broker, MQTT_USERNAME="csms")
        daemon.start()
        with (
            station_of(daemon) as station,
            Backend(broker.port, "operations") as operations,
            Backend(broker.port, "dashboard", "csms/#") as dashboard,
        ):
            dashboard.command("forbidden")
            body = {"requestId": "r1", "payload": RESET}
            operations.send("csms/commands/CP1/Reset", body, ResponseTopic="replies/operations/1")
            station.obey()
            assert operations.wait(1)[0]["requestId"] == "r1"
            assert operations.wait(1, "replies/operations/1")
            station.status("Available")
            dashboard.wait(1, "csms/connectors/")
    topics = {message.topic.split("/")[1] for message in dashboard.messages}
    assert not topics & {"commands", "command_results"}


def test_commands_can_be_switched_off(with_broker, mosquitto, backend):
    daemon = with_broker(mosquitto, MQTT_COMMANDS_ENABLED="false")
    daemon.start()
    with Station(daemon.url, "CP1") as station:
        backend.command("r1")
        station.call("Heartbeat")
        assert daemon.metric("csms_mqtt_command_subscriptions") == 0
    assert backend.messages == []
