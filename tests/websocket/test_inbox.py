"""What comes from many charge points in one turn of the reactor is read, then handled, together."""

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from csms.ocppj.frames import Call
from tests.fakes import state_of
from tests.websocket.desk import Desk
from tests.websocket.raw_client import CLOSE, frame


class Kept:
    """Stands in for a session: keeps whose message it was to handle."""

    def __init__(self, name, handled):
        self.name = name
        self.handled = handled

    def read(self, data):
        if data == b"unreadable":
            raise ValueError(data)
        return Call("1", data.decode(), {}, data)

    def handle(self, call):
        if call.action == "fails":
            raise ValueError(call.action)
        self.handled.append((self.name, call.action))


@pytest.fixture
def handled():
    return []


@pytest.fixture
def desk():
    return Desk()


@pytest.fixture
def connect(desk, handled):
    def connect(name):
        desk.ledger.states[name] = state_of(booted=True)
        protocol = desk.connect(name)
        protocol.session = Kept(name, handled)
        return protocol

    return connect


def test_what_is_of_one_action_is_handled_in_a_row(desk, connect, handled):
    one, two, three = connect("CP1"), connect("CP2"), connect("CP3")
    one.dataReceived(frame(b"MeterValues"))
    two.dataReceived(frame(b"Heartbeat"))
    three.dataReceived(frame(b"MeterValues"))
    assert handled == []
    desk.clock.advance(0)
    assert handled == [("CP2", "Heartbeat"), ("CP1", "MeterValues"), ("CP3", "MeterValues")]


def test_what_is_of_one_charge_point_stays_in_its_order(desk, connect, handled):
    """As the layer of TLS hands over what came in one read."""
    one, two = connect("CP1"), connect("CP2")
    one.dataReceived(frame(b"MeterValues"))
    one.dataReceived(frame(b"Heartbeat"))
    two.dataReceived(frame(b"Heartbeat"))
    desk.clock.advance(0)
    assert handled == [("CP1", "MeterValues"), ("CP1", "Heartbeat"), ("CP2", "Heartbeat")]


@pytest.mark.parametrize("text", [b"fails", b"unreadable"])
def test_what_goes_wrong_costs_one_charge_point_its_connection_and_nobody_else(desk, connect, handled, logged, text):
    one, two = connect("CP1"), connect("CP2")
    one.dataReceived(frame(text))
    two.dataReceived(frame(b"Heartbeat"))
    desk.clock.advance(0)
    assert handled == [("CP2", "Heartbeat")]
    assert one.transport.aborted
    assert not two.transport.aborted
    assert any("a message could not be handled" in line for line in logged.about("CP1"))


def _lose(protocol):
    protocol.connectionLost(Failure(ConnectionDone()))


@pytest.mark.parametrize(
    "end",
    [
        lambda protocol: protocol.dataReceived(frame(b"\x03\xe8", CLOSE)),
        _lose,
        lambda protocol: protocol.close(1001, "the daemon goes away"),
        lambda protocol: protocol.drop("no answer to a ping"),
    ],
    ids=["close frame", "connection lost", "closed by us", "cut by us"],
)
def test_what_came_before_the_end_is_handled(connect, handled, end):
    one = connect("CP1")
    one.dataReceived(frame(b"StopTransaction"))
    one.factory.registry.discard = lambda *_: None
    end(one)
    assert handled == [("CP1", "StopTransaction")]


def test_what_came_before_we_stop_to_read_is_handled(desk, connect, handled):
    one = connect("CP1")
    one.dataReceived(frame(b"StopTransaction"))
    desk.factory.hold_all()
    assert handled == [("CP1", "StopTransaction")]


def test_what_does_not_come_in_one_piece_is_handled_at_once_and_in_its_place(connect, handled):
    one = connect("CP1")
    one.dataReceived(frame(b"A"))
    one.dataReceived(frame(b"B") + frame(b"C"))
    assert handled == [("CP1", "A"), ("CP1", "B"), ("CP1", "C")]
