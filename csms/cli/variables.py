"""``csms chargepoint variables`` and ``monitors``: the device model of OCPP 2.x, as it was last heard."""

from __future__ import annotations

from typing import Any

import click

from csms.cli.api_client import Api, pass_api
from csms.cli.arguments import client_id_argument, extent, list_options, print_page
from csms.cli.output import Column, field

_PATH = "chargepoints"


def _actual(member: str) -> Any:
    def read(item: dict[str, Any]) -> Any:
        """Return a member of the actual value, or of the one attribute that there is."""
        attributes = item.get("attributes")
        found = [one for one in attributes if isinstance(one, dict)] if isinstance(attributes, list) else []
        actual = next((one for one in found if one.get("type") == "Actual"), found[0] if found else {})
        return actual.get(member, "")

    return read


def _others(item: dict[str, Any]) -> str:
    attributes = item.get("attributes")
    found = [one for one in attributes if isinstance(one, dict)] if isinstance(attributes, list) else []
    return ", ".join(f"{one.get('type')} {one.get('value', '')}" for one in found if one.get("type") != "Actual")


def _unit(item: dict[str, Any]) -> Any:
    traits = item.get("characteristics")
    return traits.get("unit", "") if isinstance(traits, dict) else ""


_VARIABLES: list[Column] = [
    ("variable", field("key")),
    ("value", _actual("value")),
    ("unit", _unit),
    ("mutability", _actual("mutability")),
    ("others", _others),
    ("seen", _actual("seenAt")),
]
_MONITORS: list[Column] = [
    ("id", field("monitorId")),
    ("variable", field("key")),
    ("type", field("type")),
    ("value", field("value")),
    ("severity", field("severity")),
    ("kind", field("notificationType")),
    ("seen", field("seenAt")),
]


@click.command(epilog="Example: csms chargepoint variables CP0001 --component EVSE --evse 1")
@client_id_argument
@click.option("--component", help="Of this component only, as EVSE.")
@click.option("--variable", help="Of this name only, as AvailabilityState.")
@click.option("--evse", "evse_id", type=click.IntRange(1), help="Of this EVSE only.")
@list_options
@pass_api
def variables(
    api: Api,
    client_id: str,
    component: str | None,
    variable: str | None,
    evse_id: int | None,
    limit: int,
    cursor: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """List the variables of the charge point CLIENTID, which speaks OCPP 2.x, as they were last heard.

    To ask for all of them now, use csms send CLIENTID GetBaseReport '{"requestId": 1, "reportBase": "FullInventory"}'.
    """
    wanted = extent(limit=limit, everything=everything, cursor=cursor)
    page = api.listing(
        _PATH,
        client_id,
        "variables",
        limit=wanted.limit,
        cursor=wanted.cursor,
        component=component,
        variable=variable,
        evseId=str(evse_id) if evse_id is not None else None,
    )
    print_page(page, _VARIABLES, as_json=as_json)


@click.command(epilog="Example: csms chargepoint monitors CP0001 --evse 1")
@client_id_argument
@click.option("--evse", "evse_id", type=click.IntRange(1), help="Of this EVSE only.")
@list_options
@pass_api
def monitors(
    api: Api,
    client_id: str,
    evse_id: int | None,
    limit: int,
    cursor: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """List the monitors of the charge point CLIENTID, which speaks OCPP 2.x, as they were last heard.

    To ask for all of them now, use csms send CLIENTID GetMonitoringReport '{"requestId": 1}'.
    """
    wanted = extent(limit=limit, everything=everything, cursor=cursor)
    page = api.listing(
        _PATH,
        client_id,
        "monitors",
        limit=wanted.limit,
        cursor=wanted.cursor,
        evseId=str(evse_id) if evse_id is not None else None,
    )
    print_page(page, _MONITORS, as_json=as_json)
