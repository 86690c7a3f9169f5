"""What RFC 6455 says of frames, row by row in the categories of the Autobahn test suite: pings and pongs (2), reserved bits (3)
and opcodes (4), fragments (5), UTF-8 (6) and the closing handshake (7). Each row comes at once, and byte by byte.
"""

import pytest

from tests.websocket.desk import read, recording
from tests.websocket.raw_client import BINARY, CLOSE, PING, PONG, TEXT, frame

NORMAL, PROTOCOL_ERROR, BAD_DATA = 1000, 1002, 1007
TEXT_OF_ALL_LENGTHS = "aé€🔌".encode()
"""Characters of one to four bytes."""


def close(code, reason=b""):
    return frame(code.to_bytes(2, "big") + reason, CLOSE)


def fragments(*payloads, between=b""):
    """Return a text in fragments, with something between each and the next."""
    last = len(payloads) - 1
    frames = [frame(payload, 0 if at else TEXT, fin=at == last) for at, payload in enumerate(payloads)]
    return between.join(frames)


def outcome(*reads):
    """Return what came of it: messages for the session, pongs and close codes that were sent."""
    protocol = recording()
    for data in reads:
        read(protocol, data)
    frames = protocol.transport.frames
    closes = [int.from_bytes(payload[:2], "big") for opcode, payload in frames if opcode == CLOSE]
    return protocol.session.messages, [payload for opcode, payload in frames if opcode == PONG], closes


def is_as(expected, sent):
    assert outcome(sent) == expected
    assert outcome(*(sent[at : at + 1] for at in range(len(sent)))) == expected


@pytest.mark.parametrize("size", [0, 1, 124, 125])
def test_pings_are_answered_with_what_they_bring(size):
    is_as(([], [b"\xfe" * size, b""], []), frame(b"\xfe" * size, PING) + frame(b"", PING))


def test_pongs_that_nobody_asked_for_are_nothing():
    is_as(([], [b"after"], []), frame(b"", PONG) + frame(b"p" * 125, PONG) + frame(b"after", PING))


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
@pytest.mark.parametrize(
    "control",
    [
        lambda opcode: frame(b"\x03\xe8" + b"x" * 124, opcode),
        lambda opcode: frame(b"\x03\xe8", opcode, fin=False) + frame(b"", 0),
        lambda opcode: frame(b"\x03\xe8", opcode, rsv=4),
        lambda opcode: frame(b"\x03\xe8", opcode, mask=None),
    ],
    ids=["126 bytes", "fragmented", "reserved bit", "unmasked"],
)
def test_control_frames_against_the_rules(opcode, control):
    is_as(([], [], [PROTOCOL_ERROR]), control(opcode) + frame(b"after", PING))


@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING])
def test_reserved_bits(rsv, opcode):
    is_as(([b"before"], [], [PROTOCOL_ERROR]), frame(b"before") + frame(b"abc", opcode, rsv=rsv) + frame(b"after"))


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"abc"])
def test_reserved_opcodes(opcode, payload):
    is_as(([b"before"], [], [PROTOCOL_ERROR]), frame(b"before") + frame(payload, opcode) + frame(b"after"))
    is_as(([], [], [PROTOCOL_ERROR]), frame(b"abc", fin=False) + frame(payload, opcode))


def test_control_frames_between_fragments_are_answered_before_the_message_is_whole():
    between = frame(b"1", PING) + frame(b"no matter", PONG) + frame(b"2", PING)
    is_as(([b"abcdef"], [b"1", b"2"] * 2, []), fragments(b"ab", b"cd", b"ef", between=between))
    is_as(([], [b"1", b"2"], []), frame(b"ab", fin=False) + between)
    is_as(([], [], [NORMAL]), frame(b"ab", fin=False) + close(NORMAL) + frame(b"cd", 0))


@pytest.mark.parametrize(
    "sent",
    [
        frame(b"abc", 0),
        frame(b"abc", 0, fin=False),
        fragments(b"ab", b"cd") + frame(b"ef", 0),
        frame(b"ab", fin=False) + frame(b"cd"),
        frame(b"ab", fin=False) + frame(b"cd", BINARY),
    ],
    ids=["nothing to continue", "nor with more to come", "after the last", "text in a text", "binary in a text"],
)
def test_fragments_out_of_order(sent):
    _, pongs, closes = outcome(sent + frame(b"after", PING))
    assert (pongs, closes) == ([], [PROTOCOL_ERROR])


@pytest.mark.parametrize("at", range(len(TEXT_OF_ALL_LENGTHS) + 1))
def test_characters_over_two_fragments(at):
    sent = fragments(TEXT_OF_ALL_LENGTHS[:at], TEXT_OF_ALL_LENGTHS[at:], between=frame(b"p", PING))
    is_as(([TEXT_OF_ALL_LENGTHS], [b"p"], []), sent)


def test_characters_in_a_fragment_for_each_byte():
    is_as(([TEXT_OF_ALL_LENGTHS], [], []), fragments(*(bytes([byte]) for byte in TEXT_OF_ALL_LENGTHS)))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"\x80", id="continuation alone"),
        pytest.param(b"\xc3(", id="no continuation"),
        pytest.param(b"\xe2\x82", id="cut off"),
        pytest.param(b"\xc0\xaf", id="overlong slash"),
        pytest.param(b"\xf0\x80\x80\xaf", id="overlong slash of 4"),
        pytest.param(b"\xed\xa0\x80", id="surrogate"),
        pytest.param(b"\xf4\x90\x80\x80", id="beyond U+10FFFF"),
        pytest.param(b"\xf8\x88\x80\x80\x80", id="5 bytes"),
        pytest.param(b"\xfe", id="FE"),
    ],
)
def test_what_is_not_utf_8(bad):
    is_as(([], [], [BAD_DATA]), frame(bad))
    is_as(([], [], [BAD_DATA]), fragments(b"a" + bad[:1], bad[1:]))
    is_as(([], [], [BAD_DATA]), close(NORMAL, b"a" + bad))


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999])
def test_close_codes_that_may_be_sent(code):
    is_as(([], [], [NORMAL]), close(code, "bye 🔌".encode()) + frame(b"after", PING) + frame(b"after"))


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_close_codes_that_may_not(code):
    is_as(([], [], [PROTOCOL_ERROR]), close(code))


def test_close_payloads():
    is_as(([], [], [NORMAL]), frame(b"", CLOSE))
    is_as(([], [], [PROTOCOL_ERROR]), frame(b"\x03", CLOSE))
    is_as(([], [], [NORMAL]), close(NORMAL, b"x" * 123))
    is_as(([], [], [NORMAL]), close(NORMAL) * 2)
