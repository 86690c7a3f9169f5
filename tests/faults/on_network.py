"""What happens between chargers and daemon: silence, slow readers, all at once."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

from benchmarks.procfs import rss_kb
from tests.end_to_end.daemon import ROOT
from tests.faults.chargers import IDLE, Chargers
from tests.faults.stage import CannotRun, Outcome, Stage, pause, wait
from tests.websocket.raw_client import call, frame, request

_SILENT = 12
_MANY = 5000
_MOST_GROWTH_KB = 64 * 1024
_CONNECTED = "csms_connected_charge_points"


def half_open(folder: Path) -> Outcome:
    """chargers fall silent without a FIN (SIGSTOP of their process), and wake up after 8 s"""
    with Stage(folder, settings={"CSMS_OCPP_PING_INTERVAL": "2s", "CSMS_OCPP_PING_TIMEOUT": "2s"}) as stage:
        stage.load()
        command = [
            sys.executable,
            "-c",
            "from csms.cli.main import main; main()",
            "simulate",
            "--url",
            stage.daemon.url,
        ]
        command += ["--count", str(_SILENT), "--prefix", "SILENT", "--sessions", "3", "--duration", "240", "--json"]
        log = folder / "silent.log"
        with log.open("wb") as output:
            silent = subprocess.Popen(
                command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=output, stderr=output
            )
        try:
            everybody = stage.count + _SILENT
            wait(lambda: stage.daemon.metric(_CONNECTED) == everybody, "the silent ones connected")
            os.kill(silent.pid, signal.SIGSTOP)
            noticed_s = wait(lambda: stage.daemon.metric(_CONNECTED) == stage.count, "that they are missed", 20)
            pause(8 - min(8, noticed_s))
            os.kill(silent.pid, signal.SIGCONT)
            well_s = wait(lambda: stage.daemon.metric(_CONNECTED) == everybody, "them back") + stage.until_well()
            stage.undisturbed()
            assert silent.wait(60) == 0, f"the silent ones lost something: {log.read_text()[-300:]}"
        finally:
            silent.kill()
            silent.wait(10)
        return stage.outcome(well_s, f"missed after {noticed_s:.1f} s")


def slow_reader(folder: Path) -> Outcome:
    """a charger asks without end and never reads: it is cut, memory stays, others notice nothing"""
    with Stage(
        folder, settings={"CSMS_LIMITS_CALLS_PER_SECOND": "100000", "CSMS_LIMITS_CALLS_BURST": "100000"}
    ) as stage:
        stage.load()
        before_kb = rss_kb(stage.daemon.process.pid)
        with socket.create_connection(("127.0.0.1", stage.daemon.port)) as glutton:
            glutton.sendall(request("/ocpp/GLUTTON"))
            wait(lambda: stage.daemon.metric(_CONNECTED) == stage.count + 1, "it connected")
            block = frame(call("1", "A" * 60)) * 500
            glutton.settimeout(1)

            def is_cut() -> bool:
                try:
                    glutton.sendall(block)
                except TimeoutError:
                    pass  # it is not read from any more
                except OSError:
                    return True
                return stage.daemon.metric(_CONNECTED) == stage.count

            cut_s = wait(is_cut, "the slow reader cut", 40)
        growth_kb = rss_kb(stage.daemon.process.pid) - before_kb
        assert growth_kb < _MOST_GROWTH_KB, f"the daemon grew by {growth_kb} KB"
        well_s = stage.until_well()
        stage.undisturbed()
        return stage.outcome(well_s, f"cut after {cut_s:.1f} s, {growth_kb / 1024:.0f} MiB more")


def reconnect_storm(folder: Path) -> Outcome:
    """kill -9 of the daemon; all chargers come back at once"""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    many = min(_MANY, most - 500)
    if many < 1000:
        raise CannotRun(f"only {most} file descriptors are allowed, 1,500 is the least")
    with Stage(folder) as stage:
        stage.load()
        crowd = Chargers(stage.daemon.url, many, IDLE, stage.seed, prefix="CROWD", ramp_s=many / 500)
        crowd.start()
        try:
            wait(lambda: crowd.all_online, f"{many} online", 60)
            stage.daemon.kill()
            crowd.mark()
            stage.chargers.mark()
            stage.daemon.start()
            well_s = wait(lambda: crowd.all_online, f"{many} back", 60) + stage.until_well()
            seen = ", ".join(f"{count} {name}" for name, count in crowd.seen().items() if count)
        finally:
            crowd.stop()
        return stage.outcome(well_s, f"the {many}: {seen}")
