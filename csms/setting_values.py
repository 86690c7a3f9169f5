"""The kinds of values that settings have: what is allowed, and what a text of a file or of the environment means."""

from __future__ import annotations

import ipaddress
import re
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field

from csms.responder_urls import PlainUrl

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.strip())
        if found is None:
            raise ValueError("allowed are seconds, or a number with s, m, h or d")
        return float(found[1]) * _SECONDS[found[2]]
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _endpoint(value: str) -> str:
    if not value.startswith(("tcp:", "tcp6:", "unix:", "systemd:")):
        raise ValueError("allowed are Twisted server endpoint strings: tcp:, tcp6:, unix:, systemd:")
    return value


def _path_prefix(value: str) -> str:
    if not (value.startswith("/") and value.endswith("/")):
        raise ValueError("allowed is a path that begins and ends with /")
    return value


def _webhook_url(value: str) -> str:
    # A URL's own parser raises ValueError for a bad port or bracket.
    parts = urlsplit(value)
    is_plain = value.isascii() and value.isprintable() and " " not in value and not parts.fragment and parts.port != 0
    if not (is_plain and parts.hostname and "@" not in parts.netloc):
        raise ValueError("allowed is an https:// URL, without a name or password in it")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback_host(parts.hostname)):
        raise ValueError("allowed is an https:// URL, and http:// to loopback only")
    return value


def _responder(value: str) -> str:
    PlainUrl.of(value)
    return value


def is_loopback_host(host: str) -> bool:
    """Tell whether a host, by name or address, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _identity(value: str) -> str:
    if not value or len(value) > 128 or any(ord(character) < 33 or character in "+#/" for character in value):
        raise ValueError("allowed are 1 to 128 characters without spaces, +, # and /")
    return value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0)]
SecondsOrNone = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
Endpoints = Annotated[list[Endpoint], BeforeValidator(_listed), Field(min_length=1)]
Paths = Annotated[list[str], BeforeValidator(_listed)]
Port = Annotated[int, Field(ge=1, le=65535)]
Rate = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=6)]
PathPrefix = Annotated[str, AfterValidator(_path_prefix)]
Responders = Annotated[list[Annotated[str, AfterValidator(_responder)]], BeforeValidator(_listed)]
WebhookUrl = Annotated[str, AfterValidator(_webhook_url)]
Identity = Annotated[str, AfterValidator(_identity)]
