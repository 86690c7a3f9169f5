"""Programs that tests need: where they are, and how they are run so that they end with the test run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

_START_TIMEOUT_S = 20.0
_POLL_S = 0.01


def find(name: str, package: str, *, beside: str = "/usr/sbin") -> str:
    """Return a program's path, from PATH or a folder beside it. Missing, it skips the test; under CI it is an error."""
    folders = sorted(Path("/").glob(beside.lstrip("/")), reverse=True)
    path = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, folders)]))
    if path is not None:
        return path
    if os.environ.get("CI"):
        raise RuntimeError(f"{name} is not installed: CI needs the package {package}")
    return pytest.skip(f"{name} is not installed (package {package})")


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run_in_background(
    command: list[str], log: Path, *, user: str | None = None, death: str = "KILL"
) -> subprocess.Popen:
    """Start a program in a process group of its own, as another user if root is asked to.

    It gets the signal `death` when the thread that started it ends, so that a killed test run leaves nothing behind.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is not None:
        identity = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user is not None else []
        command = [setpriv, *identity, f"--pdeathsig={death}", *command]
        user = None
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, user=user
        )


def wait_until(ready: Callable[[], bool], process: subprocess.Popen, log: Path) -> None:
    """Wait until a program answers.

    :raises RuntimeError: it ended, or took too long; with the last lines of its log.
    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            words = log.read_text(errors="replace").splitlines()[-5:]
            raise RuntimeError(f"{process.args[-1]} does not answer (status {process.returncode}): {' | '.join(words)}")
        time.sleep(_POLL_S)


def accepts(port: int) -> bool:
    """Whether somebody accepts connections on a port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
