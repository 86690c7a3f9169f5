"""What happens to the daemon itself."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.end_to_end.daemon import Daemon
from tests.faults.stage import CannotRun, Outcome, Stage, pause, wait

_KILLS = 5


def daemon_killed(folder: Path) -> Outcome:
    """kill -9 of the daemon, five times"""
    with Stage(folder) as stage:
        stage.load()
        for _ in range(_KILLS):
            stage.daemon.kill()
            stage.daemon.start()
            well_s = stage.until_well()
        return stage.outcome(well_s)


def daemon_paused(folder: Path) -> Outcome:
    """the daemon stands still for 4 s (SIGSTOP, SIGCONT)"""
    with Stage(folder) as stage:
        stage.load()
        os.kill(stage.daemon.process.pid, signal.SIGSTOP)
        pause(4)
        os.kill(stage.daemon.process.pid, signal.SIGCONT)
        return stage.outcome(stage.until_well())


def daemon_and_broker_killed(folder: Path) -> Outcome:
    """kill -9 of daemon and broker at once"""
    with Stage(folder) as stage:
        stage.load()
        stage.daemon.kill()
        stage.broker.kill()
        stage.broker.start()
        stage.daemon.start()
        return stage.outcome(stage.until_well())


def _open_files(daemon: Daemon) -> int:
    return len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))


def descriptors_exhausted(folder: Path) -> Outcome:
    """out of file descriptors (RLIMIT_NOFILE), and some again"""
    if shutil.which("prlimit") is None:
        raise CannotRun("prlimit is not installed")
    with Stage(folder) as stage:
        stage.load()
        limit = _open_files(stage.daemon) + 10
        subprocess.run(["prlimit", f"--pid={stage.daemon.process.pid}", f"--nofile={limit}:{limit}"], check=True)
        strangers = [socket.create_connection(("127.0.0.1", stage.daemon.port)) for _ in range(30)]
        wait(lambda: _open_files(stage.daemon) >= limit - 1, "its descriptors used up")
        pause(3)
        for stranger in strangers:
            stranger.close()
        well_s = stage.until_well()
        stage.undisturbed()
        return stage.outcome(well_s, f"limit {limit}")
