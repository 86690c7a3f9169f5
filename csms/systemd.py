"""What systemd is told (sd_notify): READY, RELOADING, WATCHDOG, STOPPING. A leaf; without NOTIFY_SOCKET it does nothing."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import suppress

from attrs import frozen


@frozen
class Notifier:
    """Speaks to systemd, if it listens."""

    address: str | None
    watchdog_s: float | None = None
    """How often systemd wants to hear WATCHDOG at most, None for never."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], pid: int) -> Notifier:
        """Read NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID."""
        microseconds = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        watchdog_s = int(microseconds) / 1e6 if microseconds.isdigit() and mine else None
        return cls(environment.get("NOTIFY_SOCKET") or None, watchdog_s)

    def say(self, message: str) -> None:
        """Send one datagram, such as ``READY=1``; a failure is not worth more than silence."""
        if self.address is None:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            sender.sendto(message.encode(), address)
