"""Autobahn's own log lines: one place that decides which of them an operator should see."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

_log = Logger(namespace="autobahn")
_TLS_FAULT = "SSL error"


class QuietLog:
    """Stands in for Autobahn's logger: what a peer did wrong is ours to tell, with the clientId; faults of ours pass."""

    def _pass_over(self, *_arguments: Any, **_fields: Any) -> None:
        pass

    trace = debug = info = warn = warning = _pass_over

    def error(self, message: str = "", **fields: Any) -> None:
        """Log a fault; a TLS handshake that failed is the peer's, and told with its address when the socket is gone."""
        if message.startswith(_TLS_FAULT):
            return
        _log.error("{text}: {fields}", text=message, fields=str(fields))

    critical = error

    def failure(self, message: str = "", **fields: Any) -> None:
        """Log a fault with its traceback."""
        _log.failure("{text}: {fields}", text=message, fields=str(fields))
