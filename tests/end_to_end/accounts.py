"""What must be true at the end of a test in which things failed: each session once in the ledger, each event seen, in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

import msgspec
from sqlalchemy import create_engine, text

from csms.ocppj.versions import V16
from csms.simulator.fleet import Fleet
from csms.simulator.sessions import SessionRecord
from tests.end_to_end.subscriber import Subscriber


class Ledger:
    """What the database at a URL holds at the end; with ``client_ids`` only the transactions and readings of those."""

    def __init__(self, url: str, client_ids: Collection[str] | None = None) -> None:
        def is_wanted(client_id: str) -> bool:
            return client_ids is None or client_id in client_ids

        engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT * FROM transactions")).mappings().all()
            self.transactions = {row["transaction_id"]: row for row in rows if is_wanted(row["client_id"])}
            self._numbers = {
                (row["client_id"], row["station_transaction_id"]): number for number, row in self.transactions.items()
            }
            bodies = connection.execute(text("SELECT body FROM event_log")).scalars()
            events = [msgspec.json.decode(body) for body in bodies]
            self.events = [event for event in events if is_wanted(event["clientId"])]
            readings = connection.execute(text("SELECT client_id, connector_id, taken_at FROM meter_readings"))
            self.readings = [(*place, _instant(taken_at)) for *place, taken_at in readings if is_wanted(place[0])]
            is_sqlite = engine.dialect.name == "sqlite"
            self.integrity = connection.execute(text("PRAGMA integrity_check")).scalar_one() if is_sqlite else "ok"
        engine.dispose()

    def number(self, record: SessionRecord) -> int | None:
        """Return the ledger's number of a session: in 2.x the charger knows the id only that it gave itself."""
        if record.version == V16.name:
            return record.transaction_id
        return self._numbers.get((record.client_id, record.transaction_id))

    def originals(self, event_type: str) -> Counter[int]:
        return Counter(
            event["payload"]["transactionId"]
            for event in self.events
            if event["eventType"] == event_type and "supersedes" not in event
        )


def check_sessions(fleet: Fleet, ledger: Ledger) -> list[SessionRecord]:
    """Each session that a charger got answers for is there once, with its energy, and with one event of each kind."""
    answered = [record for record in fleet.sessions if record.start_answered]
    assert len(answered) >= len(fleet.charge_points)
    assert ledger.integrity == "ok"
    assert not [record for record in fleet.sessions if record.dropped]
    ids = Counter(map(ledger.number, answered))
    assert max(ids.values()) == 1, "two sessions share a transaction"
    assert set(ids) == set(ledger.transactions), "a session is missing, or is there twice"
    completed, costs, started = map(ledger.originals, ("completed", "session_cost", "started"))
    energies = {
        event["payload"]["transactionId"]: event["payload"]["energyUsed"]
        for event in ledger.events
        if event["eventType"] == "completed"
    }
    for record in answered:
        number = ledger.number(record)
        row = ledger.transactions[number]
        assert (row["client_id"], row["connector_id"]) == (record.client_id, record.connector_id)
        assert record.stop_answered
        assert started[number] == completed[number] == costs[number] == 1
        assert (row["status"], row["quality"]) == ("completed", "good")
        metered = Decimal(record.meter_stop_wh - record.meter_start_wh)
        assert Decimal(row["energy_wh"]) == metered
        assert Decimal(str(energies[number])) == metered / 1000
    assert sum(completed.values()) == len(answered)
    duplicates = [key for key, count in Counter(ledger.readings).items() if count > 1]
    assert not duplicates, "a reading is there twice"
    told = {
        (event["clientId"], event["payload"]["connectorId"], _instant(event["payload"]["timestamp"]))
        for event in ledger.events
        if event["eventType"] == "meter_reading"
    }
    assert told <= set(ledger.readings), "a reading that was told is not in the ledger"
    return answered


def _instant(at: str | datetime) -> datetime:
    return datetime.fromisoformat(at) if isinstance(at, str) else at


def check_subscriber(subscriber: Subscriber, wanted_ids: Collection[str]) -> int:
    """Every event was seen at least once, each time with the same body, and for the first time in order."""
    bodies: dict[str, dict] = {}
    latest: Counter[str] = Counter()
    for _, body, _ in subscriber.messages:
        event_id = body.get("eventId")
        if event_id in bodies:
            assert bodies[event_id] == body
        elif event_id is not None:
            bodies[event_id] = body
            assert body["sequence"] == latest[body["clientId"]] + 1, "an event came before its predecessor"
            latest[body["clientId"]] = body["sequence"]
    assert set(wanted_ids) <= set(bodies)
    return len(set(wanted_ids) & set(bodies))
