"""A tariff of the ledger as OCPP 2.1 has tariffs (TariffType, I07 and I08).

Prices are those of the ledger, and no tax is named: OCPP takes prices without a tax rate as final. There are no conditions,
and no time from which it is valid (I08.FR.09). Our price of time is for the whole session: in OCPP it is the one of charging and of
idling both.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
from ocpp.charge_point import snake_to_camel_case

from csms.ledger.cost import Tariff
from csms.ledger.numbers import number

_LONGEST_ID = 60
_DIGEST = 12
DEFAULT_ID = "default"
"""What the tariff of the settings is called."""


def tariff_type(name: str, tariff: Tariff) -> dict[str, Any]:
    """Return the TariffType of a tariff record, with the names of members in snake_case.

    Its tariffId tells contents apart (I08.FR.08): another price is another id.
    """
    content: dict[str, Any] = {"currency": tariff.currency}
    if tariff.energy_rate or tariff.pricing_model == "free":
        content["energy"] = _prices("price_kwh", tariff.energy_rate)
    if tariff.time_rate:
        content["charging_time"] = content["idle_time"] = _prices("price_minute", tariff.time_rate)
    if tariff.session_fee:
        content["fixed_fee"] = _prices("price_fixed", tariff.session_fee)
    return {"tariff_id": _id(name, content), **content}


def on_wire(described: dict[str, Any]) -> dict[str, Any]:
    """Return a TariffType with the names of the wire, for a command."""
    converted: dict[str, Any] = snake_to_camel_case(described)
    return converted


def _prices(member: str, rate: Decimal) -> dict[str, Any]:
    return {"prices": [{member: number(rate)}]}


def _id(name: str, content: dict[str, Any]) -> str:
    digest = sha256(msgspec.json.encode([name, content])).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST_ID - _DIGEST - 1]}-{digest}"
