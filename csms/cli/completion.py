"""Shell completion from the API: names where it answers quickly, silently nothing otherwise.

Charge points choose their identities. Shells insert what is offered here as it is: only harmless names are.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import click

from csms.cli.address import address
from csms.cli.api_client import PAGE, Api

_CONNECT_S = 0.3
_READ_S = 0.7
_HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+,/=%-]*")
_COMMANDS = "/api/v1/chargepoints/{clientId}/commands/{action}"

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


def _actions(api: Api, context: click.Context) -> list[Any]:
    del context
    return list(_enumeration(api.get("openapi.json"), _COMMANDS, "action"))


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
actions = _completes(_actions)
