"""Daemons that are forked from a process that has imported their code: an eighth of a start is then left to wait for.

What is forked does all that `twistd csms` does after its imports, in a process of its own. Tests of the start itself take `Daemon`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.end_to_end.daemon import Daemon

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["pytest", "tests.end_to_end.imported_early"])


class Forked:
    """A process with the part of `subprocess.Popen` that `Daemon` and its users need."""

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("twistd", timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class ForkedDaemon(Daemon):
    """See the module."""

    def spawn(self) -> Forked:
        """Start the process, and do not wait for anything."""
        process = _forks.Process(
            target=_run, args=(self.command, self.folder, self.whole_environment, self.log, self.errors)
        )
        process.start()
        self.process = Forked(process)
        return self.process


def _run(command: list[str], folder: Path, environment: dict[str, str], log: Path, errors: Path) -> None:
    from twisted.scripts.twistd import run

    os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as output, errors.open("ab") as complaints:
        os.dup2(output.fileno(), 1)
        os.dup2(complaints.fileno(), 2)
    sys.argv = command
    run()
