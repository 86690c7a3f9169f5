"""Secrets in OCPP frames: blanked before a frame is published or kept.

Secrets are what members and configuration keys of such names hold (``AuthorizationKey``, ``BasicAuthPassword``, those of a
VPN and an APN, a vendor's own), passwords and signatures in URLs, and private keys. A text that speaks of a secret, such as
the reason of a refusal or JSON inside of a text, is blanked as a whole.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

REDACTED = "(redacted)"
HOLDS_NO_TEXT = frozenset({"Authorize", "Heartbeat", "MeterValues", "StartTransaction", "StopTransaction"})
"""The actions that make up nearly all messages, and hold numbers, times and tags: they are not looked at."""
_NAMES = re.compile(
    r"pass(?:word|wd|phrase|code)|authori[sz]ation[ _-]?key|secret|(?:private|shared|vpn)[ _-]?key|simpin|credential"
    r"|api[ _-]?key|pin[ _-]?code|pwd|(?:access|auth|bearer|refresh)[ _-]?token|puk(?=[\\\"'\s]*[=:]|$)|(?:wpa|wi-?fi)\w*key|psk(?=[\\\"'\s]*[=:]|$)",
    re.IGNORECASE,
)
_HINTS = re.compile(rb"\\|//|pass|authori|secret|private|shared|credential|pin|api|psk|pwd|token|puk|wpa|wi|vpn")
"""A frame in lower case without any of these need not be parsed. (A chain of `in` takes longer: bytes are slow at that.)"""
_KEY_CODE = "keycode"
"""The type of an id token that nobody but its driver may know (OCPP 2.0.1 C04.FR.04)."""
_EMPTY, _COMMAS_OF_EMPTY = b",{}]", 2
"""A CALLRESULT that says nothing: ``[3,"id",{}]``."""
_NAME_ALONE = re.compile(r"[\w.\-/]*")
_LABELS = ("key", "name")
"""The members that name what a ``value`` beside them is."""
_VALUES = frozenset({"value", "attributevalue", "actualvalue"})
_WORDS = frozenset({"code", "errorCode", "messageId", "outcome", "path", "requestId", "status", "title", "type"})
"""The members of answers to commands that name something, and tell nothing."""
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_URL = re.compile(r"\w*:\\?/\\?/\S*")
_URL_PASSWORD = re.compile(r"(:\\?/\\?/[^/?#:\s]*):(?:[^/?#\s]*@|(?!\d+[/?#])\S*@)")
"""``ftp://user:password@host/``: the places of uploads and firmware are given so; a password may hold what it must not."""
_URL_QUERY = re.compile(
    r"([?&][\w.\-]*(?:pass|secret|token|sig|signature|key|credential)[\w.\-]*=)[^&#\s\"']*", re.IGNORECASE
)


def frame_without_secrets(action: str, frame: bytes) -> bytes:
    """Return a frame without its secrets; one that holds none, as nearly all, stays as it is on the wire."""
    if action in HOLDS_NO_TEXT and not (action == "Authorize" and _may_hold_key_code(frame)):
        return frame
    if frame.endswith(_EMPTY) and frame.count(b",") == _COMMAS_OF_EMPTY:
        return frame
    if _HINTS.search(frame.lower()) is None:
        return frame
    members = orjson.loads(frame)
    # Type, message id and, of a CALL, the action stay what they are.
    clean = [*members[:2], *without_secrets(members[2:])]
    return frame if clean == members else orjson.dumps(clean)


def _may_hold_key_code(frame: bytes) -> bool:
    lowered = frame.lower()
    return b"keycode" in lowered or b"\\" in lowered


def names_a_secret(name: str) -> bool:
    """Tell whether the value of a configuration key, variable or member is a secret, by the name of it."""
    return _NAMES.search(name) is not None


def redacted(text: str) -> str:
    """Return a text without secrets."""
    text = _PRIVATE_KEY.sub(REDACTED, text)
    if "/" in text:
        text = _URL_QUERY.sub(rf"\1{REDACTED}", _URL_PASSWORD.sub(rf"\1:{REDACTED}@", text))
    if _NAMES.search(_URL.sub("", text)) is None or _NAME_ALONE.fullmatch(text) is not None:
        return text
    return REDACTED


def without_secrets(value: Any, *, of_secret: bool = False) -> Any:
    """Return a payload, or a part of one, without its secrets; ``of_secret``: it belongs to something that is one."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [without_secrets(item, of_secret=of_secret) for item in value]
    if not isinstance(value, dict):
        return value
    of_secret = of_secret or _is_of_a_secret(value)
    kind = value.get("type")
    is_key_code = isinstance(kind, str) and kind.casefold() == _KEY_CODE
    return {
        name: REDACTED
        if item not in (None, True, False, "")
        and (names_a_secret(name) or (of_secret and name.lower() in _VALUES) or (is_key_code and name == "idToken"))
        else without_secrets(_without_key(item) if name == "vpn" else item, of_secret=of_secret)
        for name, item in value.items()
    }


def holds_a_secret(payload: Any) -> bool:
    """Tell whether there is a secret in a payload."""
    return bool(without_secrets(payload) != payload)


def answer_without_secrets(request: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a command as it may be kept: the result of one over MQTT, the body of one over HTTP.

    What is said of a failure may quote a secret of the request, as "'…' is too long" does: then only its words are kept.
    """
    quotes = "response" not in answer and holds_a_secret(request)
    return {
        name: item
        if name in _WORDS
        else answer_without_secrets(request, item)
        if name == "error"
        else _unsaid(item)
        if quotes
        else without_secrets(item)
        for name, item in answer.items()
    }


def _unsaid(item: Any) -> Any:
    return REDACTED if isinstance(item, str) else {}


def _is_of_a_secret(value: dict[str, Any]) -> bool:
    variable = value.get("variable")
    labels = [value.get(label) for label in _LABELS]
    if isinstance(variable, dict):
        labels.append(variable.get("name"))
    return any(isinstance(label, str) and names_a_secret(label) for label in labels)


def _without_key(vpn: Any) -> Any:
    """The shared secret of a VPN is called by the plain word that names configuration keys elsewhere (2.0.1 VPNType)."""
    return {**vpn, "key": REDACTED} if isinstance(vpn, dict) and "key" in vpn else vpn
