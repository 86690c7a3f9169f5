"""What happens to time: the wall clock steps, a certificate runs out."""

from __future__ import annotations

import mmap
import shutil
import signal
import struct
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.end_to_end.charger import Charger
from tests.faults.chargers import in_reactor
from tests.faults.server_certificate import ServerCertificate
from tests.faults.stage import CannotRun, Outcome, Stage, pause, wait

_SHIM = Path(__file__).with_name("clockstep.c")
_STEPS_S = (-3600, 2 * 3600)
_ABOUT_S = 60
_VALID_S = 25


def clock_steps(folder: Path) -> Outcome:
    """the daemon's wall clock steps back by 1 h, then forward by 3 h (a preloaded clock_gettime)"""
    compiler = shutil.which("cc")
    if compiler is None:
        raise CannotRun("there is no C compiler for the clock that is preloaded")
    library, offset_file = folder / "clockstep.so", folder / "offset"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SHIM), "-ldl"], check=True)
    offset_file.write_bytes(struct.pack("q", 0))
    settings = {
        "LD_PRELOAD": str(library),
        "CLOCKSTEP_FILE": str(offset_file),
        # Timers that stand still would show: the silent are pinged, and cut.
        "CSMS_OCPP_PING_INTERVAL": "2s",
        "CSMS_OCPP_PING_TIMEOUT": "2s",
    }
    with (
        Stage(folder, settings=settings) as stage,
        offset_file.open("r+b") as file,
        mmap.mmap(file.fileno(), 8) as step,
    ):
        stage.load()
        for offset_s in _STEPS_S:
            step[:] = struct.pack("q", offset_s)
            with Charger(stage.daemon.url, "CLOCK") as charger:
                told = datetime.fromisoformat(charger.call("Heartbeat")["currentTime"])
            off_s = (told - datetime.now(UTC)).total_seconds() - offset_s
            assert abs(off_s) < _ABOUT_S, f"the clock did not step: {off_s:.0f} s off"
            well_s = stage.until_well()
            pause(5)
        stage.undisturbed()
        return stage.outcome(well_s)


def certificate_expires(folder: Path) -> Outcome:
    """the server's certificate runs out under running sessions; a new one comes by SIGHUP"""
    expiry = datetime.now(UTC) + timedelta(seconds=_VALID_S)
    certificate = ServerCertificate(folder, expiry)
    with Stage(folder, settings=certificate.settings) as stage:
        stage.load(url=certificate.url, tls=certificate.options())
        assert datetime.now(UTC) < expiry, "it took too long until the chargers were there"
        pause((expiry - datetime.now(UTC)).total_seconds() + 2)
        stage.undisturbed()
        points = stage.chargers.fleet.charge_points
        unlucky = points[: len(points) // 2]
        for point in unlucky:
            in_reactor(point.lose_uplink)
        wait(lambda: not any(point.online for point in unlucky), "half of them away")
        for point in unlucky:
            in_reactor(point.restore_uplink)
        wait(lambda: all(point.problem for point in unlucky), "the old certificate refused")
        assert all(point.online for point in points[len(unlucky) :]), "running connections did not stay"
        certificate.renew(expiry + timedelta(days=1))
        stage.daemon.process.send_signal(signal.SIGHUP)
        return stage.outcome(stage.until_well(), f"{len(unlucky)} of {len(points)} had to come back")
