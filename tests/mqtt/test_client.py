"""The client on a real mosquitto, and on brokers of raw sockets that do what mosquitto does not."""

from __future__ import annotations

import os
import queue
import resource
import socket
import threading
import time

import pytest
from twisted.logger import LogLevel, formatEvent

from csms.mqtt.client import MqttClient
from csms.mqtt.feed import Broker, HoldDelivery, Retained, Unpublishable
from tests.mosquitto import Mosquitto
from tests.mqtt.fakes import FakeBroker, FakeFeed, Subscriber, accept, hang_up, refuse, stay_silent

STATUS = "csms/gateways/gw1/status"
ONLINE, OFFLINE = b'{"online": true}', b'{"online": false}'


class Impatient(MqttClient):
    """A client that tries again soon."""

    def _backoff_s(self, failures):
        return 0.02


@pytest.fixture
def start():
    """Starts clients, and ends them."""
    running = []

    def start_one(port, *feeds, kind=Impatient, **broker):
        client = kind(
            Broker("127.0.0.1", port, "csms-gw1", **broker),
            feeds,
            birth=lambda: Retained(STATUS, ONLINE),
            will=Retained(STATUS, OFFLINE),
            random=lambda: 0.0,
        )
        client.start()
        running.append(client)
        return client

    yield start_one
    for client in running:
        end(client)


def end(client, flush_s=0.0):
    if not client._pool.joined:
        client.request_stop(flush_s)
        client.join()


def lines(logged, level=LogLevel.info):
    return [formatEvent(line) for line in list(logged.events) if line["log_level"] >= level]


def test_it_speaks_mqtt_5_and_says_that_it_is_there(mosquitto, start, logged):
    feed = FakeFeed()
    client = start(mosquitto.port, feed)
    feed.wait_for("begin")
    feed.wait_for(("acknowledged", 0))
    assert client.connected
    assert f"connected to the MQTT broker 127.0.0.1:{mosquitto.port} with MQTT 5" in lines(logged)
    with Subscriber(mosquitto.port, STATUS) as subscriber:
        birth = subscriber.next()
    assert (birth.payload, birth.retain, birth.qos) == (ONLINE, True, 1)


def test_it_speaks_mqtt_3_1_1_where_it_is_told_to(mosquitto, start, logged):
    feed = FakeFeed()
    start(mosquitto.port, feed, protocol="3.1.1")
    feed.wait_for("begin")
    assert lines(logged)[-1].endswith("with MQTT 3.1.1")


def test_properties_are_user_properties_of_mqtt_5(mosquitto, start):
    properties = [("id", "x" * 200), ("source", "/ü")]
    feed = FakeFeed(properties=properties)
    with Subscriber(mosquitto.port, "a/#") as subscriber:
        feed.waiting.append(("a/b", b"{}"))
        start(mosquitto.port, feed)
        message = subscriber.next()
    assert message.properties.UserProperty == properties
    assert message.properties.ContentType == "application/json"


@pytest.mark.parametrize("first", [hang_up, refuse(0x84), refuse(1, as_level=4)], ids=["hangs up", "0x84", "1"])
def test_it_falls_back_to_3_1_1(start, first):
    feed = FakeFeed()
    with FakeBroker(first, accept()) as broker:
        start(broker.port, feed)
        assert [broker.next_level(), broker.next_level()] == [5, 4]
        feed.wait_for("begin")


def test_it_does_not_fall_back_where_mqtt_5_is_demanded(start):
    with FakeBroker(hang_up) as broker:
        start(broker.port, protocol="5")
        assert {broker.next_level() for _ in range(4)} == {5}


def test_a_broker_that_spoke_mqtt_5_is_not_left_for_hanging_up(start):
    def lose(connection, level):
        connection.sendall(bytes((0x20, 3, 0, 0, 0)))

    with FakeBroker(lose, hang_up, hang_up, accept()) as broker:
        start(broker.port)
        assert {broker.next_level() for _ in range(4)} == {5}


def test_the_broker_says_the_will_when_the_socket_dies(mosquitto, start):
    feed = FakeFeed()
    start(mosquitto.port, feed)
    feed.wait_for(("acknowledged", 0))
    with Subscriber(mosquitto.port, STATUS) as subscriber:
        assert subscriber.next().payload == ONLINE
        feed.link.client.socket().shutdown(socket.SHUT_RDWR)
        assert subscriber.next().payload == OFFLINE
        assert subscriber.next().payload == ONLINE


def test_it_says_goodbye_after_what_was_left_to_say(mosquitto, start):
    feed = FakeFeed()
    client = start(mosquitto.port, feed)
    feed.wait_for(("acknowledged", 0))
    with Subscriber(mosquitto.port, "a/#", STATUS) as subscriber:
        assert subscriber.next().payload == ONLINE
        feed.waiting.extend(("a/b", b"%d" % number) for number in range(3))
        end(client, flush_s=5)
        assert [subscriber.next().payload for _ in range(4)] == [b"0", b"1", b"2", OFFLINE]
    assert not client.connected
    with Subscriber(mosquitto.port, STATUS) as late:
        message = late.next()
        assert (message.payload, message.retain) == (OFFLINE, True)


@pytest.mark.parametrize("random", [0.0, 0.5, 1.0])
def test_the_pause_between_attempts_grows_from_1_to_60_seconds(random):
    client = MqttClient(
        Broker("127.0.0.1", 1, "x"), (), birth=lambda: None, will=Retained("a", b""), random=lambda: random
    )
    pauses = [client._backoff_s(failures) for failures in range(1, 2000)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 1 + random
    assert pauses[-1] == 1 + 59 * random
    assert client._backoff_s(0) == 1


@pytest.mark.parametrize("code", [0x86, 0x87])
def test_a_refused_login_is_logged_once(start, logged, code):
    with FakeBroker(refuse(code)) as broker:
        start(broker.port, username="csms", password="s3cret")
        level, packet = broker.connects.get(timeout=5)
        assert packet.endswith(b"\x00\x04csms\x00\x06s3cret")
        assert level == 5
        assert {broker.next_level() for _ in range(3)} == {5}
    warnings = lines(logged, LogLevel.warn)
    assert sum("refused with code" in line for line in warnings) == 1
    assert not any("s3cret" in line for line in lines(logged, LogLevel.debug))


def test_a_real_broker_that_refuses_the_login_is_tried_again_in_silence(tmp_path, start, logged):
    with Mosquitto(tmp_path / "broker", settings="allow_anonymous false\n") as broker:
        client = start(broker.port, username="csms", password="wrong")
        deadline = time.monotonic() + 5
        while broker.log.read_text().count("not authorised") < 3:
            assert time.monotonic() < deadline
        assert not client.connected
    assert sum("refused with code" in line for line in lines(logged, LogLevel.warn)) == 1


def test_a_wake_from_another_thread_publishes_promptly(mosquitto, start):
    feed = FakeFeed()
    client = start(mosquitto.port, feed)
    feed.wait_for(("acknowledged", 0))
    with Subscriber(mosquitto.port, "a/#") as subscriber:
        for number in range(20):
            began = time.monotonic()
            feed.waiting.append(("a/b", b"%d" % number))
            threading.Thread(target=client.wake).start()
            assert subscriber.next().payload == b"%d" % number
            assert time.monotonic() - began < 0.5


def test_it_goes_on_when_the_broker_was_restarted(mosquitto, start, logged):
    feed = FakeFeed()
    client = start(mosquitto.port, feed)
    feed.wait_for(("acknowledged", 0))
    mosquitto.stop()
    feed.wait_for("end")
    mosquitto.start()
    feed.wait_for("begin")
    with Subscriber(mosquitto.port, "a/#") as subscriber:
        feed.waiting.append(("a/b", b"1"))
        client.wake()
        assert subscriber.next().payload == b"1"
    assert lines(logged)[-1].endswith("with MQTT 5")
    assert sum("cannot reach" in line for line in lines(logged)) <= 1


def test_a_held_delivery_ends_the_connection_and_begins_another(start, logged):
    feed = FakeFeed()
    feed.hold = HoldDelivery("reason code 0x87")
    with FakeBroker(accept(pubacks=[0x00, 0x87]), accept()) as broker:
        client = start(broker.port, feed)
        feed.wait_for(("acknowledged", 0))
        feed.waiting.append(("a/b", b"1"))
        client.wake()
        feed.wait_for(("acknowledged", 0x87))
        assert feed.next() == "end"
        assert feed.next() == "begin"
    assert any("refuses events for now: reason code 0x87" in line for line in lines(logged, LogLevel.warn))


def test_the_window_is_no_larger_than_the_broker_s(start):
    feed = FakeFeed()
    with FakeBroker(accept(receive_maximum=7)) as broker:
        start(broker.port, feed)
        feed.wait_for("begin")
        assert feed.link.window == 7


def test_a_failing_feed_does_not_end_the_thread(start, logged):
    feed = FakeFeed()
    feed.pump = lambda _link: 1 / 0
    with FakeBroker(accept()) as broker:
        start(broker.port, feed)
        feed.wait_for("begin")
        feed.wait_for("begin")
    assert logged.failures


def test_a_stop_does_not_wait_for_a_broker_that_says_nothing(start):
    with FakeBroker(stay_silent) as broker:
        client = start(broker.port)
        broker.next_level()
        began = time.monotonic()
        end(client)
        assert time.monotonic() - began < 2


def test_a_stop_does_not_wait_for_a_pause_to_end(start):
    with FakeBroker(hang_up) as broker:
        client = start(broker.port, kind=MqttClient, protocol="5")
        broker.next_level()
        began = time.monotonic()
        end(client)
        assert time.monotonic() - began < 0.9


def test_it_connects_where_all_low_descriptors_are_in_use(start):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    taken = [os.dup(0)]
    publishes = queue.Queue()
    feed = FakeFeed()
    try:
        with FakeBroker(accept(publishes=publishes)) as broker:
            while taken[-1] < 1100:
                taken.append(os.dup(0))
            client = start(broker.port, feed)
            feed.wait_for(("acknowledged", 0))
            assert feed.link.client.socket().fileno() > 1023
            feed.waiting.append(("a/b", b"1"))
            client.wake()
            feed.wait_for(("acknowledged", 0))
            end(client)
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [publishes.get_nowait(), publishes.get_nowait()] == [STATUS, "a/b"]


def test_a_topic_that_cannot_be_is_unpublishable(mosquitto, start):
    feed = FakeFeed()
    refused = queue.Queue()

    def pump(link):
        for qos in (0, 1):
            for topic in ("", "x" * 65536, "\ud800"):
                try:
                    link.publish(topic, b"", qos=qos)
                except Unpublishable:
                    refused.put((qos, topic))
                else:
                    refused.put("published")
        return 1.0

    feed.pump = pump
    start(mosquitto.port, feed)
    assert "published" not in [refused.get(timeout=5) for _ in range(6)]
