"""The frame fast path behaves exactly as Autobahn does, whatever comes and however it is cut into reads.

The same bytes go through the class with the fast path, through the same class without it, and through a plain Autobahn
server; messages, pongs and close codes are compared.
"""

import itertools

import pytest
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from csms.websocket.fast_path import text_frame, whole_text
from csms.websocket.protocol import ChargePointProtocol
from tests.websocket.desk import PEER, Desk, Wire, recording
from tests.websocket.raw_client import BINARY, CLOSE, PING, PONG, TEXT, frame, request, split_frames

LIMIT = 70_000


class WithoutFastPath(ChargePointProtocol):
    def dataReceived(self, data):
        self._dataReceived(data)


class Plain(WebSocketServerProtocol):
    def onConnect(self, request):
        self.messages = []
        return "ocpp1.6"

    def onMessage(self, payload, isBinary):
        if isBinary:
            self.sendCloseFrame(1003)
        elif self.state == self.STATE_OPEN:
            self.messages.append(payload)


def _ours(protocol_class):
    protocol = recording(protocol_class, message_bytes=LIMIT, frame_bytes=LIMIT, calls_burst=10**9)
    return protocol, protocol.session


def _plain():
    factory = WebSocketServerFactory(reactor=Desk().clock)
    factory.protocol = Plain
    factory.setProtocolOptions(maxFramePayloadSize=LIMIT, maxMessagePayloadSize=LIMIT, failByDrop=False)
    protocol = factory.buildProtocol(PEER)
    protocol.makeConnection(Wire())
    protocol.dataReceived(request())
    return protocol, protocol


def _outcome(made, chunks, *, in_one_turn=False):
    protocol, recorder = made
    for chunk in chunks:
        if protocol.state == protocol.STATE_CLOSED:
            break
        protocol.dataReceived(chunk)
        if not in_one_turn:
            protocol.factory.reactor.advance(0)
    protocol.factory.reactor.advance(0)
    frames = protocol.transport.frames
    closes = [int.from_bytes(payload[:2], "big") for opcode, payload in frames if opcode == CLOSE]
    pongs = [payload for opcode, payload in frames if opcode == PONG]
    return list(recorder.messages), closes, pongs, protocol.state


def _compare(chunks):
    chunks = [chunk for chunk in chunks if chunk]
    fast = _outcome(_ours(ChargePointProtocol), chunks)
    assert fast == _outcome(_ours(ChargePointProtocol), chunks, in_one_turn=True)
    assert fast == _outcome(_ours(WithoutFastPath), chunks)
    # Once it sent its close frame, a plain server hangs up earlier: it looks at UTF-8 twice.
    assert fast[:-1] == _outcome(_plain(), chunks)[:-1]
    return fast


def _text(size):
    return (b"0123456789" * (size // 10 + 1))[:size]


PING_FRAME = frame(b"p", PING)
GOOD = {
    **{f"{size} bytes": frame(_text(size)) for size in (0, 1, 5, 124, 125, 126, 127, 65_535, 65_536, LIMIT)},
    "UTF-8": frame("Ünï🔌".encode()),
    "mask of zeros": frame(b"abc", mask=bytes(4)),
    "fragmented": frame(b"ab", fin=False) + frame(b"cd", 0, fin=False) + frame(b"ef", 0),
    "fragmented with empty ends": frame(b"", fin=False) + frame(b"ab", 0, fin=False) + frame(b"", 0),
    "fragmented inside a character": frame(b"\xe2\x82", fin=False) + frame(b"\xac", 0),
    "fragmented with control frames": frame(b"ab", fin=False) + PING_FRAME + frame(b"", PONG) + frame(b"cd", 0),
    "ping": PING_FRAME,
    "long ping": frame(b"p" * 125, PING),
    "pong": frame(b"", PONG),
}
LAST = {
    "close": frame((1000).to_bytes(2, "big"), CLOSE),
    "close without a code": frame(b"", CLOSE),
    "close with a bad code": frame((1005).to_bytes(2, "big"), CLOSE),
    "binary": frame(b"ab", BINARY),
    "unmasked": frame(b"abc", mask=None),
    "unmasked and long": frame(_text(200), mask=None),
    "RSV1": frame(b"abc", rsv=4),
    "RSV3": frame(b"abc", rsv=1),
    "reserved opcode": frame(b"abc", 3),
    "reserved control opcode": frame(b"abc", 11),
    "continuation of nothing": frame(b"abc", 0),
    "text inside a message": frame(b"ab", fin=False) + frame(b"cd"),
    "fragmented ping": frame(b"p", PING, fin=False),
    "overlong ping": frame(b"p" * 126, PING),
    "bad UTF-8": frame(b"ab\xff"),
    "truncated UTF-8": frame(b"ab\xe2\x82"),
    "fragmented bad UTF-8": frame(b"ab", fin=False) + frame(b"\xff", 0),
    "a surrogate": frame(b"\xed\xa0\x80"),
    "frame over the limit": frame(_text(LIMIT + 1)),
    "message over the limit": frame(_text(LIMIT), fin=False) + frame(b"x", 0),
    "length not minimal, 16 bits": bytes([0x81, 0x80 | 126, 0, 3]) + bytes(4) + b"abc",
    "length not minimal, 64 bits": bytes([0x81, 0x80 | 127]) + (126).to_bytes(8, "big") + bytes(4) + _text(126),
    "length of 2^63": bytes([0x81, 0x80 | 127]) + (1 << 63).to_bytes(8, "big") + bytes(4),
    "half a header": b"\x81",
    "half a frame": frame(b"abcdef")[:-2],
}
EVERY = {**GOOD, **LAST}


@pytest.mark.parametrize("name", EVERY)
def test_alone_and_between_others(name):
    whole = EVERY[name]
    alone = _compare([whole])
    assert alone == _compare([whole[:1], whole[1:]])
    _compare([frame(b"before"), whole, frame(b"after")])
    _compare([frame(b"before") + whole + frame(b"after")])
    if name in GOOD:
        assert alone[1] == []


@pytest.mark.parametrize("name", [name for name in EVERY if len(EVERY[name]) < 1000])
def test_byte_by_byte(name):
    stream = frame(b"before") + EVERY[name] + frame(b"after")
    _compare([stream[at : at + 1] for at in range(len(stream))])


@st.composite
def _reads(draw):
    names = draw(st.lists(st.sampled_from(sorted(GOOD)), max_size=6))
    last = draw(st.one_of(st.none(), st.sampled_from(sorted(LAST))))
    frames = [EVERY[name] for name in [*names, *([last] if last is not None else [])]]
    if draw(st.booleans()):
        frames.append(frame(b"after"))
    stream = b"".join(frames)
    borders = [0]
    for piece in frames:
        borders.append(borders[-1] + len(piece))
    near = st.builds(lambda at, by: max(0, min(len(stream), at + by)), st.sampled_from(borders), st.integers(-8, 16))
    cuts = sorted({0, len(stream), *draw(st.lists(st.one_of(near, st.sampled_from(borders)), max_size=12))})
    return [stream[start:end] for start, end in itertools.pairwise(cuts)]


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(_reads())
def test_streams_cut_anywhere(chunks):
    _compare(chunks)


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, LIMIT])
def test_what_the_fast_path_takes(size):
    payload = _text(size)
    assert whole_text(frame(payload), LIMIT) == payload
    assert whole_text(frame(payload) + b"x", LIMIT) is None
    assert whole_text(frame(payload)[:-1], LIMIT) is None
    assert whole_text(frame(payload), size - 1) is None
    assert whole_text(frame(payload, fin=False), LIMIT) is None


@given(st.binary(max_size=40))
def test_the_fast_path_takes_any_bytes(data):
    assert whole_text(data, LIMIT) is None or data[0] == 0x81


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_what_goes_out(size):
    assert split_frames(text_frame(_text(size))) == ([(TEXT, _text(size))], b"")
