"""WebSocket pings with a deadline for the pong; any traffic counts as life (field notes, "Connection")."""

import pytest

from tests.websocket.desk import Desk
from tests.websocket.raw_client import PING, PONG, call, frame


@pytest.fixture
def desk():
    desk = Desk(ping_interval_s=30, ping_timeout_s=20)
    desk.factory.start_sweep()
    yield desk
    desk.factory.stop_sweep()


def _pings(protocol):
    return len([opcode for opcode, _ in protocol.transport.frames if opcode == PING])


def test_silence_is_pinged_and_then_cut(desk, logged):
    protocol = desk.connect()
    desk.clock.pump([1] * 29)
    assert _pings(protocol) == 0
    desk.clock.pump([1] * 9)
    assert _pings(protocol) == 1
    desk.clock.pump([1] * 10)
    assert not protocol.transport.aborted
    desk.clock.pump([1] * 20)
    assert protocol.transport.aborted
    assert _pings(protocol) == 1


@pytest.mark.parametrize("sign", [frame(b"", PONG), frame(b"x", PING), frame(call("1")), b"\x81"])
def test_any_traffic_is_life(desk, sign):
    """Also one that does not answer pings, and the first byte of a long message."""
    protocol = desk.connect()
    desk.clock.pump([1] * 45)
    assert _pings(protocol) == 1
    protocol.dataReceived(sign)
    desk.clock.pump([1] * 25)
    assert not protocol.transport.aborted
    desk.clock.pump([1] * 15)
    assert _pings(protocol) == 2


def test_one_that_talks_is_not_pinged(desk):
    protocol = desk.connect()
    for number in range(20):
        desk.clock.advance(10)
        protocol.dataReceived(frame(call(str(number))))
    assert _pings(protocol) == 0


def test_one_that_we_do_not_read_is_not_taken_for_dead(desk):
    """While reading is paused its pong could not be heard."""
    protocol = desk.connect()
    protocol.hold("queue")
    desk.clock.pump([5] * 40)
    assert not protocol.transport.aborted
    protocol.unhold("queue")
    desk.clock.pump([1] * 40)
    assert _pings(protocol) == 1


def test_each_for_itself(desk):
    silent, lively = desk.connect("CP1"), desk.connect("CP2")
    for number in range(12):
        desk.clock.advance(5)
        lively.dataReceived(frame(call(str(number))))
    assert silent.transport.aborted
    assert not lively.transport.aborted


def test_a_sweep_that_fails_goes_on(desk, logged):
    protocol = desk.connect()
    sound, protocol.sendPing = protocol.sendPing, None
    desk.clock.pump([1] * 40)
    assert logged.failures
    protocol.sendPing = sound
    desk.clock.pump([1] * 10)
    assert not protocol.transport.aborted


def test_the_daemon_goes_away(desk):
    one, two = desk.connect("CP1"), desk.connect("CP2")
    desk.factory.close_all()
    for protocol in (one, two):
        opcode, payload = protocol.transport.frames[-1]
        assert (opcode, payload[:2]) == (8, (1001).to_bytes(2, "big"))
