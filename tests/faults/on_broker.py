"""What happens to the broker: no charger may notice, and no event may be lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.faults.proxy import SlowProxy
from tests.faults.stage import Outcome, Stage, pause
from tests.programs import free_port


def broker_killed(folder: Path) -> Outcome:
    """kill -9 of the broker, three times"""
    with Stage(folder) as stage:
        stage.load()
        for _ in range(3):
            stage.broker.kill()
            stage.broker.start()
            well_s = stage.until_well()
        stage.undisturbed()
        return stage.outcome(well_s)


def broker_paused(folder: Path) -> Outcome:
    """the broker stands still for 6 s (SIGSTOP, SIGCONT)"""
    with Stage(folder) as stage:
        stage.load()
        stage.broker.pause()
        pause(6)
        stage.broker.resume()
        well_s = stage.until_well()
        stage.undisturbed()
        return stage.outcome(well_s)


def broker_refusing(folder: Path) -> Outcome:
    """the broker's port refuses for 6 s"""
    with Stage(folder) as stage:
        stage.load()
        stage.broker.stop()
        pause(6)
        stage.broker.start()
        well_s = stage.until_well()
        stage.undisturbed()
        return stage.outcome(well_s)


def broker_slow(folder: Path) -> Outcome:
    """each direction to the broker takes 250 ms for 6 s"""
    port = free_port()
    stage = Stage(folder, proxy_port=port)
    with SlowProxy(port, stage.broker.port) as proxy, stage:
        stage.load()
        proxy.delay_s = 0.25
        pause(6)
        proxy.delay_s = 0.0
        well_s = stage.until_well()
        stage.undisturbed()
        return stage.outcome(well_s)


def broker_forgets(folder: Path) -> Outcome:
    """the broker loses all that it knew, sessions too"""
    with Stage(folder) as stage:
        stage.load()
        stage.broker.pause()
        pause(2)
        stage.broker.kill()
        (folder / "broker" / "mosquitto.db").unlink(missing_ok=True)
        # The subscriber's session is gone as well: it has to subscribe before the daemon goes on.
        os.kill(stage.daemon.process.pid, signal.SIGSTOP)
        stage.subscriber.forget_subscription()
        stage.broker.start()
        stage.subscriber.wait_subscribed()
        os.kill(stage.daemon.process.pid, signal.SIGCONT)
        return stage.outcome(stage.until_well())
