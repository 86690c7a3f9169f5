"""The crash test: a fleet of all versions runs sessions while the daemon and the broker are killed; nothing may be lost or there twice."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from csms.ocppj.versions import V16, V21, V201
from csms.simulator.behaviour import Behaviour
from csms.simulator.fleet import Fleet
from tests.end_to_end.accounts import Ledger, check_sessions, check_subscriber
from tests.end_to_end.daemon import ForkedDaemon
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


async def sleep(seconds: float) -> None:
    """Let the fleet run: here the moment itself is what the test is about."""
    await deferLater(reactor, seconds, lambda: None)


@pytest.mark.slow
@pytest_twisted.ensureDeferred
async def test_no_session_is_lost_over_twenty_kills(tmp_path, seed, tell):
    moments = random.Random(seed)
    with Mosquitto(tmp_path / "broker", durable=True) as broker, Subscriber(broker.port, "csms/#") as subscriber:
        daemon = ForkedDaemon(
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
            wanted = await deferToThread(lambda: Ledger(f"sqlite:///{daemon.database}"))
            wanted_ids = {event["eventId"] for event in wanted.events}
            assert not await deferToThread(subscriber.wait_for_events, wanted_ids)
            assert daemon.terminate() == 0
        ledger = Ledger(f"sqlite:///{daemon.database}")
        answered = check_sessions(fleet, ledger)
        seen = check_subscriber(subscriber, wanted_ids)
    spoken = Counter(record.version for record in answered)
    assert set(spoken) == {version.name for version in VERSIONS}
    repeats = sum(record.repeated for record in fleet.sessions)
    tell(
        f"crash test: {KILLS} kills of the daemon, {KILLS // _BROKER_DIES_EVERY} of the broker; "
        f"{len(answered)} sessions of {CHARGERS} chargers ({dict(spoken)}), {repeats} messages sent again; "
        f"{len(ledger.transactions)} transactions in the ledger, {len(ledger.readings)} readings, "
        f"{len(wanted_ids)} events, {seen} of them seen by the subscriber, 0 lost"
    )
