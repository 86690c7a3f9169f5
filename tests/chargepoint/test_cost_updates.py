"""What running transactions cost so far, told to stations (OCPP 2.x I02)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import count

import orjson
import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from csms.chargepoint.dispatch import Dispatcher
from csms.chargepoint.operations import Operations
from csms.chargepoint.registry import Registry
from csms.handlers.families import COMMAND_SETS, handlers
from csms.handlers.request import Policy
from csms.handlers.tags import Tags
from csms.ledger import energy
from csms.ledger.cost import Tariff
from csms.ledger.state import Transaction
from csms.ocppj import frames
from csms.ocppj.versions import V16, V21, V201
from csms.passwords.attempts import Attempts
from csms.passwords.passwords import Passwords
from tests.fakes import NOW, FakeLedger, FakeTransport, shared_of, state_of
from tests.passwords.workers import FakeWorkers

PRICED = Tariff("EUR", time_rate=Decimal("0.10"))


class Display(FakeTransport):
    """A station that shows what it is told; ``code`` is that of a CALLERROR instead, None is silence."""

    def __init__(self, clock):
        super().__init__()
        self.session = None
        self.code = ""
        self.told = []
        self._clock = clock

    def send_text(self, text):
        kind, message_id, *rest = orjson.loads(text)
        if kind != frames.CALL:
            return
        self.told.append(rest)
        if self.code is None:
            return
        reply = (
            frames.encode_error(message_id, self.code, "no", {}) if self.code else frames.encode_result(message_id, {})
        )
        self._clock.callLater(0, self.session.receive, reply)


class Desk:
    """Stations with a running transaction each."""

    def __init__(self, tariff=PRICED, every_s=60.0):
        self.clock = Clock()
        self.ledger = FakeLedger(self.clock.callLater)
        dispatchers = {
            version: Dispatcher.of(version, handlers(version, self.ledger, Policy())) for version in (V16, V201, V21)
        }
        self.shared = shared_of(self.ledger, self.clock, dispatchers=dispatchers)
        self.registry = Registry(self.shared)
        ids = count(1)
        self.operations = Operations.of(
            self.shared,
            self.registry,
            COMMAND_SETS,
            lambda: f"m{next(ids)}",
            tariff,
            Tags(self.ledger, "Accepted"),
            Passwords(FakeWorkers(), b"key", Attempts(self.clock.seconds)),
            cost_updates_every_s=every_s,
        )
        self._jobs = [job for seconds, job in self.operations.jobs if seconds == 60.0]

    def connect(self, client_id="CP1", version=V201, own=None, station_id="abc", **members):
        transaction = Transaction(
            transaction_id=len(self.ledger.states) + 1,
            client_id=client_id,
            connector_id=1,
            id_tag="TAG",
            status="active",
            start_time=NOW,
            station_start="",
            meter_start_wh=Decimal(0),
            meter=energy.begin(Decimal(0), NOW),
            station_transaction_id=station_id,
        )
        state = replace(
            state_of(client_id, booted=True, **members), tariff=own, running={transaction.transaction_id: transaction}
        )
        self.ledger.states[client_id] = state
        station = Display(self.clock)
        admitted = []
        Deferred.fromCoroutine(self.registry.admit(client_id, version, authenticated=True)).addCallback(admitted.append)
        station.session = admitted[0]
        station.session.opened(station, None)
        self.settle()
        return station

    def settle(self):
        for _ in range(20):
            self.clock.advance(0)

    def round(self, minutes=10):
        self.shared.now.advance(timedelta(minutes=minutes).total_seconds())
        for job in self._jobs:
            job()
        self.settle()


def told(station):
    return [(action, payload["transactionId"], payload["totalCost"]) for action, payload in station.told]


@pytest.mark.parametrize("version", [V201, V21], ids=["2.0.1", "2.1"])
def test_the_cost_so_far_is_told_while_it_changes(version):
    desk = Desk()
    station = desk.connect(version=version)
    desk.round()
    desk.round(0)
    desk.round()
    assert told(station) == [("CostUpdated", "abc", 1), ("CostUpdated", "abc", 2)]


def test_nothing_is_sent_unasked():
    desk = Desk(every_s=0)
    station = desk.connect()
    desk.round()
    assert station.told == []
    assert 60.0 in [seconds for seconds, _ in Desk(every_s=60).operations.jobs]
    assert 60.0 not in [seconds for seconds, _ in desk.operations.jobs]


@pytest.mark.parametrize(
    "members",
    [{"version": V16}, {"station_id": None}, {"registration": "Pending"}],
    ids=["1.6", "without an id of its own", "pending"],
)
def test_who_is_not_told(members):
    desk = Desk()
    station = desk.connect(**members)
    desk.round()
    assert station.told == []


def test_what_is_free_is_told_only_of_a_tariff_of_its_own():
    desk = Desk(Tariff())
    nobody, gift = desk.connect("CP1"), desk.connect("CP2", own=Tariff())
    desk.round()
    desk.round()
    assert (told(nobody), told(gift)) == ([], [("CostUpdated", "abc", 0)])


def test_a_station_that_refuses_is_left_alone_while_it_is_connected():
    desk = Desk()
    station = desk.connect()
    station.code = "NotSupported"
    desk.round()
    desk.round()
    assert len(station.told) == 1
    desk.registry.discard(station.session, "lost")
    desk.settle()
    again = desk.connect()
    desk.round()
    assert len(again.told) == 1


def test_a_slow_station_is_not_asked_twice_and_keeps_nobody_waiting():
    desk = Desk()
    slow, quick = desk.connect("CP1"), desk.connect("CP2")
    slow.code = None
    desk.round()
    desk.round()
    assert (len(slow.told), len(quick.told)) == (1, 2)
    desk.clock.advance(30)
    slow.code = ""
    desk.round()
    assert told(slow)[1:] == [("CostUpdated", "abc", 3)]


def test_a_transaction_that_has_ended_is_not_told():
    desk = Desk()
    station = desk.connect()
    desk.round()
    station.session.state = replace(station.session.state, running={})
    desk.round()
    assert len(station.told) == 1
