"""Child processes of the demonstration: each leads a process group of its own, and ends with the demonstration."""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from attrs import define, field

_TERM_S = 10.0
_KILL_S = 5.0
_POLL_S = 0.05
_PR_SET_PDEATHSIG = 1


class ChildFailed(Exception):
    """A child did not do what it was started for; the message is one line."""


@define(eq=False)
class Child:
    """A running child process. Its group's id is its process id."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    _rest: bytes = b""

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self.process.poll()

    def feed(self, data: bytes) -> list[str]:
        """Take what it wrote; return the lines that are complete."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]

    def last_words(self) -> str:
        """Return the last line of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return " ".join(lines[-1].split())[:300] if lines else "it said nothing"


@define(eq=False)
class Children:
    """Starts children, reads what those that talk say, and ends them all, the last one first."""

    folder: Path
    _children: list[Child] = field(factory=list)
    _selector: selectors.BaseSelector = field(factory=selectors.DefaultSelector)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], talks: bool = False) -> Child:
        """Start a child in the folder. What it prints goes to a log there; one that ``talks`` is read instead."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                cwd=self.folder,
                env=dict(environment),
                start_new_session=True,
                # Nothing else runs in this process yet when children are started.
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        child = Child(name, process, log)
        self._children.append(child)
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
            self._selector.register(process.stdout, selectors.EVENT_READ, child)
        return child

    def lines(self, timeout_s: float) -> Iterator[tuple[Child, str]]:
        """Give the lines that children say within a time; at least one round, and no longer than until there are some."""
        if not self._selector.get_map():
            time.sleep(timeout_s)
            return
        for key, _ in self._selector.select(timeout_s):
            child: Child = key.data
            data = os.read(key.fd, 65536)
            if not data:
                self._selector.unregister(key.fileobj)
            for line in child.feed(data):
                yield child, line

    def has_closed(self, child: Child) -> bool:
        """Whether everything that a child that talks had to say was read."""
        return all(key.data is not child for key in self._selector.get_map().values())

    def wait_until(self, ready: Callable[[], bool], child: Child, timeout_s: float) -> None:
        """Wait until a child is ready.

        :raises ChildFailed: it ended or took too long.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if child.status is not None:
                raise ChildFailed(f"{child.name} ended with status {child.status}: {child.last_words()}")
            if time.monotonic() > deadline:
                raise ChildFailed(f"{child.name} was not ready within {timeout_s:.0f} s: {child.last_words()}")
            time.sleep(_POLL_S)

    def stop(self, child: Child) -> int:
        """End a child and whatever is in its group; return its exit status."""
        if child in self._children:
            self._children.remove(child)
        process = child.process
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_TERM_S)
        deadline = time.monotonic() + _KILL_S
        while _group_exists(process.pid) and time.monotonic() < deadline:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.poll()
            time.sleep(_POLL_S)
        return process.wait(_KILL_S)

    def close(self) -> None:
        """End all, whatever happens meanwhile."""
        # A second Ctrl-C must not leave half of them behind.
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            for child in reversed(self._children.copy()):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.stop(child)
                if child.process.stdout is not None:
                    child.process.stdout.close()
        finally:
            self._selector.close()
            for number, handler in before.items():
                signal.signal(number, handler)


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _end_with_parent() -> None:
    """Have the kernel end this child when its parent dies, even of kill -9."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def accepts(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True
