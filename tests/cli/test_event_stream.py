"""Server-sent events: taken apart whatever the pieces, and followed through every loss of the connection."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.cli.address import Address
from csms.cli.api_client import Api
from csms.cli.event_stream import Follower, ServerEvent, StreamParser
from csms.cli.faults import Fault, Status

STREAM = (
    b": hello\r\n\r\nretry: 2000\rid: 4\r\r"
    b'id: 5\ndata: {"a":\ndata:  "\xe2\x80\xa8\xc2\x85\x0b\x1c"}\nevent: x\nunknown\n\n'
    b"id: 6\r\ndata:x\r\n\r\nid: 7\ndata: cut off"
)
EVENTS = [
    ServerEvent("", None),
    ServerEvent("4", None),
    ServerEvent("5", '{"a":\n "\u2028\x85\x0b\x1c"}'),
    ServerEvent("6", "x"),
]


def block(position, **members):
    item = {"position": position, "topic": "t", "event": {"n": position, **members}}
    return f"id: {position}\ndata: {json.dumps(item)}\n\n".encode()


@given(st.lists(st.integers(0, len(STREAM))))
def test_it_does_not_matter_where_the_pieces_end(cuts):
    parser = StreamParser()
    ends = sorted({0, len(STREAM), *cuts})
    pieces = [STREAM[start:end] for start, end in itertools.pairwise(ends)]
    assert [event for piece in pieces for event in parser.feed(piece)] == EVENTS


class Following:
    """A follower that is told to stop after so many waits."""

    def __init__(self, api, after=None, waits=0, **parameters):
        self.waited, self.said, self.seen, self._waits = [], [], [], waits
        with Api(Address(api.url, None)) as client:
            follower = Follower(client, parameters, after, wait=self.wait, say=self.said.append)
            try:
                for item in follower.items():
                    self.seen.append(item["position"])
            except Enough:
                pass

    def wait(self, seconds):
        self.waited.append(seconds)
        if len(self.waited) > self._waits:
            raise Enough


class Enough(Exception):
    pass


def last_ids(api):
    return [request.headers["Last-Event-ID"] for request in api.requests]


def test_it_goes_on_where_it_was_and_shows_nothing_twice(api):
    first = block(3) + block(4)
    api.stream("GET /events?type=a&type=b&clientId=c", first[:-20])
    api.stream("GET /events?type=a&type=b&clientId=c&after=3", block(3) + block(4), block(5))
    api.stream("GET /events?type=a&type=b&clientId=c&after=5", b": nothing\n\n")
    following = Following(api, waits=2, type=["a", "b"], clientId="c")
    assert following.seen == [3, 4, 5]
    assert last_ids(api) == [None, "3", "5"]
    assert all(request.headers["Accept"] == "text/event-stream" for request in api.requests)
    assert len(following.said) == 3


def test_the_position_moves_on_without_events(api):
    api.stream("GET /events?after=3", b"id: 9\n\n")
    api.stream("GET /events?after=9", block(8), block(10))
    assert Following(api, after="3", waits=1).seen == [10]


def test_it_waits_longer_each_time_but_not_too_long_and_anew_after_it_was_well(api):
    api.stream("GET /events?after=0", block(1))
    for _ in range(9):
        api.problem("GET /events?after=1", 503, "the ledger cannot be used now")
    api.stream("GET /events?after=1", block(2))
    api.problem("GET /events?after=2", 502, "bad gateway")
    following = Following(api, after="0", waits=11)
    longest = [0.5, 0.5, 1, 2, 4, 8, 16, 30, 30, 30, 0.5, 0.5]
    assert following.seen == [1, 2]
    for waited, most in zip(following.waited[1:10], [1, 2, 4, 8, 16, 30, 30, 30, 30], strict=True):
        assert most / 2 <= waited <= most
    assert following.waited[0] <= 0.5
    assert following.waited[10] <= 0.5
    assert len(longest) == len(following.waited)


@pytest.mark.parametrize(("http_status", "status"), [(410, Status.NOT_FOUND), (401, Status.NOT_ALLOWED)])
def test_a_refusal_ends_it_even_later(http_status, status, api):
    api.stream("GET /events?after=0", block(1))
    api.problem("GET /events?after=1", http_status, "gone")
    with pytest.raises(Fault, match="gone") as raised:
        Following(api, after="0", waits=5)
    assert raised.value.status == status


def test_a_daemon_that_was_never_there_is_not_waited_for(api):
    api.problem("GET /events", 503, "there are as many streams as may be")
    with pytest.raises(Fault, match="as many streams"):
        Following(api, waits=5)


def test_what_is_no_stream_ends_it(api):
    api.answer("GET /events", {"items": []})
    with pytest.raises(Fault, match="does not answer as csms does"):
        Following(api, waits=5)


def test_an_event_that_is_no_json_ends_it(api):
    api.stream("GET /events", b"id: 1\ndata: x\n\n")
    with pytest.raises(Fault, match="position 1"):
        Following(api, waits=5)
