"""The shorter way to the kernel: as a socket does it, and never past what is buffered."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.testing import StringTransport

from csms.websocket.direct import DirectSocket, shorten, write_through


@pytest.fixture
def pair():
    listener = socket.create_server(("127.0.0.1", 0))
    theirs = socket.create_connection(listener.getsockname())
    ours, _ = listener.accept()
    ours.setblocking(False)
    theirs.settimeout(5)
    with listener, ours, theirs:
        yield DirectSocket(ours), theirs


class Transport:
    """As much of Twisted's TCP transport as `write_through` looks at."""

    def __init__(self, connection):
        self.socket = connection
        self.dataBuffer = b""
        self._tempDataBuffer = []
        self.connected = 1
        self.disconnecting = 0
        self.written = b""

    def write(self, data):
        self.written += data


def test_it_receives_and_sends_as_a_socket_does(pair):
    ours, theirs = pair
    theirs.sendall(b"in")
    assert wait(ours, 65536) == b"in"
    assert ours.send(b"out") == 3
    assert ours.send(memoryview(b"more")) == 4
    assert theirs.recv(3) + theirs.recv(4) == b"outmore"
    theirs.sendall(b"0123456789")
    assert wait(ours, 4) == b"0123"
    assert wait(ours, 65536) == b"456789"


def wait(ours, size):
    ours.setblocking(True)
    data = ours.recv(size)
    ours.setblocking(False)
    return data


def test_nothing_to_receive_and_no_room_to_send_raise_as_of_a_socket(pair):
    ours, _theirs = pair
    with pytest.raises(BlockingIOError):
        ours.recv(65536)
    with pytest.raises(BlockingIOError):
        for _ in range(1000):
            ours.send(b"x" * 65536)


def test_the_end_and_a_reset_are_told_as_of_a_socket(pair):
    ours, theirs = pair
    theirs.close()
    assert wait(ours, 65536) == b""
    ours.send(b"to nobody")
    with pytest.raises(OSError, match=r"reset|Broken pipe"):
        for _ in range(1000):
            ours.send(b"x")


def test_a_closed_one_leaves_its_descriptor_alone(pair):
    ours, _theirs = pair
    ours.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        ours.recv(65536)
    with pytest.raises(OSError, match="Bad file descriptor"):
        ours.send(b"x")


def test_it_writes_through_where_nothing_is_buffered(pair):
    ours, theirs = pair
    transport = Transport(ours)
    write_through(transport, b"now")
    assert theirs.recv(10) == b"now"
    assert transport.written == b""


@pytest.mark.parametrize(
    "change",
    [{"dataBuffer": b"earlier"}, {"_tempDataBuffer": [b"earlier"]}, {"connected": 0}, {"disconnecting": 1}],
    ids=str,
)
def test_it_does_not_overtake_what_is_buffered_nor_write_to_what_is_closing(pair, change):
    ours, theirs = pair
    transport = Transport(ours)
    vars(transport).update(change)
    write_through(transport, b"later")
    assert transport.written == b"later"
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(10)


def test_what_the_kernel_does_not_take_is_the_transports(pair):
    ours, theirs = pair
    transport = Transport(ours)
    sent = bytes(range(256)) * 65536
    write_through(transport, sent)
    assert transport.written
    received = bytearray()
    while len(received) + len(transport.written) < len(sent):
        received += theirs.recv(1 << 20)
    assert bytes(received) + transport.written == sent


def test_other_transports_stay_as_they_are():
    assert not shorten(StringTransport())
