"""The socket, as a session sees it, and the codes that sessions close it with (RFC 6455 §7.4)."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.defer import Deferred

CLOSE_BAD_UTF8 = 1007
CLOSE_POLICY = 1008
CLOSE_INTERNAL_ERROR = 1011
CLOSE_TRY_AGAIN_LATER = 1013


class Transport(Protocol):
    """The socket, as a session sees it."""

    def send_text(self, text: bytes) -> None:
        """Send a text message."""

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake."""

    def is_alive(self) -> Deferred[bool]:
        """Ask the other side for a sign of life; fires soon, with False where there was none."""

    def hold(self, reason: str) -> None:
        """Stop reading from the socket for a reason."""

    def unhold(self, reason: str) -> None:
        """Read on, unless there is another reason not to."""
