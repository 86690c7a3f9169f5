"""``quirks`` among a charge point's settings: the deviations that the operator allows it, as one group.

The same settings are there by themselves, too: `allowNoSubprotocol` and `meterFactor`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from csms.api.numbers import exact
from csms.api.problems import unprocessable
from csms.api.routes import Asked, Shown
from csms.ledger.state import ChargePoint

_MOST_FACTOR = 1_000_000
Factor = Annotated[float, Meta(gt=0, le=_MOST_FACTOR)]
_FactorText = Annotated[
    str,
    Meta(pattern=r"^[0-9]{1,7}(\.[0-9]{1,6})?$", max_length=14, examples=["0.1"]),
]
_NAMES = {"allow_no_subprotocol": "allowNoSubprotocol", "meter_factor": "meterFactor"}


class AskedQuirks(Asked, frozen=True):
    """Deviations that are allowed. What is left out stays as it is; a factor of null is 1."""

    allow_no_subprotocol: bool | UnsetType = UNSET
    meter_factor: _FactorText | Factor | UnsetType | None = UNSET


class ShownQuirks(Shown, frozen=True):
    """Deviations that are allowed; `meterFactor` is an exact decimal as a text."""

    allow_no_subprotocol: bool
    meter_factor: str | UnsetType = UNSET


def with_quirks(changes: dict[str, Any]) -> dict[str, Any]:
    """Return the changes of a charge point's settings with those of their ``quirks`` among them.

    :raises Problem: 422, one is there twice with different values, or a factor is out of its range.
    """
    changes = dict(changes)
    quirks: AskedQuirks | UnsetType | None = changes.pop("quirks")
    if quirks is UNSET:
        return changes
    for name, value in _settings(quirks).items():
        if changes[name] is not UNSET and changes[name] != value:
            raise unprocessable(f"quirks.{_NAMES[name]}", f"is another value than {_NAMES[name]}")
        changes[name] = value
    return changes


def _settings(quirks: AskedQuirks | None) -> dict[str, Any]:
    if quirks is None:
        return {"allow_no_subprotocol": False, "meter_factor": None}
    factor: Any = quirks.meter_factor
    if isinstance(factor, str):
        factor = Decimal(factor)
        if not 0 < factor <= _MOST_FACTOR:
            raise unprocessable("quirks.meterFactor", f"allowed is a number above 0 and up to {_MOST_FACTOR}")
    elif isinstance(factor, float | int):
        factor = exact("quirks.meterFactor", factor)
    given = {"allow_no_subprotocol": quirks.allow_no_subprotocol, "meter_factor": factor}
    return {name: value for name, value in given.items() if value is not UNSET}


def shown_quirks(point: ChargePoint) -> ShownQuirks:
    """Return a charge point's group as it is answered."""
    factor = point.meter_factor
    return ShownQuirks(
        allow_no_subprotocol=point.allow_no_subprotocol,
        meter_factor=f"{factor.normalize():f}" if factor is not None else UNSET,
    )
