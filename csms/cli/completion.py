"""Shell completion from the API: names where it answers quickly, silently nothing otherwise.

Charge points choose their identities. Shells insert what is offered here as it is: only harmless names are.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click

from csms.cli.address import address
from csms.cli.api_client import PAGE, Api
from csms.cli.faults import Fault

_CONNECT_S = 0.3
_READ_S = 0.7
_HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+,/=%-]*")
_COMMANDS = "/api/v1/chargepoints/{clientId}/commands/{action}"
_FAMILIES = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
"""The parts of the `ocpp` package, by the version that a charge point speaks."""

Completion = Callable[[click.Context, click.Parameter, str], list[str]]


def _completes(names: Callable[[Api, click.Context], list[Any]]) -> Completion:
    """Return a completion with the names that a function reads from the API."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        del parameter
        found: list[Any] = []
        # Whatever is wrong: the line that somebody types is no place to say it.
        with contextlib.suppress(Exception), Api(address(context), connect_s=_CONNECT_S, read_s=_READ_S) as api:
            found = names(api, context)
        return sorted({name for name in found if _is_offered(name, incomplete)})

    return complete


def _is_offered(name: Any, incomplete: str) -> bool:
    return isinstance(name, str) and name.startswith(incomplete) and _HARMLESS.fullmatch(name) is not None


def _first(collection: str, member: str) -> Completion:
    return _completes(
        lambda api, _context: [str(item[member]) for item in api.get(collection, limit=PAGE)["items"] if member in item]
    )


def _commands(api: Api, context: click.Context) -> list[Any]:
    """Return the actions that can be sent: to the charge point that is named, where its version is known."""
    offered = list(_enumeration(api.get("openapi.json"), _COMMANDS, "action"))
    with contextlib.suppress(Fault):
        known = _actions_of(api, context)
        return [action for action in offered if action in known]
    return offered


def _actions_of(api: Api, context: click.Context) -> set[str]:
    """Return all actions, in either direction, of the version that the charge point speaks that is named."""
    # Where an option is being completed, what stands before it is not taken for the argument yet.
    client_id = context.params.get("client_id") or next(iter(context.args), None)
    version = api.get("chargepoints", client_id).get("version") if client_id is not None else None
    families = [_FAMILIES[version]] if version in _FAMILIES else _FAMILIES.values()
    # The package takes a while to import: only completion pays for it.
    return {str(action.value) for family in families for action in import_module(f"ocpp.{family}.enums").Action}


def _complete_type(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    del context, parameter
    from csms.events.schemas import EVENTS

    return sorted(name for name in EVENTS if name.startswith(incomplete))


def _enumeration(document: dict[str, Any], path: str, name: str) -> list[Any]:
    """Return the values that the API's description names for a parameter of a path."""
    described = document["paths"][path]
    parameters = [*described.get("parameters", []), *described["post"].get("parameters", [])]
    schema = next(parameter["schema"] for parameter in parameters if parameter.get("name") == name)
    return list(schema.get("enum") or schema["examples"])


client_ids = _first("chargepoints", "clientId")
id_tags = _first("idtags", "idTag")
tariff_ids = _first("tariffs", "tariffId")
transaction_ids = _first("transactions", "transactionId")
reservation_ids = _first("reservations", "reservationId")
token_names = _completes(lambda api, _context: [item["name"] for item in api.get("tokens")["items"]])
groups = _first("chargepoints", "groupName")
commands = _completes(_commands)
actions = _completes(lambda api, context: list(_actions_of(api, context)))
event_types = _complete_type
