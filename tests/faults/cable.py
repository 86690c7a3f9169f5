"""A network cable that can be cut: a process in a network namespace of its own, joined to ours by a veth pair."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

from tests.faults.stage import CannotRun, wait

HERE, THERE = "10.213.77.1", "10.213.77.2"
ENTER = ("unshare", "--net", "sh", "-c", 'read -r _ && exec "$@"', "sh")
"""What goes before a command whose process gets the cable: it waits for it on standard input."""
_OURS, _THEIRS = "csmsfault0", "csmsfault1"


class Cable:
    """Joins the process to us, at `HERE`; a context manager.

    :raises CannotRun: no network namespace may be made here.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def __enter__(self) -> Self:
        if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
            raise CannotRun("network namespaces need root, and the programs ip, unshare and nsenter")
        pid = self._process.pid
        ours = Path("/proc/self/ns/net").readlink()
        wait(
            lambda: self._process.poll() is not None or Path(f"/proc/{pid}/ns/net").readlink() != ours,
            "the network namespace",
        )
        if self._process.poll() is not None:
            raise CannotRun("no network namespace may be made here")
        _ip("link", "add", _OURS, "type", "veth", "peer", "name", _THEIRS, "netns", str(pid))
        try:
            _ip("addr", "add", f"{HERE}/30", "dev", _OURS)
            _ip("link", "set", _OURS, "up")
            self._there("addr", "add", f"{THERE}/30", "dev", _THEIRS)
            self.mend()
        except BaseException:
            self.__exit__()
            raise
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["ip", "link", "del", _OURS], check=False, capture_output=True)

    def cut(self) -> None:
        """Let nothing through: what is sent is dropped in silence."""
        self._there("link", "set", _THEIRS, "down")

    def mend(self) -> None:
        """Let all through again."""
        self._there("link", "set", _THEIRS, "up")

    def _there(self, *arguments: str) -> None:
        _ip(*arguments, before=("nsenter", f"--net={Path('/proc', str(self._process.pid), 'ns', 'net')}"))


def _ip(*arguments: str, before: tuple[str, ...] = ()) -> None:
    done = subprocess.run([*before, "ip", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        raise CannotRun(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
