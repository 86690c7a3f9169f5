"""``csms demo`` end to end: real processes, a real broker, nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from .command import csms, environment

pytestmark = pytest.mark.slow
QUICK = ("demo", "--seconds", "3")


@pytest.fixture
def mark():
    """Is in the environment of the demonstration and of all its children; afterwards nobody may have it."""
    value = uuid.uuid4().hex
    yield value
    deadline = time.monotonic() + 2
    while (left := marked(value)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


def marked(mark):
    """The command lines of the processes with a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"MARK={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_sessions_are_seen_from_boot_to_cost(mark, tmp_path):
    out, err, status = csms(*QUICK, "--save-picture", "demo.svg", cwd=tmp_path, MARK=mark)
    assert (err, status) == ([], 0)
    for number in (1, 2, 3):
        for topic in ("transactions/CP000{}/started", "transactions/CP000{}/completed", "billing/CP000{}/session_cost"):
            assert out.count(f"csms/{topic.format(number)} ") == 1
    assert "ledger: 3 of 3 transactions completed" in out
    assert "cost: 0.00" not in out
    for topic in ("csms/transactions/+/completed", "csms/billing/+/session_cost", "ocpp/messages/#"):
        assert topic in out
    picture = (tmp_path / "demo.svg").read_text()
    assert "session_cost" in picture
    assert "http://" not in picture.replace("http://www.w3.org/", "").replace("http://www.textualize.io", "")


def test_with_a_broker_of_ones_own(mark, mosquitto, tmp_path):
    out, err, status = csms(*QUICK, "--broker", f"127.0.0.1:{mosquitto.port}", cwd=tmp_path, MARK=mark)
    assert (err, status) == ([], 0)
    assert "ledger: 3 of 3 transactions completed" in out
    assert "amqtt" not in out


def test_a_broker_that_is_away_is_one_line(mark, tmp_path):
    _, err, status = csms(*QUICK, "--broker", "127.0.0.1:1", cwd=tmp_path, MARK=mark)
    assert (len(err), status) == (1, 1)
    assert "refused" in err[0]


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_it_leaves_nothing(number, expected, mark, tmp_path):
    command = [sys.executable, "-m", "csms.cli.main", "demo"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(MARK=mark, TMPDIR=str(tmp_path)), stdout=subprocess.PIPE, text=True
    ) as demo:
        for line in demo.stdout:
            if "/started " in line:
                break
        assert len(marked(mark)) == 5
        demo.send_signal(number)
        demo.stdout.read()
    assert demo.returncode == expected
    assert list(tmp_path.iterdir()) == []
