"""A session's events in any order, again and with the daemon starting anew in between, on a real database."""

from __future__ import annotations

from itertools import count

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from twisted.internet.defer import succeed

from csms.handlers.request import Policy
from csms.ledger.cost import Tariff
from csms.ocppj.versions import V201
from csms.store import queries, tables
from csms.store.tag_facts import tag_facts
from tests.databases import in_memory, statements
from tests.handlers.station import Station

POLICY = Policy(tariff=Tariff(energy_rate=1))
REGISTERS = [1000, 1200, 1450, 1450, 1900, 2600]
LAST = len(REGISTERS) - 1


@define
class Database:
    """The ledger of one station, committed and read at once."""

    numbers: object = field(factory=lambda: count(1))
    events: list = field(factory=list)
    connection: object = None

    def __attrs_post_init__(self):
        self.connection = in_memory(isolation_level="AUTOCOMMIT").connect()

    def commit(self, decision):
        first = len(self.events) + 1
        statements().execute(self.connection, [statements().prepare(decision)], lambda _count: first)
        self.events += decision.events

    def commit_all(self):
        """Nothing waits."""

    def read(self, query, *arguments):
        return succeed(query(self.connection, *arguments))

    def tag_facts(self, tag, now, running_here=()):
        return self.read(tag_facts, tag, now, running_here)

    def new_transaction_id(self):
        return next(self.numbers)

    def payloads(self, event_type):
        return [event.payload for event in self.events if event.event_type == event_type]

    def close(self):
        self.connection.close()


def _send(station, seq_no):
    kind = {0: "Started", LAST: "Ended"}.get(seq_no, "Updated")
    context = {0: "Transaction.Begin", LAST: "Transaction.End"}.get(seq_no, "Sample.Periodic")
    at = f"2026-03-01T11:{seq_no:02}:00Z"
    payload = {
        "eventType": kind,
        "seqNo": seq_no,
        "timestamp": at,
        "triggerReason": "MeterValuePeriodic",
        "transactionInfo": {"transactionId": "A", "chargingState": "Charging"},
        "meterValue": [{"timestamp": at, "sampledValue": [{"value": REGISTERS[seq_no], "context": context}]}],
    }
    if seq_no == 0:
        payload |= {"idToken": {"idToken": "TAG", "type": "Central"}}
    if seq_no == 2:
        payload |= {"evse": {"id": 1, "connectorId": 1}}
    return station.ask("TransactionEvent", payload, "strict").payload


@st.composite
def _orders(draw):
    return draw(st.permutations([*range(len(REGISTERS)), *draw(st.lists(st.integers(0, LAST), max_size=6))]))


@settings(deadline=None, max_examples=60)
@given(_orders(), st.sets(st.integers(0, 12), max_size=6))
def test_it_is_one_session_with_the_same_energy(order, restarts):
    ledger = Database()
    station = Station(version=V201, policy=POLICY, ledger=ledger)
    answers = []
    for place, seq_no in enumerate(order):
        if place in restarts:
            station.state = queries.state_of(ledger.connection, "CP1", "Accepted")
        answers.append((seq_no, _send(station, seq_no)))
    again = [(seq_no, _send(station, seq_no)) for seq_no in order]
    completed, costs = ledger.payloads("completed"), ledger.payloads("session_cost")
    last = completed[-1]
    assert (last.energy_used, last.meter_start, last.meter_stop) == (1.6, 1000, 2600)
    assert (last.duration, last.quality, last.id_tag, last.connector_id) == (LAST, "good", "TAG", 1)
    assert (costs[-1].estimated_cost, costs[-1].id_tag) == (1.6, "TAG")
    originals = [event for event in ledger.events if event.event_type == "completed" and event.supersedes is UNSET]
    assert len(originals) == 1
    readings = ledger.payloads("meter_reading")
    assert sorted(reading.timestamp.minute for reading in readings) == list(range(1, LAST))
    (row,) = ledger.connection.execute(tables.transactions.select()).all()
    assert (row.status, row.energy_wh, row.trail.missing) == ("completed", 1600, ())
    assert all(payload == {"totalCost": 1.6} for seq_no, payload in again if seq_no == LAST)
    assert {payload["idTokenInfo"]["status"] for seq_no, payload in answers if seq_no == 0} == {"Accepted"}
    sequences = [event.sequence for event in ledger.events]
    assert sequences == list(range(1, len(sequences) + 1))
    ledger.close()
