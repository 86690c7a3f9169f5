"""A mutation fuzzer over a corpus: by a seed, so that every run can be had again. It does not look at coverage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

PIECES = [
    b"[2,", b"[3,", b"[4,", b"[5,", b"[6,", b'"1",', b"{}", b"[]", b"null", b"NaN", b"1e999", b"-0", b"\\u0000", b"\\ud800",
    b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b'"a":1,"a":2', b"[" * 70, b"{" * 3, b"9" * 400, b"\n", b"!\n", b"~\n",
    b"%00", b"%2F", b"%25", b"/ocpp/", b"+", b"#", b"\r\n", b"\r\n\r\n", b"\x81\xfe", b"\x01\x80", b"\x88\x80", b"\x89\xfd",
    b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff", b"Upgrade: websocket\r\n", b"Sec-WebSocket-Protocol: ocpp1.6\r\n",
]  # fmt: skip
"""What has meaning somewhere."""
_LONGEST = 20_000


def mutated(corpus: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """Yield so many variations of what is in a corpus."""
    random = Random(seed)
    for _ in range(count):
        data = bytearray(random.choice(corpus))
        for _ in range(random.choice((1, 1, 2, 3, 5, 8))):
            _change(data, corpus, random)
        yield bytes(data[:_LONGEST])


def _change(data: bytearray, corpus: Sequence[bytes], random: Random) -> None:
    at = random.randint(0, len(data))
    match random.randrange(6):
        case 0:
            data[at:at] = random.choice(PIECES)
        case 1:
            del data[at : at + random.choice((1, 2, 8, 64))]
        case 2 if data:
            data[at % len(data)] ^= 1 << random.randrange(8)
        case 3:
            piece = data[at : at + random.choice((1, 4, 32))]
            data[at:at] = piece * random.choice((1, 2, 100))
        case 4:
            other = random.choice(corpus)
            start = random.randint(0, len(other))
            data[at:] = other[start:]
        case _:
            data[at:at] = random.randbytes(random.choice((1, 2, 4)))
