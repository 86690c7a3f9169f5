"""All charge points at once: plain, by TLS, and with passwords."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define
from sqlalchemy import create_engine

from csms.passwords import hashing, secret
from csms.store.tables import charge_points
from tests.faults.chargers import IDLE, Chargers
from tests.faults.server_certificate import ServerCertificate
from tests.faults.stage import CannotRun, Outcome, Stage, give_time, wait

_MANY = int(os.environ.get("CROWD", "5000"))
_COME_PER_S = 200
_LOOK_EVERY_S = 1.0
_PATIENCE_S = 180.0
"""Without one more of them in so long nobody else is expected."""
_PREFIX = "CROWD"
_PASSWORD = "a password of many"
_NOT_BELIEVED = ("401", "403", "429")


def reconnect_storm(folder: Path) -> Outcome:
    """kill -9 of the daemon; all chargers come back at once"""
    return _storm(Stage(folder, durable_broker=False))


def reconnect_storm_tls(folder: Path) -> Outcome:
    """the same by TLS: nobody has a session to resume, for its keys went with the daemon"""
    certificate = ServerCertificate(folder)
    stage = Stage(folder, settings=certificate.settings, durable_broker=False)
    return _storm(stage, url=certificate.url, tls=certificate.options())


def reconnect_storm_passwords(folder: Path) -> Outcome:
    """all have passwords and come back at once: to a daemon that remembers them, and, after kill -9, to one that does not"""
    stage = Stage(folder, settings={"CSMS_SECURITY_PROFILE": "1"}, durable_broker=False)
    many = _most()
    with stage:
        _write_passwords(stage, many)
        with _crowd(stage, many, password=_PASSWORD) as crowd:
            crowd.chargers.break_off()
            wait(lambda: crowd.chargers.online == 0, "all gone")
            began = time.monotonic()
            crowd.chargers.come_back()
            crowd.wait("back, their passwords remembered")
            warm_s = time.monotonic() - began
            _all_believed(stage)
            outcome = _killed(stage, crowd, f"back in {warm_s:.1f} s where passwords were remembered")
            _all_believed(stage)
            return outcome


def _storm(stage: Stage, **options: Any) -> Outcome:
    many = _most()
    with stage, _crowd(stage, many, **options) as crowd:
        return _killed(stage, crowd)


def _most() -> int:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < 1500:
        raise CannotRun(f"only {most} file descriptors are allowed, 1,500 is the least")
    return min(_MANY, most - 500)


@define(eq=False)
class _Crowd:
    """Many charge points that do nothing but stay connected; ``came_s`` is how long it took until all were there."""

    chargers: Chargers
    count: int
    came_s: float = 0.0

    def wait(self, what: str) -> None:
        """Wait until all are online, for as long as more of them are than ever before.

        :raises AssertionError: nobody else comes.
        """
        most, at = -1, time.monotonic()
        while (online := self.chargers.online) < self.count:
            if online > most:
                give_time()
                most, at = online, time.monotonic()
            still_s = time.monotonic() - at
            assert still_s < _PATIENCE_S, (
                f"{online} of {self.count} {what}, no more for {still_s:.0f} s: {self.chargers.problems[:3]}"
            )
            time.sleep(_LOOK_EVERY_S)


@contextmanager
def _crowd(stage: Stage, count: int, url: str | None = None, **options: Any) -> Iterator[_Crowd]:
    """Start the load of the stage, and have a crowd come, one after the other."""
    stage.load(url=url, **options)
    chargers = Chargers(
        url or stage.daemon.url, count, IDLE, stage.seed, prefix=_PREFIX, ramp_s=count / _COME_PER_S, **options
    )
    crowd = _Crowd(chargers, count)
    began = time.monotonic()
    chargers.start()
    try:
        crowd.wait("online")
        crowd.came_s = time.monotonic() - began
        yield crowd
    finally:
        chargers.stop()


def _killed(stage: Stage, crowd: _Crowd, remark: str = "") -> Outcome:
    """Kill the daemon: all come back at once."""
    stage.daemon.kill()
    crowd.chargers.mark()
    stage.chargers.mark()
    began = time.monotonic()
    stage.daemon.start()
    ready_s = time.monotonic() - began
    crowd.wait("back")
    stage.until_well()
    well_s = time.monotonic() - began
    seen = ", ".join(f"{count} {name}" for name, count in crowd.chargers.seen().items() if count)
    told = f"the {crowd.count}: {seen}; first come in {crowd.came_s:.0f} s; ready {ready_s:.0f} s after the start"
    refused = stage.daemon.metric('csms_refused_handshakes_total{status="503"}')
    left = stage.daemon.metric('csms_refused_handshakes_total{status="408"}')
    waited = f"{left:.0f} left before their turn, {refused:.0f} were told to try again"
    crowd.chargers.stop()
    return stage.outcome(well_s, "; ".join(filter(None, (told, waited, remark))))


def _write_passwords(stage: Stage, many: int) -> None:
    """Give all charge points a password, as an operator would: but one hash, for it takes a while."""
    hashed = hashing.make(secret.checked(_PASSWORD))
    names = [f"SIM{number:04}" for number in range(1, stage.count + 1)]
    names += [f"{_PREFIX}{number:04}" for number in range(1, many + 1)]
    engine = create_engine(stage.database_url)
    with engine.begin() as connection:
        rows = [
            {"client_id": name, "registration": "Accepted", "allow_no_subprotocol": False, "password_hash": hashed}
            for name in names
        ]
        connection.execute(charge_points.insert(), rows)
    engine.dispose()


def _all_believed(stage: Stage) -> None:
    """Nobody who gave the right password was turned away for good."""
    for status in _NOT_BELIEVED:
        refused = stage.daemon.metric(f'csms_refused_handshakes_total{{status="{status}"}}')
        assert not refused, f"{refused:.0f} handshakes were answered {status}"
