"""Values of OCPP 1.6 messages that need care before the ledger may see them."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from ocpp.exceptions import PropertyConstraintViolationError

from csms.handlers.request import Request
from csms.handlers.wire import wire_time
from csms.ledger.authorization import TagInfo, TagStatus
from csms.ledger.state import ChargePointState
from csms.ledger.transactions import UNKNOWN_METER

_LARGEST_METER_WH = 10**13
_LARGEST_TRANSACTION_ID = 2**31 - 1
_LARGEST_CONNECTOR_ID = 2**31 - 1
_MOST_CONNECTORS = 256
_LONGEST_ID_TAG = 20
_STATUSES: dict[TagStatus, str] = {"NoCredit": "Blocked", "NotAtThisLocation": "Invalid", "Unknown": "Invalid"}
"""What comes nearest to words that 1.6 does not have (§7.2)."""


def meter_wh(request: Request, value: float) -> Decimal:
    """Return a meter value exactly, by the meter's factor; one that no meter could show is unknown, as is a negative one."""
    wh = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    factor = request.state.charge_point.meter_factor
    if factor is not None:
        wh *= factor
    return wh if 0 <= wh <= _LARGEST_METER_WH else UNKNOWN_METER


def transaction_id(value: float | None) -> int | None:
    """Return a transaction id, None where none is meant: absent, 0, -1, or beyond 32 bits."""
    if value is None or not 0 < value <= _LARGEST_TRANSACTION_ID or value != int(value):
        return None
    return int(value)


def reservation_id(state: ChargePointState, value: float | None) -> int | None:
    """Return the id of a reservation that the charge point has, whatever the number; of others as with transactions."""
    if value is not None and (value in state.reservations or value in state.lapsed):
        return int(value)
    return transaction_id(value)


def connector_id(value: float) -> int:
    """Return a connector's number; 0 is the station (OCPP 1.6 §4.9).

    :raises PropertyConstraintViolationError: no station has such a connector.
    """
    if not 0 <= value <= _LARGEST_CONNECTOR_ID or value != int(value):
        raise PropertyConstraintViolationError(
            f"connectorId: {str(value)[:30]} is not allowed: 0 to {_LARGEST_CONNECTOR_ID} are"
        )
    return int(value)


def known_connector_id(known: Collection[int], value: float) -> int:
    """Return a connector's number, where it is known or there is room for one more: what is kept of each has a bound.

    :raises PropertyConstraintViolationError: no station has so many.
    """
    number = connector_id(value)
    if number not in known and len(known) >= _MOST_CONNECTORS:
        raise PropertyConstraintViolationError(f"connectorId: more than {_MOST_CONNECTORS} connectors are not allowed")
    return number


def id_tag_info(info: TagInfo) -> dict[str, Any]:
    """Return the idTagInfo of an answer (OCPP 1.6 §7.27); a parent that is longer than an idTag of 1.6 cannot be told."""
    parent = info.parent_id_tag
    return {
        "status": _STATUSES.get(info.status, info.status),
        "expiry_date": wire_time(info.expiry_date) if info.expiry_date is not None else None,
        "parent_id_tag": parent if parent is not None and len(parent) <= _LONGEST_ID_TAG else None,
    }
