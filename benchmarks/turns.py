"""One turn of the benchmark: a fresh server, a load, and what it cost."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import procfs
from processes import Children, NotStarted, free_port, read_line, start_broker, start_daemon, start_script
from subscriber import Counters, Counts

_HERE = Path(__file__).resolve().parent
_QUIET_S = 1.0  # nothing has arrived for so long: the daemon has nothing left to publish
_GIVE_UP_S = 3.0  # nothing for so long and events are missing: they are lost, or the relay is stuck
_AFTERWARDS_S = 0.3  # all is there: the last acknowledgements and the cursor's commit belong to the job, too
_DRAIN_S = 60.0
_PATIENCE_S = 90.0


class Server:
    """A running server under test and, where it is the daemon, the broker and the subscriber behind it."""

    def __init__(self, children: Children, name: str, folder: Path) -> None:
        folder.mkdir()
        self._children = children
        self._started: list[subprocess.Popen] = []
        self.folder = folder
        self.counters: Counters | None = None
        self.port = free_port()
        self.http_port = free_port()
        try:
            self.pid = self._start(name).pid
        except BaseException:
            self.stop()
            raise

    def _start(self, name: str) -> subprocess.Popen:
        children, folder = self._children, self.folder
        if name != "daemon":
            child = start_script(children, f"{name}.py", ["--port", str(self.port)], folder / f"{name}.log")
            self._started.append(child)
            return child
        mqtt_port = free_port()
        self._started.append(start_broker(children, folder / "broker", mqtt_port))
        counters = folder / "counters"
        arguments = ["--port", str(mqtt_port), "--counters", str(counters)]
        self._started.append(start_script(children, "subscriber.py", arguments, folder / "subscriber.log"))
        self.counters = Counters(counters)
        child = start_daemon(children, folder / "daemon", self.port, mqtt_port, self.http_port)
        self._started.append(child)
        return child

    def stop(self) -> None:
        for child in reversed(self._started):
            self._children.end(child)
        self._started.clear()


def _wait_until_quiet(counters: Counters) -> Counts:
    """Wait until nothing has arrived for a while, with a bound."""
    deadline = time.monotonic() + _DRAIN_S
    before, since = counters.read(), time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < _QUIET_S:
        time.sleep(0.05)
        current = counters.read()
        if current != before:
            before, since = current, time.monotonic()
    return before


def _wait_until_drained(counters: Counters, business: int, protocol: int) -> tuple[Counts, float]:
    """Wait until both streams have arrived whole, or nothing more comes; return the counts and how long it took."""
    begin = time.monotonic()
    before, since = counters.read(), begin
    while time.monotonic() - begin < _DRAIN_S:
        current = counters.read()
        complete = current.business >= business and current.protocol >= protocol
        if current != before:
            before, since = current, time.monotonic()
        elif time.monotonic() - since > (_AFTERWARDS_S if complete else _GIVE_UP_S):
            break
        time.sleep(0.02)
    counts = counters.read()
    return counts, max(counts.last_at - begin, 0.0)


def _generator(children: Children, server: Server, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, str(_HERE / "loadgen.py"), f"ws://127.0.0.1:{server.port}/ocpp", "--boot"]
    command += ["--pid", str(server.pid), *arguments]
    return children.start(command, server.folder / "loadgen.log", talks=True)


def _result(generator: subprocess.Popen, server: Server, timeout_s: float) -> dict[str, Any]:
    """Return the next JSON line of the generator."""
    line = read_line(generator, timeout_s)
    complaints = (server.folder / "loadgen.log").read_text(errors="replace").strip().splitlines()
    if not line:
        raise NotStarted("the load generator has ended: " + (complaints[-1][:300] if complaints else "silently"))
    result = json.loads(line)
    if complaints:
        result["complaint"] = complaints[0][:300]
    return result


def load_turn(children: Children, name: str, mix: str, folder: Path, conns: int, duration_s: float) -> dict[str, Any]:
    """Load a fresh server and return its figures; the daemon's CPU includes what it spends on its backlog afterwards."""
    server = Server(children, name, folder)
    counters = server.counters
    generator = None
    try:
        sizes = ["--conns", str(conns), "--duration", str(duration_s)]
        generator = _generator(children, server, "--mix", mix, "--wait", "--prefix", mix, *sizes)
        _result(generator, server, _PATIENCE_S)
        before = _wait_until_quiet(counters) if counters else None
        cpu_before = procfs.cpu_ns(server.pid)[0]
        generator.stdin.write(b"go\n")
        generator.stdin.flush()
        result = _result(generator, server, duration_s + _PATIENCE_S)
        calls = max(result["calls"], 1)
        if counters and before:
            expected = result["events_expected"]
            after, drain_s = _wait_until_drained(counters, before.business + expected, before.protocol + 2 * calls)
            result["cpu_us_under_load"] = result["cpu_us"]
            result["cpu_us"] = round((procfs.cpu_ns(server.pid)[0] - cpu_before) / 1e3 / calls, 2)
            result |= {
                "drain_s": round(drain_s, 2),
                "business": after.business - before.business,
                "state": after.state - before.state,
                "protocol": after.protocol - before.protocol,
            }
        result["calls_per_cpu_s"] = round(1e6 / result["cpu_us"]) if result.get("cpu_us") else 0
        return result
    finally:
        if generator is not None:
            children.end(generator)
        server.stop()


def commands_turn(
    children: Children, folder: Path, conns: int, rate: float, runs: int, duration_s: float
) -> list[dict[str, Any]]:
    """Command the chargers of a fresh daemon through HTTP; return the figures of each run."""
    server = Server(children, "daemon", folder)
    operators = None
    try:
        command = [sys.executable, str(_HERE / "operators.py"), f"ws://127.0.0.1:{server.port}/ocpp", "--boot"]
        command += ["--http-port", str(server.http_port), "--pid", str(server.pid), "--conns", str(conns)]
        command += ["--rate", str(rate), "--runs", str(runs), "--duration", str(duration_s)]
        operators = children.start(command, server.folder / "loadgen.log", talks=True)
        if read_line(operators, _PATIENCE_S) != "READY":
            _result(operators, server, _PATIENCE_S)
        operators.stdin.write(b"go\n")
        operators.stdin.flush()
        return [_result(operators, server, duration_s + _PATIENCE_S) for _ in range(runs)]
    finally:
        if operators is not None:
            children.end(operators)
        server.stop()


def memory_turn(children: Children, name: str, folder: Path, conns: int) -> dict[str, Any]:
    """Return by how much a fresh server's resident memory grows with `conns` booted, idle chargers."""
    server = Server(children, name, folder)
    generator = None
    try:
        generator = _generator(children, server, "--hold", "--conns", str(conns))
        return _result(generator, server, 2 * _PATIENCE_S)
    finally:
        if generator is not None:
            children.end(generator)
        server.stop()
