"""What happens between chargers and daemon: silence, and slow readers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.procfs import rss_kb
from tests.end_to_end.daemon import ROOT
from tests.faults import cable
from tests.faults.stage import Outcome, Stage, pause, wait
from tests.websocket.raw_client import call, frame, request

_SILENT = 12
_MOST_GROWTH_KB = 64 * 1024
_CONNECTED = "csms_connected_charge_points"


def half_open(folder: Path) -> Outcome:
    """chargers fall silent without a FIN (SIGSTOP of their process), and wake up after 8 s"""
    stage = _pinging(folder)
    with stage, _simulator(folder, stage.daemon.url) as silent:
        return _missed(
            stage,
            silent,
            folder,
            lambda: silent.send_signal(signal.SIGSTOP),
            lambda: silent.send_signal(signal.SIGCONT),
        )


def cable_cut(folder: Path) -> Outcome:
    """the network of chargers is gone, not even their kernel acknowledges (a veth that is down), and back after 8 s"""
    stage = _pinging(folder)
    stage.daemon.environment["CSMS_OCPP_LISTEN"] = f"tcp:{stage.daemon.port}"
    url = f"ws://{cable.HERE}:{stage.daemon.port}/ocpp/"
    with stage, _simulator(folder, url, *cable.ENTER) as silent, cable.Cable(silent) as line:
        return _missed(stage, silent, folder, line.cut, line.mend)


def _pinging(folder: Path) -> Stage:
    return Stage(folder, settings={"CSMS_OCPP_PING_INTERVAL": "2s", "CSMS_OCPP_PING_TIMEOUT": "2s"})


@contextmanager
def _simulator(folder: Path, url: str, *before: str) -> Iterator[subprocess.Popen[bytes]]:
    """Chargers in a process of their own that runs until all have had their sessions."""
    command = [*before, sys.executable, "-c", "from csms.cli.main import main; main()", "simulate", "--url", url]
    command += ["--count", str(_SILENT), "--prefix", "SILENT", "--sessions", "5", "--duration", "240", "--json"]
    with (folder / "silent.log").open("wb") as output:
        simulator = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        yield simulator
    finally:
        simulator.kill()
        simulator.communicate(timeout=10)


def _missed(
    stage: Stage,
    silent: subprocess.Popen[bytes],
    folder: Path,
    silence: Callable[[], object],
    wake: Callable[[], object],
) -> Outcome:
    """Silence the simulator: it is missed by its pings, others notice nothing, and it loses nothing."""
    stage.load()
    everybody = stage.count + _SILENT
    wait(lambda: stage.daemon.metric(_CONNECTED) == everybody, "the silent ones connected")
    silence()
    noticed_s = wait(lambda: stage.daemon.metric(_CONNECTED) == stage.count, "that they are missed")
    pause(8 - min(8, noticed_s))
    wake()
    well_s = wait(lambda: stage.daemon.metric(_CONNECTED) == everybody, "them back") + stage.until_well()
    stage.undisturbed()
    log = folder / "silent.log"
    assert silent.wait(180) == 0, f"the silent ones lost something: {log.read_text()[-300:]}"
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

            cut_s = wait(is_cut, "the slow reader cut")
        growth_kb = rss_kb(stage.daemon.process.pid) - before_kb
        assert growth_kb < _MOST_GROWTH_KB, f"the daemon grew by {growth_kb} KB"
        well_s = stage.until_well()
        stage.undisturbed()
        return stage.outcome(well_s, f"cut after {cut_s:.1f} s, {growth_kb / 1024:.0f} MiB more")
