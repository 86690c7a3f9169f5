"""MQTT topics. A charge point's identity becomes one topic level whatever characters it holds."""

from __future__ import annotations

import re
from functools import lru_cache

from csms.events import business as events
from csms.events import certificates, notices

_NON_CHARACTERS = "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_REFUSED = rf"\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ud800-\udfff{_NON_CHARACTERS}"
"""A broker drops a client for a text with control characters, surrogates or non-characters of any plane."""
_RESERVED = re.compile(rf"[+#/%$\s{_REFUSED}]")
_UNPUBLISHABLE = re.compile(f"[{_REFUSED}]")
_MAX_LEVEL_BYTES = 1024

FAMILIES: dict[type, str] = {
    events.Started: "transactions",
    events.Completed: "transactions",
    events.MeterReading: "transactions",
    events.OrphanStop: "transactions",
    events.StartRefused: "transactions",
    events.StatusChanged: "connectors",
    events.SessionCost: "billing",
    events.Connected: "chargepoints",
    events.Disconnected: "chargepoints",
    events.Booted: "chargepoints",
    events.SecurityEvent: "security",
    events.LoginRefused: "security",
    events.PasswordChanged: "security",
    events.ReservationChanged: "chargepoints",
    events.ConfigurationChanged: "chargepoints",
    events.VariableEvent: "chargepoints",
    events.ReportCompleted: "chargepoints",
    events.FirmwareStatus: "chargepoints",
    events.DiagnosticsStatus: "chargepoints",
    **dict.fromkeys(certificates.EVENT_TYPES.values(), "chargepoints"),
    certificates.SigningRequested: "certificates",
    **dict.fromkeys(notices.EVENT_TYPES.values(), "chargepoints"),
}
"""The topic family of each payload. By type, not by name: a charge point names its security events itself."""
_COMMANDS = "csms/commands/"
_OURS = frozenset({*FAMILIES.values(), "state", "gateways", "commands"})


def level(text: str) -> str:
    """Return `text` as one topic level: `+ # / % $`, white space, control characters and non-characters percent-encoded."""
    # Cut before it is remembered: names of actions come from charge points, and are as long as they like.
    return _level(text[:_MAX_LEVEL_BYTES])


@lru_cache(maxsize=16384)
def _level(text: str) -> str:
    if text.isascii() and text and _RESERVED.search(text) is None:
        return text
    escaped = _RESERVED.sub(lambda found: "".join(f"%{byte:02X}" for byte in _utf8(found.group())), text)
    return escaped.encode("utf-8")[:_MAX_LEVEL_BYTES].decode("utf-8", "ignore") or "%00"


def _utf8(character: str) -> bytes:
    return character.encode("utf-8", "surrogatepass")


def is_publishable(text: str) -> bool:
    """Tell whether a broker takes a text, in a topic or in a property."""
    return _UNPUBLISHABLE.search(text) is None


def business(event: events.BusinessEvent) -> str:
    """Return the topic of a business event; its type is a safe level already."""
    return f"csms/{FAMILIES[type(event.payload)]}/{level(event.client_id)}/{event.event_type}"


def state(client_id: str) -> str:
    """Return the retained topic that says what is true of a charge point now."""
    return f"csms/state/{level(client_id)}"


def gateway_status(gateway_id: str) -> str:
    """Return the retained topic of birth and will."""
    return f"csms/gateways/{level(gateway_id)}/status"


def protocol_message(client_id: str, action: str) -> str:
    """Return the topic of a CALL, either direction."""
    return f"ocpp/messages/{level(client_id)}/{level(action)}"


def protocol_response(client_id: str, action: str) -> str:
    """Return the topic of a CALLRESULT or CALLERROR, either direction."""
    return f"ocpp/responses/{level(client_id)}/{level(action)}"


def commands(client_level: str) -> str:
    """Return the filter of all commands for a charge point, by its topic level."""
    return f"{_COMMANDS}{client_level}/+"


def command_of(topic: str) -> tuple[str, str] | None:
    """Return the charge point's level and the action of a command's topic, None where it is no such topic."""
    client_level, slash, action = topic.removeprefix(_COMMANDS).partition("/")
    return (client_level, action) if slash and topic.startswith(_COMMANDS) and "/" not in action else None


def command_result(client_id: str, action: str) -> str:
    """Return the topic of a command's result; `action` is the level of the command's topic, as it came."""
    return f"csms/command_results/{level(client_id)}/{action if is_publishable(action) else level(action)}"


def is_response_topic(topic: str) -> bool:
    """Tell whether an answer may be published where a request wants it: not as an event or a command of ours."""
    parts = topic.split("/")
    ours = parts[0] == "ocpp" or (parts[0] == "csms" and (len(parts) < 2 or parts[1] in _OURS))
    is_name = bool(topic) and not topic.startswith("$") and "+" not in topic and "#" not in topic
    return is_name and not ours and is_publishable(topic) and len(topic.encode()) <= _MAX_LEVEL_BYTES
