"""The processes that the runner starts: the servers under test, the broker and the subscriber.

Each is the leader of a process group of its own and dies with the runner, whatever ends that; `Children.close` ends all.
"""

import contextlib
import ctypes
import http.client
import os
import pwd
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import procfs

_HERE = Path(__file__).resolve().parent
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1

# What security.md, finding 7, asks for: without autosave, acknowledged messages are gone after a kill -9.
_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
user {user}
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
"""


class NotStarted(Exception):
    """A process did not become ready: why."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Children:
    """Starts processes, remembers them, and ends them by process group."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen] = []

    def start(
        self, command: list[str], log: Path, *, cwd: Path | None = None, env: dict | None = None, talks: bool = False
    ) -> subprocess.Popen:
        """Start a process. What it prints goes to `log`; one that `talks` has pipes to its stdin and stdout."""
        with log.open("ab") as stderr:
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else stderr,
                stderr=stderr,
                cwd=cwd,
                env=env,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - the runner has one thread
            )
        self._running.append(child)
        return child

    def end(self, child: subprocess.Popen, timeout_s: float = 10.0) -> None:
        """SIGTERM, then SIGKILL to the whole group."""
        if child in self._running:
            self._running.remove(child)
        try:
            child.terminate()
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait(5)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def close(self) -> None:
        for child in reversed(self._running.copy()):
            try:
                self.end(child, timeout_s=2.0)
            except Exception as error:
                print(f"process {child.pid}: {error!r}", file=sys.stderr)


def read_line(child: subprocess.Popen, timeout_s: float) -> str:
    """Return the next line of a child's stdout, '' where it has ended.

    :raises NotStarted: nothing came in time.
    """
    deadline = time.monotonic() + timeout_s
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            raise NotStarted(f"no line within {timeout_s:.0f} s")
        byte = os.read(child.stdout.fileno(), 1)
        if not byte:
            break
        line += byte
    return line.decode(errors="replace").strip()


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:300] if lines else "nothing on stderr"


def _until(ready: Callable[[], bool], child: subprocess.Popen, log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        if child.poll() is not None:
            raise NotStarted(f"ended with status {child.returncode}: {_last_words(log)}")
        if time.monotonic() > deadline:
            raise NotStarted(f"not ready after {timeout_s:.0f} s: {_last_words(log)}")
        time.sleep(0.05)


def start_script(children: Children, name: str, arguments: list[str], log: Path) -> subprocess.Popen:
    """Start one of our scripts beside this module and wait until it prints READY."""
    script = _HERE / name
    if not script.exists():
        raise NotStarted(f"benchmarks/{name} does not exist")
    environment = {**os.environ, "PYTHONPATH": str(_HERE.parent)}
    child = children.start([sys.executable, str(script), *arguments], log, env=environment, talks=True)
    if read_line(child, 20) != "READY":
        children.end(child)
        raise NotStarted(f"{name} did not start: {_last_words(log)}")
    return child


def start_broker(children: Children, folder: Path, port: int) -> subprocess.Popen:
    """Start a durable mosquitto with its persistence in `folder`."""
    folder.mkdir()
    user = pwd.getpwuid(os.getuid()).pw_name
    configuration, log = folder / "mosquitto.conf", folder / "mosquitto.log"
    configuration.write_text(_MOSQUITTO.format(port=port, folder=folder, user=user))
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    child = children.start(["mosquitto", "-c", str(configuration)], log, env={**os.environ, "PATH": path})
    _until(lambda: procfs.listens(port), child, log, 10)
    return child


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def start_daemon(children: Children, folder: Path, port: int, mqtt_port: int, http_port: int) -> subprocess.Popen:
    """Start the whole daemon in `folder` and wait until its port is open and `GET /ready` says 200."""
    folder.mkdir()
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("CSMS_", "MQTT_", "HTTP_"))}
    environment = {
        **keep,
        "PYTHONPATH": str(_HERE.parent),
        "CSMS_OCPP_LISTEN": f"tcp:{port}:interface=127.0.0.1",
        "CSMS_DATABASE_URL": f"sqlite:///{folder}/csms.db",
        "CSMS_GATEWAY_ID": "bench",
        # 50 CALLs per second and charger is a defence, not what is measured here.
        "CSMS_LIMITS_CALLS_PER_SECOND": "10000",
        "CSMS_LIMITS_CALLS_BURST": "10000",
        "MQTT_ENABLED": "true",
        "MQTT_HOST": "127.0.0.1",
        "MQTT_PORT": str(mqtt_port),
        "HTTP_PORT": str(http_port),
    }
    log = folder / "daemon.log"
    command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
    command += ["-n", "--pidfile=", f"--logfile={folder}/twistd.log", "csms"]
    child = children.start(command, log, cwd=folder, env=environment)
    try:
        _until(lambda: procfs.listens(port) and _is_ready(http_port), child, log, 30)
    except NotStarted as reason:
        children.end(child)
        twistd_log = folder / "twistd.log"
        words = f" ({_last_words(twistd_log)})" if twistd_log.exists() else ""
        raise NotStarted(f"{reason}{words}") from None
    return child
