"""permessage-deflate (RFC 7692): what is agreed upon, what goes and comes, and how far a bomb gets."""

import random
import tracemalloc
import zlib

import pytest

from csms.websocket.compression import COMPRESSED_FROM
from tests.fakes import state_of
from tests.websocket.desk import Desk, read
from tests.websocket.raw_client import BINARY, CLOSE, PING, TEXT, call, frame

OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
LIMIT = 100_000
RSV1, RSV2 = 4, 2


def packed(text, bits=12, flush=zlib.Z_SYNC_FLUSH):
    packer = zlib.compressobj(9, zlib.DEFLATED, -bits)
    return (packer.compress(text) + packer.flush(flush)).removesuffix(b"\0\0\xff\xff")


class Kept:
    """Stands in for a session."""

    def __init__(self):
        self.messages = []

    def receive(self, data):
        self.messages.append(data)


def connected(offer=OFFER, **members):
    desk = Desk(message_bytes=LIMIT, frame_bytes=LIMIT, **members)
    desk.ledger.states["CP1"] = state_of(booted=True)
    protocol = desk.connect("CP1", *([offer] if offer else []))
    protocol.session = Kept()
    return protocol


def answered(protocol):
    head = protocol.transport.value().partition(b"\r\n\r\n")[0]
    return next((line.split(b": ", 1)[1].decode() for line in head.split(b"\r\n") if b"Extensions:" in line), None)


def closed_with(protocol):
    [payload] = [payload for opcode, payload in protocol.transport.frames if opcode == CLOSE]
    return int.from_bytes(payload[:2])


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        (OFFER, "permessage-deflate; client_no_context_takeover; client_max_window_bits=12"),
        ("Sec-WebSocket-Extensions: permessage-deflate", "permessage-deflate; client_no_context_takeover"),
        (
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; server_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; client_no_context_takeover",
        ),
        ("Sec-WebSocket-Extensions: x-unknown", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=8", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=many", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover=1", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; x=1", None),
        ("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", None),
        ("Sec-WebSocket-Extensions: permessage-bzip2; client_max_compress_level=99", None),
        (
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8, permessage-deflate",
            "permessage-deflate; client_no_context_takeover",
        ),
        (None, None),
    ],
)
def test_what_is_agreed_upon(offer, answer):
    protocol = connected(offer)
    assert answered(protocol) == answer
    # Whatever was offered, it comes in, and what is not compressed is understood.
    read(protocol, frame(call("1")))
    assert protocol.session.messages == [call("1")]


@pytest.mark.parametrize("offer", [OFFER, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8"])
def test_switched_off_it_is_not_agreed_upon(offer):
    protocol = connected(offer, compresses=False)
    assert answered(protocol) is None
    protocol.dataReceived(frame(packed(call("1")), rsv=RSV1))
    assert closed_with(protocol) == 1002


@pytest.mark.parametrize(
    "text", [call("1"), b"", "Ünï🔌".encode() * 1000, b"0" * LIMIT], ids=["short", "empty", "UTF-8", "limit"]
)
def test_what_comes(text):
    protocol = connected()
    protocol.dataReceived(frame(packed(text), rsv=RSV1))
    protocol.dataReceived(frame(b"plain"))
    payload = packed(text)
    half = len(payload) // 2
    protocol.dataReceived(
        frame(payload[:half], rsv=RSV1, fin=False) + frame(b"p", PING) + frame(payload[half:], 0) + frame(b"after")
    )
    assert protocol.session.messages == [text, b"plain", text, b"after"]


def test_byte_by_byte_and_with_a_final_block():
    protocol = connected()
    for at in frame(packed(b"abc" * 100), rsv=RSV1) + frame(packed(b"xyz", flush=zlib.Z_FINISH) + b"\0", rsv=RSV1):
        protocol.dataReceived(bytes([at]))
    assert protocol.session.messages == [b"abc" * 100, b"xyz"]


@pytest.mark.parametrize("size", [0, 10, COMPRESSED_FROM - 1, COMPRESSED_FROM, 50_000])
def test_what_goes(size):
    text = (b'{"key":"value"},' * (size // 16 + 1))[:size]
    protocol = connected()
    protocol.transport.clear()
    for _ in range(2):
        protocol.send_text(text)
    sent = protocol.transport.value()
    half = len(sent) // 2
    assert sent[:half] == sent[half:], "a context was taken over"
    if size < COMPRESSED_FROM:
        assert sent[0] == 0x81
        return
    assert sent[0] == 0xC1
    payload = sent[4:half] if sent[1] == 126 else sent[2:half]
    assert zlib.decompressobj(-12).decompress(payload + b"\0\0\xff\xff") == text
    assert len(payload) < size / 4


def test_without_an_agreement_what_goes_is_plain():
    protocol = connected(None)
    protocol.send_text(b"x" * 50_000)
    assert protocol.transport.frames == [(TEXT, b"x" * 50_000)]


def test_between_messages_nothing_is_kept():
    """What idle sockets hold, those without an agreement and those with one."""
    assert connected(None)._perMessageCompress is None
    assert "_perMessageCompress" not in connected(None).__dict__
    protocol = connected()
    protocol.dataReceived(frame(packed(b"abc" * 1000), rsv=RSV1))
    protocol.send_text(b"x" * 50_000)
    agreed = protocol._perMessageCompress
    assert (agreed._compressor, agreed._decompressor) == (None, None)


def test_a_bomb_is_inflated_no_further_than_the_limit():
    protocol = connected()
    bomb = packed(b"0" * 50_000_000, bits=15)
    assert len(bomb) < LIMIT
    sent = frame(bomb, rsv=RSV1)
    tracemalloc.start()
    try:
        protocol.dataReceived(sent)
        assert tracemalloc.get_traced_memory()[1] < 10 * LIMIT
    finally:
        tracemalloc.stop()
    assert closed_with(protocol) == 1009
    assert protocol.session.messages == []


def test_a_bomb_in_fragments():
    """Each of them is small, and inflates to less than the limit."""
    protocol = connected()
    packer = zlib.compressobj(9, zlib.DEFLATED, -12)
    for number in range(3):
        piece = packer.compress(b"0" * (LIMIT // 2)) + packer.flush(zlib.Z_SYNC_FLUSH)
        protocol.dataReceived(frame(piece, TEXT if number == 0 else 0, rsv=RSV1 if number == 0 else 0, fin=False))
        assert bool(protocol.transport.frames) is (number == 2)
    assert closed_with(protocol) == 1009


def test_one_byte_over_the_limit():
    protocol = connected()
    protocol.dataReceived(frame(packed(b"0" * (LIMIT + 1)), rsv=RSV1))
    assert closed_with(protocol) == 1009


BAD = {
    "no deflate": (frame(b"\xff" * 40, rsv=RSV1), 1007),
    "another reserved bit": (frame(packed(b"a"), rsv=RSV1 | RSV2), 1002),
    "a compressed ping": (frame(b"p", PING, rsv=RSV1), 1002),
    "a compressed close": (frame(b"\x03\xe8", CLOSE, rsv=RSV1), 1002),
    "a compressed continuation": (frame(packed(b"a"), rsv=RSV1, fin=False) + frame(packed(b"a"), 0, rsv=RSV1), 1002),
    "binary": (frame(packed(b"a"), BINARY, rsv=RSV1), 1003),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_against_the_rules(name):
    sent, code = BAD[name]
    protocol = connected()
    protocol.dataReceived(sent)
    assert closed_with(protocol) == code
    assert protocol.session.messages == []


def test_without_an_agreement_a_compressed_frame_is_a_fault():
    protocol = connected(None)
    protocol.dataReceived(frame(packed(b"0" * 50_000_000), rsv=RSV1))
    assert closed_with(protocol) == 1002


def test_noise():
    """Whatever comes compressed, it ends in a message of at most the limit or in a close code."""
    chance = random.Random(7)
    for _ in range(100):
        protocol = connected()
        data = bytearray(packed(call("1") * 50))
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.randrange(256)
        protocol.dataReceived(frame(bytes(data), rsv=RSV1))
        if not protocol.session.messages:
            assert closed_with(protocol) in {1007, 1009}
        assert all(len(message) <= LIMIT for message in protocol.session.messages)
