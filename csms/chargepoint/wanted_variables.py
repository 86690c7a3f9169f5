"""Configuration on arrival for OCPP 2.x: the variables that the operator named are read and set (B05, B06).

A key names a variable as `csms.ledger.variables` writes it. No more go into one message than the station takes: where it has
not told how many that is, it is asked first, once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from csms.chargepoint.commands import Commands
from csms.chargepoint.outcomes import CommandFailed
from csms.chargepoint.shared import Ledger
from csms.handlers.v2.variables import values_got, values_set
from csms.ledger.configuration import NOT_SUPPORTED, READ_ONLY, UNCHANGED, Outcome, same
from csms.ledger.device_model import Answered, Known
from csms.ledger.reports import ACCEPTED
from csms.ledger.variables import ACTUAL, VariableName, parse
from csms.store.variables import known_variables

_CAREFUL = 1
"""How many a station is asked for at once that does not tell how many it takes."""
_LIMITS = {
    action: VariableName("DeviceDataCtrlr", "ItemsPerMessage", variable_instance=action)
    for action in ("GetVariables", "SetVariables")
}
_UNKNOWN = frozenset({"UnknownComponent", "UnknownVariable"})


class WantedVariables:
    """Reads and sets the variables of one station that has booted."""

    def __init__(self, ledger: Ledger, commands: Commands, client_id: str) -> None:
        self._ledger = ledger
        self._commands = commands
        self._client_id = client_id

    async def configure(self, wanted: Mapping[str, str]) -> dict[str, Outcome]:
        """Set what has another value than the operator wants; return what came of each key."""
        names = {key: name for key in wanted if (name := parse(key)) is not None}
        outcomes = {key: Outcome(NOT_SUPPORTED) for key in wanted if key not in names}
        if not names:
            return outcomes
        limits = await self._limits()
        known = await self._known(names.values())
        to_set: dict[str, Outcome] = {}
        for some in _portions(list(names), limits["GetVariables"]):
            for key, outcome in (await self._get({key: names[key] for key in some}, wanted)).items():
                found = known.values.get((names[key].key, ACTUAL))
                if outcome.status:
                    outcomes[key] = outcome
                elif found is not None and found.mutability == READ_ONLY:
                    outcomes[key] = Outcome(READ_ONLY, outcome.read_value)
                else:
                    to_set[key] = outcome
        for some in _portions(list(to_set), limits["SetVariables"]):
            statuses = await self._set({key: names[key] for key in some}, wanted)
            outcomes.update({key: Outcome(statuses[key], to_set[key].read_value) for key in some})
        return {key: outcomes[key] for key in wanted}

    async def _limits(self) -> dict[str, int]:
        """Return how many variables the station takes in a message (B05.FR.11, B06.FR.05)."""
        limits = self._limits_of(await self._known(_LIMITS.values()))
        if None in limits.values():
            data = [name.wire() for name in _LIMITS.values()]
            with suppress(CommandFailed):  # the careful number is always right
                await self._commands.send(self._client_id, "GetVariables", {"getVariableData": data})
            limits = self._limits_of(await self._known(_LIMITS.values()))
        return {action: limit or _CAREFUL for action, limit in limits.items()}

    def _limits_of(self, known: Known) -> dict[str, int | None]:
        found = {action: known.values.get((name.key, ACTUAL)) for action, name in _LIMITS.items()}
        return {action: _number(item.value) if item is not None else None for action, item in found.items()}

    async def _known(self, names: Any) -> Known:
        known: Known = await self._ledger.read(known_variables, self._client_id, [name.key for name in names])
        return known

    async def _get(self, names: Mapping[str, VariableName], wanted: Mapping[str, str]) -> dict[str, Outcome]:
        """Read variables; a status is there where there is nothing left to do."""
        data = [name.wire() for name in names.values()]
        try:
            response = await self._commands.send(self._client_id, "GetVariables", {"getVariableData": data})
        except CommandFailed as error:
            return dict.fromkeys(names, Outcome(error.status))
        found = _by_key(values_got(response))
        return {key: _judged(found.get(name.key), wanted[key]) for key, name in names.items()}

    async def _set(self, names: Mapping[str, VariableName], wanted: Mapping[str, str]) -> dict[str, str]:
        request = {"setVariableData": [{"attributeValue": wanted[key], **name.wire()} for key, name in names.items()]}
        try:
            response = await self._commands.send(self._client_id, "SetVariables", request)
        except CommandFailed as error:
            return dict.fromkeys(names, error.status)
        found = _by_key(values_set(request, response))
        return {key: found[name.key].status if name.key in found else "" for key, name in names.items()}


def _judged(answer: Answered | None, wanted: str) -> Outcome:
    if answer is None:
        return Outcome("")
    if answer.status in _UNKNOWN:
        return Outcome(answer.status)
    value = answer.value if answer.status == ACCEPTED else None
    return Outcome(UNCHANGED if value is not None and same(value, wanted) else "", value)


def _by_key(answers: Sequence[Answered]) -> dict[str, Answered]:
    return {answer.name.key: answer for answer in answers if answer.attribute == ACTUAL}


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() and 0 < len(text) < 10 and int(text) > 0 else None


def _portions(keys: Sequence[str], at_once: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), at_once):
        yield keys[start : start + at_once]
