"""The device model: variables as charge points report, give and take them (OCPP 2.x B05 to B08). Secrets are never kept.

What can be set and has another value than was known is told as `configuration_changed`, as the keys of OCPP 1.6 are; what
can only be read is a measurement or a state, and its change is none of a configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct

from csms.events.business import ConfigurationChanged
from csms.ledger import reports
from csms.ledger.configuration import TAKEN, same
from csms.ledger.decision import Context, Decision, Draft
from csms.ledger.model import Characteristics, Report, Variable, VariableValue
from csms.ledger.reports import Part
from csms.ledger.state import ChargePointState
from csms.ledger.variables import ACTUAL, Attribute, VariableName, kept_value

MOST_VARIABLES = 10_000
"""Attributes of variables of one charge point: further ones are not kept."""
_READ_ONLY = "ReadOnly"


class KnownValue(Struct, frozen=True, gc=False):
    """What the ledger knows of an attribute."""

    value: str | None
    mutability: str | None = None
    characteristics: Characteristics | None = None


class Known(Struct, frozen=True):
    """What the ledger knows of the attributes that matter, by the variable's key and the attribute's type."""

    values: Mapping[tuple[str, str], KnownValue] = {}
    count: int = 0
    """How many attributes of the charge point it knows, of whatever variables."""


class Reported(Struct, frozen=True, gc=False):
    """An attribute of a variable in a report."""

    name: VariableName
    attribute: Attribute
    value: str | None
    mutability: str | None = None
    persistent: bool | None = None
    constant: bool | None = None
    characteristics: Characteristics | None = None


class Answered(Struct, frozen=True, gc=False):
    """What a charge point answered of one attribute: its value, or the value that it was told to take."""

    name: VariableName
    attribute: Attribute
    status: str
    value: str | None


def report(
    state: ChargePointState,
    context: Context,
    *,
    part: Part,
    variables: Sequence[Reported],
    before: Report | None,
    known: Known,
) -> Decision[None]:
    """Take a NotifyReport (B07, B08)."""
    client_id = state.charge_point.client_id
    after = reports.with_part(before, part, client_id, context.now)
    if after is None:
        return Decision(None, state)
    draft = Draft(state, context)
    room = Room(known)
    for item in variables:
        earlier = room.take(item.name, item.attribute)
        if earlier is None:
            continue
        value = kept_value(item.name, item.value, item.mutability)
        draft.change(
            Variable(
                **_row(client_id, item.name, item.attribute, value, context),
                mutability=item.mutability,
                persistent=item.persistent,
                constant=item.constant,
                characteristics=item.characteristics or earlier.characteristics,
            )
        )
        if room.is_known(item.name, item.attribute) and item.mutability != _READ_ONLY:
            _tell_if_changed(draft, item.name, item.attribute, value, earlier.value)
    reports.keep(draft, reports.close_if_complete(draft, after, context.now))
    return draft.decide(None)


def got(state: ChargePointState, context: Context, *, answers: Sequence[Answered], known: Known) -> Decision[None]:
    """Take a charge point's answer to GetVariables (B06)."""
    draft, room = Draft(state, context), Room(known)
    for answer in answers:
        if answer.status != reports.ACCEPTED:
            continue
        earlier = room.take(answer.name, answer.attribute)
        if earlier is None:
            continue
        value = kept_value(answer.name, answer.value, earlier.mutability)
        draft.change(value_row(state, context, answer.name, value, answer.attribute))
        if room.is_known(answer.name, answer.attribute) and earlier.mutability != _READ_ONLY:
            _tell_if_changed(draft, answer.name, answer.attribute, value, earlier.value)
    return draft.decide(None)


def changed(state: ChargePointState, context: Context, *, answers: Sequence[Answered], known: Known) -> Decision[None]:
    """Take a charge point's answer to SetVariables (B05): what was taken is the value that is known now."""
    draft, room = Draft(state, context), Room(known)
    for answer in answers:
        if answer.status not in TAKEN:
            continue
        earlier = room.take(answer.name, answer.attribute)
        if earlier is None:
            continue
        value = kept_value(answer.name, answer.value, earlier.mutability)
        is_new = not room.is_known(answer.name, answer.attribute)
        if is_new or value != earlier.value:
            draft.change(value_row(state, context, answer.name, value, answer.attribute))
        if is_new or value != earlier.value or value is None:
            _tell(draft, answer.name, answer.attribute, value, earlier.value, answer.status)
    return draft.decide(None)


class Room:
    """Whether there is room for attributes that are not known yet."""

    def __init__(self, known: Known) -> None:
        self._values = known.values
        self._left = MOST_VARIABLES - known.count
        self._new: set[tuple[str, str]] = set()

    def is_known(self, name: VariableName, attribute: str) -> bool:
        """Tell whether the ledger knew an attribute before."""
        return (name.key, attribute) in self._values

    def take(self, name: VariableName, attribute: str) -> KnownValue | None:
        """Return what is known of an attribute that will be written, None where there is no room for it."""
        key = (name.key, attribute)
        found = self._values.get(key)
        if found is not None:
            return found
        if key not in self._new:
            if len(self._new) >= self._left:
                return None
            self._new.add(key)
        return KnownValue(None)


def value_row(
    state: ChargePointState, context: Context, name: VariableName, value: str | None, attribute: Attribute = ACTUAL
) -> VariableValue:
    """Return the row of a value that came alone."""
    return VariableValue(**_row(state.charge_point.client_id, name, attribute, value, context))


def _row(client_id: str, name: VariableName, attribute: str, value: str | None, context: Context) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "variable_key": name.key,
        "attribute": attribute,
        "value": value,
        "seen_at": context.now,
        **name.parts(),
    }


def _tell_if_changed(draft: Draft, name: VariableName, attribute: str, value: str | None, before: str | None) -> None:
    if not same(value, before):
        _tell(draft, name, attribute, value, before)


def _tell(
    draft: Draft, name: VariableName, attribute: str, value: str | None, before: str | None, status: str | None = None
) -> None:
    draft.emit(
        "configuration_changed",
        ConfigurationChanged(
            value=value if value is not None else UNSET,
            previous_value=before if before is not None else UNSET,
            status=status or UNSET,
            attribute=attribute if attribute != ACTUAL else UNSET,
            **name.told(),
        ),
    )
