"""The protocol stream: nothing lost while there is room, bounded beyond, never in the way."""

from __future__ import annotations

from twisted.logger import formatEvent

from csms.events.protocol import ProtocolEvent, publication
from csms.metrics import Counters
from csms.mqtt import protocol_stream
from csms.mqtt.protocol_stream import ProtocolStream
from tests.fakes import GATEWAY, NOW
from tests.mqtt.fakes import FakeLink, Seconds


def event(number=1, frame=None):
    if frame is None:
        frame = b'[2,"%d","Heartbeat",{}]' % number
    return ProtocolEvent(NOW, "CP1", "in", "Heartbeat", str(number), frame)


def stream_of(monotonic=None):
    counters = Counters()
    return ProtocolStream(GATEWAY, counters, monotonic or Seconds()), counters


def pump_all(stream, link):
    while stream.pump(link) == 0:
        pass


def complaints(logged):
    return [formatEvent(line) for line in logged.events if "dropped" in line["log_format"]]


def test_what_is_offered_is_published_in_order_with_qos_0():
    stream, counters = stream_of()
    woken = []
    stream.wake = lambda: woken.append(True)
    link = FakeLink()
    given = [event(number) for number in range(1250)]
    for each in given:
        stream.offer(each)
    assert len(woken) == 1250
    assert stream.pump(link) == 0
    assert len(link.published) < 1250
    pump_all(stream, link)
    assert [(message.topic, message.payload) for message in link.published] == [
        publication(each, GATEWAY) for each in given
    ]
    assert {(message.qos, message.retain) for message in link.published} == {(0, False)}
    assert stream.drained
    assert counters.total("protocol_events_published") == 1250
    assert counters.total("protocol_events_dropped") == 0


def test_the_queue_is_bounded_by_count_and_takes_more_when_there_is_room():
    stream, counters = stream_of()
    for number in range(protocol_stream._MAX_QUEUED + 3):
        stream.offer(event(number))
    assert counters.total("protocol_events_dropped") == 3
    link = FakeLink()
    pump_all(stream, link)
    assert len(link.published) == protocol_stream._MAX_QUEUED
    stream.offer(event())
    assert not stream.drained


def test_the_queue_is_bounded_by_bytes_and_takes_more_when_there_is_room():
    stream, counters = stream_of()
    large = b'[2,"1","Heartbeat",{"a":"' + b"x" * 1024 * 1024 + b'"}]'
    for _ in range(40):
        stream.offer(event(frame=large))
    assert counters.total("protocol_events_dropped") == 8
    pump_all(stream, FakeLink())
    stream.offer(event(frame=large))
    assert counters.total("protocol_events_dropped") == 8


def test_offering_while_another_thread_publishes_keeps_the_count_of_bytes_right():
    stream, counters = stream_of()
    link = FakeLink()

    waiting = []

    class Interrupted(bytes):
        """Bytes whose length is asked for, once, just when the other thread publishes."""

        __slots__ = ()

        def __len__(self):
            if waiting:
                waiting.pop()
                pump_all(stream, link)
            return super().__len__()

    large = b'[2,"1","Heartbeat",{}]' + b" " * 10 * 1024 * 1024
    for _ in range(5):
        stream.offer(event(frame=large))
        waiting.append(True)
        stream.offer(event(frame=Interrupted(large)))
        pump_all(stream, link)
    assert counters.total("protocol_events_dropped") == 0
    assert len(link.published) == 10


def test_drops_are_logged_once_a_minute_with_their_number(logged):
    monotonic = Seconds()
    stream, counters = stream_of(monotonic)
    for number in range(protocol_stream._MAX_QUEUED + 5):
        stream.offer(event(number))
    assert len(complaints(logged)) == 1
    monotonic.advance(59)
    stream.offer(event())
    assert len(complaints(logged)) == 1
    monotonic.advance(1)
    stream.offer(event())
    assert complaints(logged)[1:] == ["6 protocol events dropped: the broker is away or slow"]
    assert counters.total("protocol_events_dropped") == 7


def test_nothing_is_published_while_the_link_is_not_writable():
    stream, _ = stream_of()
    stream.offer(event())
    link = FakeLink()
    link.writable = False
    assert stream.pump(link) > 0
    assert link.published == []
    link.writable = True
    stream.pump(link)
    assert len(link.published) == 1


def test_what_is_queued_outlives_the_connection():
    stream, _ = stream_of()
    stream.offer(event())
    stream.end()
    stream.begin(FakeLink())
    link = FakeLink()
    stream.pump(link)
    assert len(link.published) == 1


def test_an_event_that_cannot_be_published_does_not_stop_the_next(logged):
    stream, counters = stream_of()
    link = FakeLink()
    link.poison = {"ocpp/messages/CP1/Heartbeat"}
    for client_id in ("CP3", "CP1", "CP2"):
        stream.offer(ProtocolEvent(NOW, client_id, "in", "Heartbeat", "2", b'[2,"2","Heartbeat",{}]'))
    pump_all(stream, link)
    assert [message.topic for message in link.published] == [
        "ocpp/messages/CP3/Heartbeat",
        "ocpp/messages/CP2/Heartbeat",
    ]
    assert counters.total("protocol_events_published") == 2
    assert [line["topic"] for line in logged.events] == ["ocpp/messages/CP1/Heartbeat"]


def test_a_batch_of_large_ones_is_short():
    stream, _ = stream_of()
    for _ in range(3):
        stream.offer(event(frame=b'[2,"1","Heartbeat",{"a":"' + b"x" * 600_000 + b'"}]'))
    link = FakeLink()
    assert stream.pump(link) == 0
    assert len(link.published) == 1
