"""The crash test: a fleet of all versions runs sessions while the daemon and the broker are killed; nothing may be lost or there twice."""

from __future__ import annotations

import os
import random
import sqlite3
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from csms.ocppj.versions import V16, V21, V201
from csms.simulator.behaviour import Behaviour
from csms.simulator.fleet import Fleet
from csms.simulator.sessions import SessionRecord
from tests.end_to_end.daemon import Daemon
from tests.end_to_end.subscriber import Subscriber
from tests.mosquitto import Mosquitto

CHARGERS = 51
VERSIONS = (V16, V201, V21)
KILLS = 20
_LONGEST_LIFE_S = 1.5
_BROKER_DIES_EVERY = 4
_BEHAVIOUR = Behaviour(
    sessions=None,
    duration_s=120,
    interval_s=20,
    pause_s=5,
    speed=60,
    reconnect_min_s=0.05,
    reconnect_max_s=0.5,
    answer_timeout_s=10,
    reason=None,
)


class Ledger:
    """What the database holds at the end."""

    def __init__(self, path: Path) -> None:
        with sqlite3.connect(path) as connection:
            connection.row_factory = sqlite3.Row
            self.transactions = {
                row["transaction_id"]: row for row in connection.execute("SELECT * FROM transactions").fetchall()
            }
            self._numbers = {
                (row["client_id"], row["station_transaction_id"]): number for number, row in self.transactions.items()
            }
            self.events = [msgspec.json.decode(body) for (body,) in connection.execute("SELECT body FROM event_log")]
            self.readings = connection.execute(
                "SELECT client_id, connector_id, taken_at FROM meter_readings"
            ).fetchall()
            self.integrity = connection.execute("PRAGMA integrity_check").fetchone()[0]

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


async def sleep(seconds: float) -> None:
    """Let the fleet run: here the moment itself is what the test is about."""
    await deferLater(reactor, seconds, lambda: None)


@pytest.mark.slow
@pytest_twisted.ensureDeferred
async def test_no_session_is_lost_over_twenty_kills(tmp_path, capsys):
    seed = int(os.environ.get("CSMS_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    with capsys.disabled():
        print(f"\ncrash test: seed {seed} (again with CSMS_TEST_SEED={seed})")
    moments = random.Random(seed)
    with Mosquitto(tmp_path / "broker", durable=True) as broker, Subscriber(broker.port, "csms/#") as subscriber:
        daemon = Daemon(
            tmp_path / "daemon", MQTT_ENABLED="true", MQTT_HOST="127.0.0.1", MQTT_PORT=str(broker.port),
            MQTT_PROTOCOL_EVENTS_ENABLED="false", CSMS_BILLING_ENERGY_RATE="0.35",
        )  # fmt: skip
        fleet = Fleet(
            reactor,
            daemon.url,
            CHARGERS,
            _BEHAVIOUR,
            wall_clock=lambda: datetime.now(UTC),
            seed=seed,
            versions=VERSIONS,
            phases="mixed",
        )
        with daemon:
            fleet.start()
            for kill in range(1, KILLS + 1):
                await sleep(moments.uniform(0.05, _LONGEST_LIFE_S))
                daemon.process.kill()
                if kill % _BROKER_DIES_EVERY == 0:
                    broker.kill()
                    broker.start()
                await deferToThread(daemon.process.wait)
                await deferToThread(daemon.start)
            await fleet.finish()
            await fleet.stop()
            wanted = await deferToThread(lambda: Ledger(daemon.database))
            wanted_ids = {event["eventId"] for event in wanted.events}
            await deferToThread(
                subscriber.wait_for, lambda s: wanted_ids <= {body.get("eventId") for _, body, _ in s.messages}, 60
            )
            assert daemon.terminate() == 0
        ledger = Ledger(daemon.database)
        check_sessions(fleet, ledger)
        seen = check_subscriber(subscriber, wanted_ids)
    answered = [record for record in fleet.sessions if record.start_answered]
    spoken = Counter(record.version for record in answered)
    repeats = sum(record.repeated for record in fleet.sessions)
    with capsys.disabled():
        print(
            f"crash test: {KILLS} kills of the daemon, {KILLS // _BROKER_DIES_EVERY} of the broker; "
            f"{len(answered)} sessions of {CHARGERS} chargers ({dict(spoken)}), {repeats} messages sent again; "
            f"{len(ledger.transactions)} transactions in the ledger, {len(ledger.readings)} readings, "
            f"{len(wanted_ids)} events, {seen} of them seen by the subscriber, 0 lost"
        )


def check_sessions(fleet: Fleet, ledger: Ledger) -> None:
    """Each session that a charger got answers for is there once, with its energy, and with one event of each kind."""
    answered = [record for record in fleet.sessions if record.start_answered]
    assert len(answered) >= CHARGERS
    assert ledger.integrity == "ok"
    assert not [record for record in fleet.sessions if record.dropped]
    assert {record.version for record in answered} == {version.name for version in VERSIONS}
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
    duplicates = [key for key, count in Counter(map(tuple, ledger.readings)).items() if count > 1]
    assert not duplicates, "a reading is there twice"


def check_subscriber(subscriber: Subscriber, wanted_ids: set[str]) -> int:
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
    assert wanted_ids <= set(bodies)
    return len(wanted_ids & set(bodies))
