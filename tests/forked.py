"""Programs of ours, forked from a process that has imported their code: that is nearly all of the time that they take to start.

What is forked does all that the program does after its imports, in a process of its own. A test of the start itself has to start
the program.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["pytest", "tests.imported_early"])


class Forked:
    """A process with the part of `subprocess.Popen` that is needed.

    ``main`` is a function of a module, run with `command` as `sys.argv`; standard output and errors go to the ends of files.
    """

    def __init__(
        self,
        main: Callable[[], None],
        command: list[str],
        *,
        cwd: Path,
        env: dict[str, str],
        output: Path,
        errors: Path,
    ) -> None:
        self.args = command
        arguments = (main, command, cwd, env, output, errors)
        # What a test leaves behind ends with the test run.
        self._process: BaseProcess = _forks.Process(target=_run, args=arguments, daemon=True)
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(
    main: Callable[[], None], command: list[str], cwd: Path, env: dict[str, str], output: Path, errors: Path
) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for path, descriptor in ((output, 1), (errors, 2)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), descriptor)
    sys.argv = command
    main()
