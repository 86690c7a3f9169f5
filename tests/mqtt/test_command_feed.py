"""Between the threads: commands in batches, results until the broker has them, both bounded."""

from __future__ import annotations

import json

import pytest

from csms.metrics import Counters
from csms.mqtt import command_feed
from csms.mqtt.command_feed import CommandFeed
from csms.mqtt.command_messages import Answer, ReplyTo
from csms.mqtt.incoming import Message
from tests.mqtt.fakes import FakeLink, FakeThreads, Seconds


class Bench:
    """A feed that holds CP1, on a link that stands."""

    def __init__(self):
        self.threads = FakeThreads()
        self.counters = Counters()
        self.monotonic = Seconds()
        self.woken = 0
        self.batches = []
        self.feed = CommandFeed(self.threads, self.counters, self.monotonic)
        self.feed.take = self.batches.append
        self.feed.wake = self._wake
        self.feed.hold("CP1")
        self.connect()

    def _wake(self):
        self.woken += 1

    def connect(self, **members):
        self.link = FakeLink(**members)
        self.feed.begin(self.link)

    def pump(self):
        return self.feed.pump(self.link)

    def come(self, count=1, payload=b'{"requestId":"r1","payload":{}}', topic="csms/commands/CP1/Reset", **members):
        for _ in range(count):
            self.feed.received(Message(topic, payload, **members))

    def give(self, body, addresses=(), status="ok", *, is_refusal=False):
        self.feed.answer("CP1", "Reset", Answer(status, body, is_refusal), addresses)

    def acknowledge(self, reason=0):
        for message in list(self.link.published):
            self.feed.acknowledged([(message.packet_id, reason)])

    @property
    def taken(self):
        return [incoming for batch in self.batches for incoming in batch]


@pytest.fixture
def bench():
    return Bench()


def test_commands_go_to_the_reactor_in_one_call_for_all_that_came(bench):
    bench.come(30)
    assert len(bench.threads.calls) == 1
    assert bench.taken == []
    bench.threads.run()
    assert [len(batch) for batch in bench.batches] == [30]
    assert (bench.taken[0].client_id, bench.taken[0].action) == ("CP1", "Reset")
    bench.come()
    assert len(bench.threads.calls) == 1


def test_the_reactor_takes_a_few_at_a_time(bench):
    bench.come(120)
    bench.threads.run_one()
    assert len(bench.taken) == 50
    bench.threads.run()
    assert [len(batch) for batch in bench.batches] == [50, 50, 20]


@pytest.mark.parametrize(
    "topic",
    ["csms/commands/CP2/Reset", "csms/commands/CP1", "csms/commands/CP1/a/b", "csms/state/CP1", "CP1/Reset", "x"],
)
def test_what_is_for_nobody_here_is_passed_over(bench, topic):
    bench.come(topic=topic)
    assert not bench.threads.calls


def test_a_charge_point_that_has_gone_gets_no_command(bench):
    bench.feed.release("CP1")
    bench.come()
    assert not bench.threads.calls


def test_a_flood_is_answered_busy_and_costs_no_memory(bench):
    bench.come(command_feed._MAX_INCOMING + 3, response_topic="replies/1", correlation_data=b"7")
    bench.come(payload=b"not JSON")
    bench.pump()
    replies = [
        (message.topic, json.loads(message.payload), message.correlation_data) for message in bench.link.published
    ]
    assert [body["status"] for _, body, _ in replies] == ["Busy"] * 7
    assert replies[0][1]["requestId"] == "r1"
    assert replies[0][0::2] == ("csms/command_results/CP1/Reset", None)
    assert replies[1][0::2] == ("replies/1", b"7")
    assert replies[6][1]["requestId"] is None
    assert bench.counters.total("mqtt_commands_turned_away") == 4
    bench.threads.run()
    assert len(bench.taken) == command_feed._MAX_INCOMING
    bench.come()
    bench.threads.run()
    assert len(bench.taken) == command_feed._MAX_INCOMING + 1


def test_large_commands_are_bounded_by_bytes(bench):
    large = b'{"requestId":"r1","payload":{"a":"%s"}}' % (b"x" * 1_000_000)
    bench.come(20, payload=large)
    assert bench.counters.total("mqtt_commands_turned_away") == 4
    bench.threads.run()
    bench.come(payload=large)
    bench.threads.run()
    assert len(bench.taken) == 17


def test_a_result_goes_to_the_charge_points_topic_and_to_those_that_were_named(bench):
    bench.give(b'{"a":1}', [ReplyTo("replies/1", b"\0")])
    assert bench.woken
    bench.pump()
    assert [(m.topic, m.payload, m.qos, m.retain, m.correlation_data) for m in bench.link.published] == [
        ("csms/command_results/CP1/Reset", b'{"a":1}', 1, False, None),
        ("replies/1", b'{"a":1}', 1, False, b"\0"),
    ]
    assert not bench.feed.drained
    bench.acknowledge()
    assert bench.feed.drained
    assert bench.counters.values["mqtt_commands"] == {"ok": 1}


def test_no_more_results_are_in_flight_than_the_window_has_room_for(bench):
    bench.connect(reply_window=2)
    for number in range(5):
        bench.give(b"%d" % number)
    bench.pump()
    bench.pump()
    assert len(bench.link.published) == 2
    bench.acknowledge()
    bench.pump()
    assert [message.payload for message in bench.link.published] == [b"0", b"1", b"2", b"3"]


def test_nothing_is_published_while_the_link_is_full(bench):
    bench.give(b"1")
    bench.link.writable = False
    bench.pump()
    assert bench.link.published == []
    bench.link.writable = True
    bench.pump()
    assert len(bench.link.published) == 1


def test_what_was_not_acknowledged_is_published_again_in_order(bench):
    for number in range(10):
        bench.give(b"%d" % number)
    bench.pump()
    bench.feed.acknowledged([(bench.link.published[0].packet_id, 0)])
    bench.feed.end()
    bench.connect()
    for _ in range(3):
        bench.pump()
        bench.acknowledge()
    assert [message.payload for message in bench.link.published] == [b"%d" % number for number in range(1, 10)]
    assert bench.feed.drained


def test_a_result_that_the_broker_refuses_does_not_block_the_others(bench, logged):
    bench.link.poison.add("csms/command_results/CP1/Reset")
    bench.give(b"1", [ReplyTo("replies/1", None)])
    bench.pump()
    assert [message.topic for message in bench.link.published] == ["replies/1"]
    bench.acknowledge(reason=0x87)
    assert bench.feed.drained
    assert bench.counters.total("mqtt_command_results_dropped") == 2
    assert len(logged.events) == 2


def test_results_are_bounded_while_the_broker_is_away_and_refusals_leave_room(bench, logged):
    bench.feed.end()
    for _ in range(command_feed._MAX_REFUSALS + 5):
        bench.give(b"busy", is_refusal=True)
    assert bench.counters.total("mqtt_command_results_dropped") == 5
    for _ in range(command_feed._MAX_RESULTS):
        bench.give(b"ok")
    assert bench.counters.total("mqtt_command_results_dropped") == command_feed._MAX_REFUSALS + 5
    assert len([event for event in logged.events if "dropped" in event["log_format"]]) == 1


def test_results_are_bounded_by_bytes_and_there_is_room_again(bench):
    large = b"x" * 1024 * 1024
    for _ in range(40):
        bench.give(large)
    assert bench.counters.total("mqtt_command_results_dropped") == 8
    for _ in range(10):
        bench.pump()
        bench.acknowledge()
    bench.give(large)
    assert bench.counters.total("mqtt_command_results_dropped") == 8


def test_it_is_not_drained_while_a_result_is_to_come(bench):
    assert bench.feed.drained
    bench.feed.is_busy = lambda: True
    assert not bench.feed.drained


def test_subscriptions_go_with_the_charge_points(bench):
    bench.pump()
    ((packet_id, filters),) = bench.link.subscribed
    assert filters == ["csms/commands/CP1/+"]
    bench.feed.answered(packet_id, b"\1")
    bench.feed.release("CP1")
    bench.monotonic.advance(1)
    bench.pump()
    assert [filters for _, filters in bench.link.unsubscribed] == [["csms/commands/CP1/+"]]


def test_a_result_keeps_the_action_of_the_topic_unless_no_broker_takes_it(bench):
    bench.feed.answer("CP 1", "Re%2Fset", Answer("ok", b""), ())
    bench.feed.answer("CP 1", "a\nb", Answer("ok", b""), ())
    bench.pump()
    assert [message.topic for message in bench.link.published] == [
        "csms/command_results/CP%201/Re%2Fset",
        "csms/command_results/CP%201/a%0Ab",
    ]
