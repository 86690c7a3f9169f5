"""Bounds of the endpoint: how much one socket may send, how many may come at once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger

from csms.websocket.newest_first import NewestFirst

_log = Logger()
MAX_HEADER_BYTES = 8 * 1024
MAX_FRAMES_PER_MESSAGE = 64
MAX_BUDGETS_LEFT = 20_000
UNREGISTERED_MESSAGE_BYTES = 64 * 1024
"""Before BootNotification was accepted."""


@frozen
class Limits:
    """The operator's limits; times in seconds."""

    message_bytes: int = 1024 * 1024
    frame_bytes: int = 1024 * 1024
    handshake_timeout_s: float = 15
    handshakes: int = 128
    connections_per_address: int = 0
    calls_per_second: float = 50
    calls_burst: int = 200
    ping_interval_s: float = 30
    ping_timeout_s: float = 20
    congestion_timeout_s: float = 10
    takeover_timeout_s: float = 3


@define(eq=False)
class HandshakeGate:
    """At most so many connections between accept and open; meanwhile the ports stop accepting and the kernel queues.

    Without it, a few thousand TLS handshakes at once all miss their deadline, and all come again. ``on_refused`` is told
    a status for each who waited in vain.
    """

    _limit: int
    _on_refused: Callable[[str], object] = lambda _status: None
    _ports: deque[Any] = field(factory=deque)
    _inside: int = 0
    _closed: bool = False

    def guard(self, port: IListeningPort) -> None:
        """Let the gate open and close a listening port, and say whose turn it is."""
        guarded: Any = port
        self._ports.append(guarded)
        guarded.socket = NewestFirst(guarded.socket, self._on_refused)
        accept = guarded.doRead

        def accept_what_fits() -> None:
            # Twisted accepts a hundred and more at a time; the gate could only close behind the last of them.
            guarded.numberAccepts = max(1, self._limit - self._inside)
            accept()
            if not self._closed:
                self._go_on()

        guarded.doRead = accept_what_fits

    def enter(self) -> None:
        """A connection was accepted."""
        self._inside += 1
        if self._inside >= self._limit and not self._closed:
            self._closed = True
            for port in self._ports:
                port.stopReading()

    def leave(self) -> None:
        """A connection is open, or gone."""
        self._inside -= 1
        if self._inside >= self._limit:
            return
        was_closed, self._closed = self._closed, False
        for port in self._ports:
            if was_closed and port.connected:
                port.startReading()
        self._go_on(everywhere=was_closed)
        # The next place is another port's.
        self._ports.rotate()

    def _go_on(self, *, everywhere: bool = False) -> None:
        """Let in who was taken from the kernel already, of whom it will not tell again; and, where asked for, who waits there."""
        for port in self._ports:
            if everywhere or port.socket.waits:
                port.reactor.callLater(0, self._accept, port)

    def _accept(self, port: Any) -> None:
        if port.connected and not port.disconnecting and not self._closed:
            port.doRead()


@define(eq=False)
class AddressCount:
    """How many connections each address has; a limit of 0 means none."""

    _limit: int
    _connections: Counter[str] = field(factory=Counter)

    def add(self, address: str) -> bool:
        """Count a connection; False where the address has too many."""
        if self._limit and self._connections[address] >= self._limit:
            return False
        self._connections[address] += 1
        return True

    def remove(self, address: str) -> None:
        """A connection of this address is gone."""
        self._connections[address] -= 1
        if self._connections[address] <= 0:
            del self._connections[address]


class TokenBucket:
    """So many CALLs a second, with a burst."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take a token; return for how many seconds reading must pause, 0 for none."""
        if self._at is None or now > self._at:
            self.refill(now)
        self._tokens -= 1
        return 0 if self._tokens >= 0 else -self._tokens / self._rate

    def debt_s(self, now: float) -> float:
        """Return for how many seconds reading must pause because of what was taken before."""
        self.refill(max(now, self._at if self._at is not None else now))
        return max(0.0, -self._tokens / self._rate)

    def refill(self, now: float) -> None:
        """Add what the time brought; messages that waited here are taken later than they were heard."""
        if self._at is not None:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now

    @property
    def is_full(self) -> bool:
        """Whether it is as good as new, by the last refill."""
        return self._tokens >= self._burst


class CallBudgets:
    """A bucket for each charge point: who comes back finds what he left, so that nobody gets more by reconnecting."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._left: dict[str | None, TokenBucket] = {}

    def take_up(self, client_id: str | None) -> TokenBucket:
        """Return the bucket of a charge point whose socket is open."""
        return self._left.pop(client_id, None) or TokenBucket(self._rate, self._burst)

    def leave(self, client_id: str | None, bucket: TokenBucket, now: float) -> None:
        """Keep the bucket of a socket that takes no more CALLs, until time has filled it."""
        self._left.pop(client_id, None)
        self._left[client_id] = bucket
        while self._left:
            oldest = next(iter(self._left))
            self._left[oldest].refill(now)
            if not self._left[oldest].is_full and len(self._left) <= MAX_BUDGETS_LEFT:
                break
            del self._left[oldest]
