"""The client on a real mosquitto, and on brokers of raw sockets that do what mosquitto does not."""

from __future__ import annotations

import os
import queue
import resource
import socket
import threading
import time
from contextlib import suppress

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from twisted.logger import LogLevel, formatEvent

from csms.mqtt import packets
from csms.mqtt.feed import IDLE_S, Broker, HoldDelivery, Retained, Unpublishable
from csms.mqtt.incoming import Message
from csms.mqtt.thread import MqttThread
from tests.mosquitto import Mosquitto
from tests.mqtt.fakes import (
    FakeBroker,
    FakeFeed,
    FakeReceiver,
    Subscriber,
    accept,
    hang_up,
    read_packet,
    refuse,
    stay_silent,
)

STATUS = "csms/gateways/gw1/status"
ONLINE, OFFLINE = b'{"online": true}', b'{"online": false}'


class Impatient(MqttThread):
    """A client that tries again soon."""

    def _backoff_s(self, failures):
        return 0.02


@pytest.fixture
def start():
    """Starts clients, and ends them."""
    running = []

    def start_one(port, *feeds, kind=Impatient, receiver=None, **broker):
        client = kind(
            Broker("127.0.0.1", port, "csms-gw1", **broker),
            feeds,
            birth=lambda: Retained(STATUS, ONLINE),
            will=Retained(STATUS, OFFLINE),
            random=lambda: 0.0,
            receiver=receiver,
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


def test_what_one_feed_published_does_not_keep_the_next_from_publishing(mosquitto, start):
    """The relay goes first, always with something: the protocol stream must not have to wait until it has nothing."""

    class Second(FakeFeed):
        def pump(self, link):
            return super().pump(link) if link.writable else IDLE_S

    first, second = FakeFeed(), Second()
    with Subscriber(mosquitto.port, "a/#") as subscriber:
        first.waiting.append(("a/first", b"1"))
        second.waiting.append(("a/second", b"2"))
        start(mosquitto.port, first, second)
        assert [subscriber.next().topic, subscriber.next().topic] == ["a/first", "a/second"]
    assert not second.waiting


def test_properties_are_user_properties_of_mqtt_5(mosquitto, start):
    properties = [("id", "x" * 200), ("source", "/ü")]
    feed = FakeFeed(properties=packets.user_properties(*properties))
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
    client = MqttThread(
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
        client = start(broker.port, kind=MqttThread, protocol="5")
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


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_of_many_at_once_those_that_can_be_go_out_once_and_in_order(mosquitto, start, protocol, qos):
    messages = [(f"a/{number}", b"%d" % number, packets.user_properties(("id", str(number)))) for number in range(12)]
    messages[6] = ("", b"", b"")
    outcomes = []

    class AtOnce(FakeFeed):
        def pump(self, link):
            if not outcomes:
                outcomes.extend(link.publish_all(messages, qos=qos))
            return IDLE_S

    feed = AtOnce()
    with Subscriber(mosquitto.port, "a/#") as subscriber:
        start(mosquitto.port, feed, protocol=protocol)
        came = [subscriber.next() for _ in range(11)]
    refused = outcomes.pop(6)
    assert isinstance(refused, Unpublishable)
    assert [(message.topic, message.payload) for message in came] == [each[:2] for each in messages if each[0]]
    names = [getattr(message.properties, "UserProperty", None) for message in came]
    assert names == [[("id", message.payload.decode())] if protocol == "5" else None for message in came]
    if qos:
        assert len(set(outcomes)) == 11
        for _ in range(12):  # birth's, too
            feed.wait_for(("acknowledged", 0))


# What is subscribed to.


def publisher(port, protocol=paho.MQTTv5):
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert connected.wait(5)
    return client


def request(response_topic=None, correlation_data=None, **more):
    properties = Properties(PacketTypes.PUBLISH)
    for name, value in {"ResponseTopic": response_topic, "CorrelationData": correlation_data, **more}.items():
        if value is not None:
            setattr(properties, name, value)
    return properties


class Listening(FakeFeed):
    """A feed that subscribes at each connection."""

    def __init__(self, *filters):
        super().__init__()
        self.filters = list(filters)

    def begin(self, link):
        super().begin(link)
        link.subscribe(self.filters)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_what_is_subscribed_to_is_received(mosquitto, start, protocol):
    receiver = FakeReceiver()
    start(mosquitto.port, Listening("a/+", "b/+"), protocol=protocol, receiver=receiver)
    packet_id, reasons = receiver.answers.get(timeout=5)
    assert (packet_id > 0, reasons) == (True, b"\1\1")
    client = publisher(mosquitto.port)
    client.publish("a/1", b"one", qos=1, properties=request("replies/1", b"\0\xff", UserProperty=("k", "\ufeff")))
    client.publish("b/1", b"", qos=0)
    first, second = (receiver.messages.get(timeout=5) for _ in range(2))
    reply = ("replies/1", b"\0\xff") if protocol == "5" else (None, None)
    assert first == Message("a/1", b"one", response_topic=reply[0], correlation_data=reply[1])
    assert second == Message("b/1", b"")
    client.disconnect()
    client.loop_stop()


def test_it_can_be_unsubscribed_from(mosquitto, start):
    receiver = FakeReceiver()
    feed = Listening("a/+", "b/+")
    client = start(mosquitto.port, feed, receiver=receiver)
    receiver.answers.get(timeout=5)
    feed.pump = lambda link: (feed.waiting and link.unsubscribe(feed.waiting.pop()), 1.0)[1]
    feed.waiting.append(["a/+"])
    client.wake()
    assert receiver.answers.get(timeout=5)[1] == b"\0"
    sender = publisher(mosquitto.port)
    for topic in ("a/1", "b/1"):
        sender.publish(topic, b"", qos=1)
    assert receiver.messages.get(timeout=5).topic == "b/1"
    sender.disconnect()
    sender.loop_stop()


def test_a_retained_message_says_so_at_each_connection(mosquitto, start):
    sender = publisher(mosquitto.port)
    kept = sender.publish("a/1", b"{}", qos=1, retain=True, properties=request(UserProperty=("k", "\ufeff")))
    kept.wait_for_publish(5)  # or it comes after the subscription, and is not retained
    receiver = FakeReceiver()
    feed = Listening("a/+")
    start(mosquitto.port, feed, receiver=receiver)
    assert receiver.messages.get(timeout=5) == Message("a/1", b"{}", retained=True)
    sender.publish("a/1", b"{}", qos=1, retain=True)
    assert receiver.messages.get(timeout=5) == Message("a/1", b"{}")
    feed.link.client.socket().shutdown(socket.SHUT_RDWR)
    assert receiver.messages.get(timeout=5) == Message("a/1", b"{}", retained=True)
    sender.disconnect()
    sender.loop_stop()


def test_many_messages_come_in_few_turns_and_feeds_are_served_meanwhile(mosquitto, start):
    receiver = FakeReceiver()
    feed = Listening("a/+")
    client = start(mosquitto.port, feed, receiver=receiver)
    receiver.answers.get(timeout=5)
    sender = publisher(mosquitto.port)
    began = time.monotonic()
    with Subscriber(mosquitto.port, "other/#") as subscriber:
        for number in range(2000):
            sender.publish("a/1", b"%d" % number, qos=0)
        feed.waiting.append(("other/1", b"here"))
        client.wake()
        assert subscriber.next().payload == b"here"
    assert [receiver.messages.get(timeout=5).payload for _ in range(2000)] == [b"%d" % number for number in range(2000)]
    assert time.monotonic() - began < 8
    sender.disconnect()
    sender.loop_stop()


def test_correlation_data_is_published(mosquitto, start):
    feed = FakeFeed()
    feed.pump = lambda link: (
        feed.waiting and link.publish("a/b", b"{}", qos=1, properties=packets.correlation_data(feed.waiting.pop())),
        1,
    )[1]
    client = start(mosquitto.port, feed)
    feed.wait_for("begin")
    with Subscriber(mosquitto.port, "a/#") as subscriber:
        feed.waiting.append(b"\0\xff")
        client.wake()
        message = subscriber.next()
    assert message.properties.CorrelationData == b"\0\xff"
    assert message.properties.ContentType == "application/json"


@pytest.mark.parametrize(("maximum", "windows"), [(None, (200, 8)), (7, (4, 3)), (100, (92, 8)), (1, (1, 1))])
def test_results_of_commands_have_their_part_of_the_broker_s_window(start, maximum, windows):
    feed = FakeFeed()
    with FakeBroker(accept(receive_maximum=maximum)) as broker:
        start(broker.port, feed, receiver=FakeReceiver())
        feed.wait_for("begin")
        assert (feed.link.window, feed.link.reply_window) == windows


def test_a_broker_that_said_yes_to_mqtt_5_is_not_left_for_what_came_with_it(start):
    def poison(connection, level):
        connection.sendall(bytes((0x20, 3, 0, 0, 0)) + b"\x30\x02\xff\xff")

    with FakeBroker(poison, accept()) as broker:
        start(broker.port, receiver=FakeReceiver())
        assert [broker.next_level(), broker.next_level()] == [5, 5]


def test_a_packet_that_is_none_ends_the_connection_and_begins_another(start):
    def poison(connection, level):
        connection.sendall(bytes((0x20, 3, 0, 0, 0)))
        read_packet(connection)
        connection.sendall(b"\x30\x02\xff\xff")
        with suppress(OSError):
            while True:
                read_packet(connection)

    feed = FakeFeed()
    with FakeBroker(poison, accept()) as broker:
        start(broker.port, feed, receiver=FakeReceiver())
        for _ in range(2):
            feed.wait_for("begin")


def test_a_packet_does_not_wait_for_the_acknowledgement_of_the_one_before(mosquitto, start):
    """With Nagle's algorithm the result of a command came 40 ms late."""
    feed, links = FakeFeed(), queue.Queue()
    feed.begin = links.put
    start(mosquitto.port, feed)
    connection = links.get(timeout=10).client.socket()._connection
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
