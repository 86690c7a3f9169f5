"""What comes from many charge points in one turn of the reactor is handled together, when it ends."""

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from tests.fakes import state_of
from tests.websocket.desk import Desk
from tests.websocket.raw_client import CLOSE, frame


class Kept:
    """Stands in for a session: keeps whose message it was to handle."""

    def __init__(self, name, handled):
        self.name = name
        self.handled = handled

    def receive(self, data):
        if data == b"fails":
            raise ValueError(data)
        self.handled.append((self.name, data.decode()))


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


def test_all_is_handled_when_the_turn_ends_in_the_order_in_which_it_came(desk, connect, handled):
    one, two = connect("CP1"), connect("CP2")
    one.dataReceived(frame(b"MeterValues"))
    two.dataReceived(frame(b"Heartbeat"))
    assert handled == []
    desk.clock.advance(0)
    assert handled == [("CP1", "MeterValues"), ("CP2", "Heartbeat")]


def test_of_one_charge_point_one_message_waits(desk, connect, handled):
    """The layer of TLS hands over what it read at once record by record: how much may come shows with each message."""
    one = connect("CP1")
    one.dataReceived(frame(b"A"))
    one.dataReceived(frame(b"B"))
    assert handled == [("CP1", "A")]
    desk.clock.advance(0)
    assert handled == [("CP1", "A"), ("CP1", "B")]


def _call(number):
    return frame(b'[2,"%d","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]' % number)


def test_many_records_of_tls_in_one_turn_are_held_back_as_in_many(desk):
    """All are answered in the end, none is refused for those before it, and one timer waits for the next token."""
    desk = Desk(calls_per_second=50, calls_burst=300)
    desk.ledger.states["CP1"] = state_of(booted=True)
    protocol = desk.connect("CP1")
    for number in range(400):
        protocol.dataReceived(_call(number))
    assert len(desk.clock.getDelayedCalls()) < 10
    for _ in range(1000):
        desk.clock.advance(0.1)
        desk.ledger.commit_all()
    answers = [payload[:2] for _opcode, payload in protocol.transport.frames if payload[:1] == b"["]
    assert answers == [b"[3"] * 400


def test_what_goes_wrong_costs_one_charge_point_its_connection_and_nobody_else(desk, connect, handled, logged):
    one, two = connect("CP1"), connect("CP2")
    one.dataReceived(frame(b"fails"))
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
