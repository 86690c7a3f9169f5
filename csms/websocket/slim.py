"""What a quiet socket costs: Autobahn keeps some eighty attributes for each, most of them at their defaults for ever.

The options become attributes of a class that the factory makes, and when a socket is open it gives up what only the handshake
needed, and shares what is only for show.
"""

from __future__ import annotations

from collections import deque
from typing import Any, TypeVar

from autobahn.websocket.protocol import TrafficStats
from autobahn.websocket.utf8validator import Utf8Validator

Class = TypeVar("Class", bound=type[Any])
_LEFTOVERS = frozenset(
    {
        "http_headers", "http_request_data", "http_request_host", "http_request_params", "http_request_path",
        "http_request_uri", "http_response_data", "http_status_line", "websocket_extensions", "websocket_origin",
        "websocket_protocols", "_wskey", "_transport_details",
    }
)  # fmt: skip


class _Unheard:
    """In place of a Deferred that nobody waits for."""

    def callback(self, result: object) -> None:
        """Autobahn tells that the socket is open, or closed; its session knows that by itself."""


def configured(protocol: type[Any], options: object) -> type[Any]:
    """Return a subclass with a factory's options as class attributes."""
    values = {name: getattr(options, name) for name in protocol.CONFIG_ATTRS}
    # A function in a class would become a method; Autobahn calls the one that accepts compression without a self.
    attributes = {name: staticmethod(value) if callable(value) else value for name, value in values.items()}
    return type(protocol.__name__, (protocol,), attributes)


def with_defaults(protocol: Class) -> Class:
    """Give a class the defaults of an open socket, for `slim_down` to fall back to."""
    for name, value in (_DEFAULTS | _SHARED).items():
        setattr(protocol, name, value)
    return protocol


_DEFAULTS: dict[str, Any] = {
    "_perMessageCompress": None,
    "_transport_details": None,
    "trackedTimings": None,
    "triggered": False,
    "wasMaxFramePayloadSizeExceeded": False,
    "wasMaxMessagePayloadSizeExceeded": False,
    "closedByMe": False,
    "failedByMe": False,
    "droppedByMe": False,
    "wasClean": False,
    "wasNotCleanReason": None,
    "wasServerConnectionDropTimeout": False,
    "wasOpenHandshakeTimeout": False,
    "wasCloseHandshakeTimeout": False,
    "wasServingFlashSocketPolicyFile": False,
    "localCloseCode": None,
    "localCloseReason": None,
    "remoteCloseCode": None,
    "remoteCloseReason": None,
    "openHandshakeTimeoutCall": None,
    "closeHandshakeTimeoutCall": None,
    "autoPingTimeoutCall": None,
    "autoPingPending": None,
    "autoPingPendingCall": None,
    "autoPingPendingSeq": 0,
    "autoPingPendingSent": None,
    "websocket_extensions_in_use": (),
    "inside_message": False,
    "current_frame": None,
    "data": b"",
    "websocket_version": 13,
    "send_state": 0,
    "_in_gate": False,
    "_holds": frozenset(),
}
"""Attributes that are set on each instance, to what they mostly stay."""


_SHARED: dict[str, Any] = {
    "is_open": _Unheard(),
    "is_closed": _Unheard(),
    "trafficStats": TrafficStats(),
    "_valid_events": ["message"],
    "_results": {"message": None},
    # Of chopped and synchronous sends, which nobody here asks for.
    "send_queue": deque(),
    "utf8validator": Utf8Validator(),
}
"""Attributes of which one does for all open sockets."""


def slim_down(protocol: Any) -> None:
    """Give up what an open socket does not need; what is shared, or at its default, falls back to the class's."""
    given_up = _LEFTOVERS | _SHARED.keys()
    if protocol.send_queue:
        given_up -= {"send_queue"}
    if protocol.utf8validateIncoming:
        given_up -= {"utf8validator"}
    protocol.__dict__ = {
        name: value
        for name, value in protocol.__dict__.items()
        if name not in given_up and not (name in _DEFAULTS and value == _DEFAULTS[name])
    }
