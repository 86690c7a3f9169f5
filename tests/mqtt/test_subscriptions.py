"""Subscriptions follow the charge points that are held, in few packets."""

from __future__ import annotations

from csms.mqtt.subscriptions import Subscriptions
from tests.mqtt.fakes import FakeLink, Seconds


class Bench:
    """Subscriptions on a link whose broker answers when the test says so."""

    def __init__(self):
        self.monotonic = Seconds()
        self.subscriptions = Subscriptions(self.monotonic)
        self.connect()

    def connect(self):
        self.link = FakeLink()
        self.subscriptions.begin()

    def pump(self, seconds=1.0):
        self.monotonic.advance(seconds)
        return self.subscriptions.pump(self.link)

    def answer(self, reasons=b""):
        packet_id = max(packet_id for packet_id, _ in self.link.subscribed + self.link.unsubscribed)
        self.subscriptions.answered(packet_id, reasons)

    def settle(self):
        """Pump until nothing more is sent; return how many packets that took."""
        before = len(self.link.subscribed) + len(self.link.unsubscribed)
        for _ in range(1000):
            self.pump()
            if self.subscriptions._under_way is None:
                break
            self.answer()
        return len(self.link.subscribed) + len(self.link.unsubscribed) - before

    @property
    def held(self):
        """What the broker would deliver."""
        held = set()
        for _, filters, subscribe in sorted(
            [(number, filters, True) for number, filters in self.link.subscribed]
            + [(number, filters, False) for number, filters in self.link.unsubscribed]
        ):
            held = held | set(filters) if subscribe else held - set(filters)
        return held


def test_one_charge_point_is_subscribed_to_at_once_and_left_when_it_is_gone():
    bench = Bench()
    bench.subscriptions.hold("CP 1/a")
    bench.pump()
    assert [filters for _, filters in bench.link.subscribed] == [["csms/commands/CP%201%2Fa/+"]]
    assert bench.subscriptions.holder("CP%201%2Fa") == "CP 1/a"
    assert bench.subscriptions.standing == 0
    bench.answer(b"\1")
    assert bench.subscriptions.standing == 1
    bench.subscriptions.release("CP 1/a")
    assert bench.subscriptions.holder("CP%201%2Fa") is None
    bench.pump()
    assert [filters for _, filters in bench.link.unsubscribed] == [["csms/commands/CP%201%2Fa/+"]]


def test_thousands_that_come_one_by_one_take_few_packets():
    bench = Bench()
    for number in range(5000):
        bench.subscriptions.hold(f"CP{number}")
        bench.pump(0.001)
        if bench.subscriptions._under_way is not None:
            bench.answer(b"\1")
    bench.settle()
    assert len(bench.link.subscribed) < 100
    assert len(bench.held) == 5000
    assert max(len(filters) for _, filters in bench.link.subscribed) <= 200


def test_after_a_reconnect_all_are_subscribed_to_again_and_only_those_that_are_held():
    bench = Bench()
    for number in range(450):
        bench.subscriptions.hold(f"CP{number}")
    bench.settle()
    bench.subscriptions.end()
    bench.subscriptions.release("CP7")
    bench.connect()
    assert bench.settle() == 3
    assert bench.held == {f"csms/commands/CP{number}/+" for number in range(450) if number != 7}


def test_one_packet_is_under_way_at_a_time():
    bench = Bench()
    bench.subscriptions.hold("CP1")
    bench.pump()
    bench.subscriptions.hold("CP2")
    bench.pump()
    assert len(bench.link.subscribed) == 1
    bench.subscriptions.answered(99, b"\1")
    bench.pump()
    assert len(bench.link.subscribed) == 1
    bench.answer(b"\1")
    bench.pump()
    assert len(bench.link.subscribed) == 2


def test_who_comes_and_goes_in_between_costs_nothing():
    bench = Bench()
    bench.subscriptions.hold("CP1")
    bench.subscriptions.release("CP1")
    bench.subscriptions.release("CP1")
    assert bench.settle() == 0
    bench.subscriptions.hold("CP1")
    assert bench.settle() == 1
    bench.subscriptions.release("CP1")
    bench.subscriptions.hold("CP1")
    assert bench.settle() == 0


def test_a_refusal_is_told(logged):
    bench = Bench()
    bench.subscriptions.hold("CP1")
    bench.subscriptions.hold("CP2")
    bench.pump()
    bench.answer(b"\1\x87")
    (line,) = [event for event in logged.events if "refuses" in event["log_format"]]
    assert (line["count"], line["topic_level"], line["reason"]) == (1, "CP2", 0x87)
    assert bench.settle() == 0


def test_nothing_is_sent_while_the_link_is_full():
    bench = Bench()
    bench.subscriptions.hold("CP1")
    bench.link.writable = False
    bench.pump()
    assert bench.link.subscribed == []
    bench.link.writable = True
    assert bench.settle() == 1
