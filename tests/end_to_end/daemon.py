"""The daemon as its users run it: a `twistd csms` process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

from twisted.scripts.twistd import run

from tests.forked import Forked
from tests.programs import free_port

ROOT = Path(__file__).resolve().parents[2]
_START_S = 120.0


class Daemon:
    """A daemon with a run directory, whose ports stay the same over restarts."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.http_port = free_port()
        self.log = folder / "daemon.log"
        self.errors = folder / "daemon.err"
        self.arguments: list[str] = []
        self.environment = {
            "CSMS_OCPP_LISTEN": f"tcp:{self.port}:interface=127.0.0.1",
            "HTTP_PORT": str(self.http_port),
            "CSMS_GATEWAY_ID": "gw1",
            **environment,
        }
        self.process: subprocess.Popen | Forked | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ocpp/"

    @property
    def database(self) -> Path:
        return self.folder / "csms.db"

    @property
    def command(self) -> list[str]:
        return [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile=", "csms", *self.arguments]

    @property
    def whole_environment(self) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("CSMS_", "MQTT_", "HTTP_"))
        }
        return {**inherited, "PYTHONPATH": str(ROOT), **self.environment}

    def spawn(self) -> subprocess.Popen:
        """Start the process, and do not wait for anything."""
        with self.log.open("ab") as log, self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.whole_environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=errors,
                start_new_session=True,
            )
        return self.process

    def start(self) -> None:
        """Start, and return when it is ready."""
        process = self.spawn()
        deadline = time.monotonic() + _START_S
        while self.get("/ready")[0] != 200:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(
                    f"the daemon did not start: {self.errors.read_text()} {self.log.read_text()[-2000:]}"
                )
            time.sleep(0.02)

    def get(self, path: str) -> tuple[int, str]:
        """Return status and body of an HTTP request, status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        lines = [
            line for line in self.get("/metrics")[1].splitlines() if line.startswith(name) and not line.startswith("#")
        ]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def terminate(self) -> int:
        """SIGTERM; return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def log_lines(self) -> list[dict]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()


class ForkedDaemon(Daemon):
    """A daemon that has its imports behind it."""

    def spawn(self) -> Forked:
        self.process = Forked(
            run, self.command, cwd=self.folder, env=self.whole_environment, output=self.log, errors=self.errors
        )
        return self.process


def ask(daemon: Daemon, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
    """Send a request, return status and body."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{daemon.http_port}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def wait_held(daemon: Daemon, count: int) -> None:
    """Wait until the commands of so many charge points are subscribed to."""
    wait(lambda: daemon.metric("csms_mqtt_command_subscriptions") == count)


def wait(condition: Callable[[], bool]) -> None:
    """Wait until something holds that nobody tells of."""
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
