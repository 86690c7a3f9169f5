"""Values of OCPP 2.x messages that need care before the ledger may see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from csms.handlers.contracts import OcspData
from csms.handlers.request import Request
from csms.handlers.wire import wire_time
from csms.ledger import evses
from csms.ledger.authorization import TagInfo

_NO_AUTHORIZATION = "noauthorization"
_KEY_CODE = "keycode"
_LONGEST_ID_TOKEN_201 = 36
_LONGEST_ID_TOKEN_21 = 255
_LARGEST_WHOLE = 2**63 - 1


class Token(Struct, frozen=True, gc=False):
    """An id token (IdTokenType) as the ledger takes it: its text is the id tag."""

    id_tag: str
    type: str

    @property
    def needs_no_authorization(self) -> bool:
        """Whether nobody was asked who he is (C02): it is Accepted, and is no tag."""
        return self.type.casefold() == _NO_AUTHORIZATION

    @property
    def is_nobody(self) -> bool:
        """Whether it has no text: there is no tag to look for."""
        return not self.id_tag


def token(member: dict[str, Any]) -> Token:
    """Return an id token; ``member`` is the message's, in snake_case."""
    return Token(str(member["id_token"]), str(member["type"]))


def ocsp_data(member: dict[str, Any]) -> OcspData:
    """Return OCSP request data (OCSPRequestDataType)."""
    return OcspData(**{name: str(member[name]) for name in OcspData.__struct_fields__})


def id_token_info(
    info: TagInfo, shown: Token | None = None, now: datetime | None = None, *, is_21: bool = False
) -> dict[str, Any]:
    """Return the idTokenInfo of an answer (OCPP 2.0.1 part 2 §2.26) about the token that was shown.

    A tag with a budget must not stay in the station's cache (C17.FR.01, FR.02): it expires there ``now``. The word for a key
    code that nobody knows is Invalid (C04.FR.01). A parent that is longer than an idToken of the version cannot be told.
    """
    parent, status = info.parent_id_tag, info.status
    if parent is not None and len(parent) > (_LONGEST_ID_TOKEN_21 if is_21 else _LONGEST_ID_TOKEN_201):
        parent = None
    if status == "Unknown" and shown is not None and shown.type.casefold() == _KEY_CODE:
        status = "Invalid"
    until = now if info.budget_left_wh is not None and now is not None else info.expiry_date
    return {
        "status": status,
        "cache_expiry_date_time": wire_time(until) if until is not None else None,
        # C01.FR.20
        "evse_id": list(info.evses) if info.evses is not None else None,
        # C09.FR.13
        "group_id_token": {"id_token": parent, "type": "Central"} if parent is not None else None,
    }


def whole(value: float | None) -> int | None:
    """Return an id or a number that the ledger can keep, None where it is absent or beyond 64 bits."""
    return int(value) if value is not None and abs(value) <= _LARGEST_WHOLE else None


def evse(request: Request, member: dict[str, Any] | None) -> tuple[int | None, int | None]:
    """Return EVSE and connector of a message (EVSEType, as it is on the wire); connector 0 is the whole EVSE.

    A number that no station has is as none, and a deviation: what the message says beside it is not lost.
    """
    if member is None:
        return None, None
    numbers = member["id"], member.get("connectorId") or None
    if not all(number is None or 0 <= number <= evses.LARGEST_ID for number in numbers):
        request.deviations.append(f"evse: {str(numbers)[:40]} is no EVSE and connector")
        return None, None
    return int(numbers[0]), int(numbers[1]) if numbers[1] is not None else None
