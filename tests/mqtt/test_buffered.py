"""The buffered socket on a pair of sockets."""

from __future__ import annotations

import socket

import pytest

from csms.mqtt.buffered import _MAX_UNSENT_BYTES, BufferedSocket


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.settimeout(5)
    with ours, theirs:
        yield BufferedSocket(ours), theirs


def test_what_is_received_comes_in_pieces_of_any_size(pair):
    ours, theirs = pair
    theirs.sendall(b"0123456789")
    assert [ours.recv(1), ours.recv(4), ours.recv(100)] == [b"0", b"1234", b"56789"]
    with pytest.raises(BlockingIOError):
        ours.recv(1)
    theirs.sendall(b"ab")
    assert ours.recv(2) == b"ab"


def test_the_end_is_an_empty_read(pair):
    ours, theirs = pair
    theirs.sendall(b"x")
    theirs.close()
    assert ours.recv(10) == b"x"
    assert ours.recv(10) == b""
    assert ours.recv(10) == b""


def test_pending_is_what_was_read_ahead(pair):
    ours, theirs = pair
    assert ours.pending() == 0
    theirs.sendall(b"0123456789")
    assert ours.pending() == 0
    ours.recv(3)
    assert ours.pending() == 7
    ours.recv(100)
    assert ours.pending() == 0


def test_nothing_is_sent_before_flush(pair):
    ours, theirs = pair
    assert ours.send(b"abc") == 3
    assert ours.send(b"def") == 3
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(10)
    ours.flush()
    assert theirs.recv(10) == b"abcdef"
    assert not ours.unsent


def test_what_the_kernel_does_not_take_stays_and_goes_later(pair):
    ours, theirs = pair
    sent = bytearray()
    while not ours.unsent:
        piece = bytes([len(sent) // 65536 % 251]) * 65536
        ours.send(piece)
        sent += piece
        ours.flush()
    received = bytearray()
    while len(received) < len(sent):
        received += theirs.recv(65536)
        ours.flush()
    assert received == sent
    assert not ours.unsent


def test_too_much_unsent_is_refused(pair):
    ours, _ = pair
    ours.send(b"x" * _MAX_UNSENT_BYTES)
    with pytest.raises(BlockingIOError):
        ours.send(b"x")


def test_a_lost_connection_raises_at_flush(pair):
    ours, theirs = pair
    theirs.close()
    ours.send(b"abc")
    with pytest.raises(OSError):
        ours.flush()


def test_the_rest_is_the_socket_s_own(pair):
    ours, _ = pair
    assert ours.fileno() == ours._connection.fileno()
    assert ours.gettimeout() == 0


def test_what_is_read_ahead_can_be_looked_at_and_skipped(pair):
    ours, theirs = pair
    assert ours.read_ahead() == (b"", 0)
    theirs.sendall(b"0123456789")
    assert ours.read_ahead() == (b"0123456789", 0)
    ours.skip_to(4)
    assert ours.recv(2) == b"45"
    theirs.sendall(b"ab")
    assert ours.read_ahead() == (b"6789ab", 0)
    ours.skip_to(6)
    assert ours.pending() == 0
    theirs.close()
    assert ours.read_ahead() == (b"", 0)
    assert ours.recv(1) == b""


def test_no_more_is_read_ahead_than_is_handled(pair):
    ours, theirs = pair
    theirs.sendall(b"x" * 40_000)
    data, _ = ours.read_ahead()
    theirs.sendall(b"y" * 40_000)
    assert ours.read_ahead() == (data, 0)
    ours.skip_to(len(data) - 1)
    more, place = ours.read_ahead()
    assert more[place:].startswith(b"x")
    assert len(more) <= 64 * 1024 + 1
