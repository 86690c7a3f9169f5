"""What the operator sets for one charge point."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import UNSET, Struct, UnsetType, structs
from msgspec.structs import replace

from csms.events.business import PasswordChanged
from csms.ledger.cost import Tariff
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.state import ChargePoint, ChargePointState, PasswordHash, Provisioned, Registration


class Provision(Struct, frozen=True, kw_only=True):
    """Changes to a charge point's settings; what is `UNSET` stays, None goes back to the default."""

    registration: Registration | UnsetType = UNSET
    """Takes effect with the next BootNotification."""
    validation: Literal["strict", "tolerant", "off"] | UnsetType | None = UNSET
    allow_no_subprotocol: bool | UnsetType = UNSET
    tariff_id: str | UnsetType | None = UNSET
    meter_factor: Decimal | UnsetType | None = UNSET
    group_name: str | UnsetType | None = UNSET
    security_profile: int | UnsetType | None = UNSET
    certificate_name: str | UnsetType | None = UNSET
    """Takes effect with the next connection."""
    accept_expired_certificate: bool | UnsetType = UNSET
    """Takes effect with the next connection, and until there is a new certificate."""
    password_hash: str | UnsetType | None = UNSET
    """Takes effect with the next connection."""


def provisioned(charge_point: ChargePoint) -> Provisioned:
    """Return the operator's part of a charge point's row."""
    return Provisioned(**{name: getattr(charge_point, name) for name in Provisioned.__struct_fields__})


def provision(
    state: ChargePointState, context: Context, changes: Provision, tariff: Tariff | None
) -> Decision[ChargePoint]:
    """Take the operator's changes; ``tariff`` is the one that they name."""
    given = {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}
    given.pop("password_hash", None)
    charge_point = replace(state.charge_point, **given)
    draft = Draft(
        replace(state, charge_point=charge_point, tariff=tariff if "tariff_id" in given else state.tariff), context
    )
    draft.change(provisioned(charge_point))
    if changes.password_hash is not UNSET:
        draft.change(
            PasswordHash(
                client_id=charge_point.client_id,
                registration=charge_point.registration,
                allow_no_subprotocol=charge_point.allow_no_subprotocol,
                password_hash=changes.password_hash,
            )
        )
        draft.emit(
            "password_changed", PasswordChanged(change="set" if changes.password_hash is not None else "removed")
        )
    return draft.decide(charge_point)


def password_renewed(state: ChargePointState, context: Context) -> Decision[None]:
    """The charge point has come with a new password, which is the only one now."""
    draft = Draft(state, context)
    draft.emit("password_changed", PasswordChanged(change="renewed"))
    return draft.decide(None)


def retariff(state: ChargePointState, tariff_id: str, tariff: Tariff | None) -> Decision[None]:
    """A tariff is another one, or gone."""
    if state.charge_point.tariff_id != tariff_id:
        return Decision(None, state)
    return Decision(None, replace(state, tariff=tariff))
