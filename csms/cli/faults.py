"""What goes wrong on the command line: one line, and an exit status that says what kind it is."""

from __future__ import annotations

from enum import IntEnum

import click


class Status(IntEnum):
    """The exit statuses; docs/command-line.md tells users of them."""

    FAILED = 1
    """Anything that has no status of its own; also click's own, where nobody reads standard output any more."""
    USAGE = 2
    """The command line is wrong; click's own."""
    NOT_NOW = 3
    """Nothing was sent: the charge point is not connected, or the daemon has too much to do."""
    UNANSWERED = 4
    """No answer in time, or the connection was lost: whether it was done is not known."""
    CALL_ERROR = 5
    """The charge point answered with a CALLERROR."""
    NOT_FOUND = 6
    """There is no such thing, or no more."""
    REFUSED = 7
    """The daemon does not take what was sent."""
    NOT_ALLOWED = 8
    """The token is missing or wrong."""
    UNREACHABLE = 9
    """The daemon cannot be reached: nothing was done."""
    INTERRUPTED = 130
    """Ctrl-C."""


class Fault(click.ClickException):
    """An end with a line on standard error and an exit status."""

    def __init__(self, message: str, status: Status = Status.FAILED) -> None:
        super().__init__(message)
        self.status = status
