"""A real MQTT broker for tests: it can be stopped, killed, restarted and frozen."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.programs import accepts, find, free_port, run_in_background, wait_until

_PLAIN = """\
listener {port} 127.0.0.1
allow_anonymous true
user {user}
log_dest stderr
set_tcp_nodelay true
"""

UNBOUNDED = """\
max_queued_messages 0
max_inflight_messages 0
"""
"""Settings of a broker of which a subscriber that is slow or away loses nothing."""

# What was acknowledged survives a kill -9, too. The whole state is saved at each change: the longer its queues, the slower it is.
_DURABLE = f"""\
persistence true
persistence_location {{folder}}/
autosave_on_changes true
autosave_interval 1
{UNBOUNDED}"""


class Mosquitto:
    """A broker on a port of its own that stays the same over restarts, as does its persistence file, if it is durable.

    ``settings`` are more lines for mosquitto.conf. As a context manager it starts and, however it is then, ends.
    """

    def __init__(self, folder: Path, *, durable: bool = False, settings: str = "") -> None:
        self._program = find("mosquitto", "mosquitto")
        self._process: subprocess.Popen | None = None
        self.host = "127.0.0.1"
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "mosquitto.log"
        self._configuration = folder / "mosquitto.conf"
        text = _PLAIN + (_DURABLE if durable else "") + settings
        self._configuration.write_text(text.format(port=self.port, folder=folder, user=getpass.getuser()))

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def _running(self) -> subprocess.Popen:
        assert self._process is not None, "mosquitto does not run"
        return self._process

    def start(self) -> None:
        """Start, and return when connections are accepted."""
        assert self._process is None, "mosquitto runs"
        self._process = run_in_background([self._program, "-c", str(self._configuration)], self.log)
        wait_until(lambda: accepts(self.port), self._process, self.log)

    def stop(self) -> None:
        """Stop it in order (SIGTERM): it saves what it knows."""
        self._running.send_signal(signal.SIGTERM)
        self._reap()

    def kill(self) -> None:
        """kill -9."""
        self._running.send_signal(signal.SIGKILL)
        self._reap()

    def restart(self) -> None:
        """Stop in order and start again, on the same port and persistence file."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay, nothing is answered. Returns when it stands still."""
        self._running.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._running.pid, os.WSTOPPED)

    def resume(self) -> None:
        """SIGCONT."""
        self._running.send_signal(signal.SIGCONT)

    def _reap(self) -> None:
        try:
            self._running.wait(10)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
        self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.kill()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker with plain settings."""
    with Mosquitto(tmp_path / "mosquitto") as broker:
        yield broker


@pytest.fixture
def durable_mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker with durable settings."""
    with Mosquitto(tmp_path / "mosquitto", durable=True) as broker:
        yield broker
