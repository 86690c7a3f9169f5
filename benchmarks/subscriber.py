"""A counting MQTT 3.1.1 subscriber: how many messages of each stream have arrived (standard library only).

    python benchmarks/subscriber.py --port 1883 --counters FILE        prints READY when it has subscribed

It runs in a process of its own, so that counting costs the server nothing, and keeps its counters in a memory-mapped file,
so that reading them (`Counters`) costs nothing either. Subscribed with QoS 0: the daemon still publishes with its own.
"""

import argparse
import mmap
import socket
import struct
import time
from pathlib import Path
from typing import NamedTuple

_LAYOUT = struct.Struct("<QQQd")
_TOPICS = (b"csms/#", b"ocpp/#")
_NO_EVENT = (b"csms/state/", b"csms/gateways/", b"csms/commands/", b"csms/command_results/")


class Counts(NamedTuple):
    """What has arrived, and when the last one did (time.monotonic, the same in all processes)."""

    business: int
    state: int
    protocol: int
    last_at: float


class Counters:
    """The memory-mapped file between the subscriber and the runner."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_LAYOUT.pack(0, 0, 0, 0.0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _LAYOUT.size)

    def write(self, counts: Counts) -> None:
        self._map[:] = _LAYOUT.pack(*counts)

    def read(self) -> Counts:
        return Counts(*_LAYOUT.unpack(self._map[:]))


def _field(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def _packet(first: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((first, len(body))) + body


def subscribe(port: int) -> tuple[socket.socket, bytes]:
    """Connect and subscribe; return the socket and what has come after SUBACK."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=10)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    # Clean session, no keep alive: the broker need not hear from us.
    sock.sendall(_packet(0x10, _field(b"MQTT") + bytes((4, 2, 0, 0)) + _field(b"bench-subscriber")))
    sock.sendall(_packet(0x82, struct.pack("!H", 1) + b"".join(_field(topic) + b"\0" for topic in _TOPICS)))
    data = b""
    while len(data) < 4 + 4 + len(_TOPICS):
        more = sock.recv(4096)
        if not more:
            raise SystemExit("the broker has closed the connection")
        data += more
    if data[:4] != b"\x20\x02\0\0" or data[4] != 0x90 or 0x80 in data[8 : 8 + len(_TOPICS)]:
        raise SystemExit(f"the broker refuses the subscription: {data[:16]!r}")
    return sock, data[8 + len(_TOPICS) :]


def count(sock: socket.socket, data: bytes, counters: Counters) -> None:
    """Count until the broker closes the connection."""
    sock.settimeout(None)
    business = state = protocol = 0
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    while True:
        at, size = 0, len(data)
        while size - at >= 2:
            length, shift, start = 0, 0, at + 1
            while start < size:
                byte = data[start]
                length |= (byte & 127) << shift
                shift += 7
                start += 1
                if byte < 128:
                    break
            else:
                break  # the length itself is not whole yet
            if start + length > size:
                break
            if data[at] & 0xF0 == 0x30:
                topic = data[start + 2 : start + 24]
                if topic.startswith(b"ocpp/"):
                    protocol += 1
                elif topic.startswith(_NO_EVENT):
                    state += 1
                else:
                    business += 1
            at = start + length
        if at:
            counters.write(Counts(business, state, protocol, time.monotonic()))
        n = sock.recv_into(view)
        if not n:
            return
        data = data[at:] + bytes(view[:n])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--counters", type=Path, required=True, help="file to keep the counters in")
    options = parser.parse_args()
    counters = Counters(options.counters)
    sock, rest = subscribe(options.port)
    print("READY", flush=True)
    count(sock, rest, counters)


if __name__ == "__main__":
    main()
