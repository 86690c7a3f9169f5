"""Configuration keys of OCPP 1.6, Core profile: what the answers of charge points mean (§5.3, §5.8)."""

from __future__ import annotations

from typing import Any

from ocpp.v16.enums import Action

from csms.handlers.command_set import Learner, Payload
from csms.ledger import configuration
from csms.ledger.configuration import Observed
from csms.ledger.decision import Context, Decision
from csms.ledger.state import ChargePointState, ConfigurationKey
from csms.store.configuration import known_configuration

Known = dict[str, ConfigurationKey]


def change_configuration(
    state: ChargePointState, context: Context, request: Payload, response: Payload, known: Known
) -> Decision[None]:
    """Learn from the answer to ChangeConfiguration (§5.3)."""
    key = request["key"]
    return configuration.change(
        state,
        context,
        key=key,
        value=request["value"],
        answer=str(response.get("status", "")),
        known=known.get(key.casefold()),
    )


def get_configuration(
    state: ChargePointState, context: Context, _request: Payload, response: Payload, known: Known
) -> Decision[None]:
    """Learn from the answer to GetConfiguration (§5.8)."""
    return configuration.observe(state, context, observed=observed(response), known=known)


def observed(response: Payload) -> list[Observed]:
    """Return the keys that a GetConfiguration.conf tells of, leaving out what is none."""
    members = response.get("configurationKey")
    return [found for member in members if (found := _observed(member))] if isinstance(members, list) else []


def _observed(member: Any) -> Observed | None:
    if not isinstance(member, dict) or not isinstance(member.get("key"), str) or not member["key"]:
        return None
    value = member.get("value")
    return Observed(member["key"], None if value is None else str(value), bool(member.get("readonly")))


LEARNERS: dict[str, Learner] = {
    Action.change_configuration.value: Learner(change_configuration, known_configuration),
    Action.get_configuration.value: Learner(get_configuration, known_configuration),
}
