"""The rules of the WebSocket handshake, without I/O: who is it, and which version will be spoken (OCPP-J 1.6 §3)."""

from __future__ import annotations

import ipaddress
import unicodedata
from urllib.parse import unquote_to_bytes

from attrs import frozen

from csms.ocppj import versions
from csms.ocppj.versions import V16, Version

MAX_IDENTITY = 48
"""Characters (OCPP 1.6 security whitepaper; identifierString of 2.x)."""
_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})


@frozen
class Refusal(Exception):
    """A handshake that is refused: the HTTP status and the reason, for the body of the answer.

    Status 0 is that TLS has refused it. ``why`` is the word for it in an event, None where there is none; ``is_known`` whether the ledger knows the charge point.
    The body says nothing that depends on that: whoever has proved nothing must not learn which charge points there are.
    """

    status: int
    reason: str
    why: str | None = None
    is_known: bool = False
    retry_after_s: int | None = None


def identity(target: str, prefix: str) -> str:
    """Return the identity in a request target: split the raw path first, then percent-decode once; ``+`` stays ``+``.

    :raises Refusal: 404 without the prefix or an identity, 400 where it is no identity.
    """
    path = target.partition("?")[0]
    raw = path.removeprefix(prefix)
    if raw == path or not raw or "/" in raw:
        raise Refusal(404, f"charge points connect to {prefix}<identity>")
    if not raw.isascii():
        raise Refusal(400, "the identity is not percent-encoded")
    try:
        text = unquote_to_bytes(raw).decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal(400, "the identity is not UTF-8") from None
    if len(text) > MAX_IDENTITY:
        raise Refusal(400, f"the identity has {len(text)} characters: at most {MAX_IDENTITY} are allowed")
    if not is_identity(text):
        raise Refusal(400, "the identity holds a colon or a control character")
    return text


def is_identity(text: str) -> bool:
    """Tell whether a text can be the identity of a charge point."""
    return (
        0 < len(text) <= MAX_IDENTITY
        and ":" not in text
        and not any(unicodedata.category(character) in _REFUSED_CATEGORIES for character in text)
    )


def offered_subprotocols(header: str | None) -> list[str] | None:
    """Return the subprotocols of a ``Sec-WebSocket-Protocol`` header, None without one; empty entries and repeats go."""
    if header is None:
        return None
    return list(dict.fromkeys(entry for entry in (part.strip() for part in header.split(",")) if entry))


def choose_version(offered: list[str], *, allow_none: bool) -> Version | None:
    """Return the version to speak; None where none in common was offered (OCPP-J: 101 without the header, then close).

    :raises Refusal: 400, nothing was offered; an operator may allow that for a charge point, which then speaks 1.6.
    """
    if not offered:
        if allow_none:
            return V16
        known = ", ".join(version.subprotocol for version in versions.SUPPORTED)
        raise Refusal(400, f"no WebSocket subprotocol was offered: Sec-WebSocket-Protocol must name one of {known}")
    return versions.choose(offered)


def is_private(address: str) -> bool:
    """Tell whether an address is loopback, link-local or of a private network."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return True  # a UNIX socket or a pipe: whoever can reach it is here
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return ip.is_private or ip.is_loopback or ip.is_link_local
