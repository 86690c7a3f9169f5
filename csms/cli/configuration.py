"""``csms chargepoint configuration``: what a charge point has, and what the operator wants it to have."""

from __future__ import annotations

from typing import Any

import click

from csms.cli import completion
from csms.cli.api_client import Api, pass_api
from csms.cli.arguments import as_json_option, print_page
from csms.cli.faults import Fault, Status
from csms.cli.output import Column, columns, field, moment, print_fields, print_json, print_rows

_RESULTS: list[Column] = [
    ("key", field("key")),
    ("wanted", field("value")),
    ("by", lambda item: f"group {item['group']}" if "group" in item else item.get("source")),
    ("status", field("status")),
    ("value before", field("readValue")),
    ("at", moment("at")),
]


@click.command(
    epilog="Example: csms chargepoint configuration CP0001 --want HeartbeatInterval=300; "
    "csms chargepoint configuration --group depot --wanted"
)
@click.argument("client_id", metavar="[CLIENTID]", required=False, shell_complete=completion.client_ids)
@click.option(
    "--group", shell_complete=completion.groups, help="A group instead of a charge point; it has wanted values only."
)
@click.option(
    "--wanted",
    is_flag=True,
    help="Show the wanted values, and what came of them when it booted, instead of those that it has.",
)
@click.option("--want", "wants", metavar="KEY=VALUE", multiple=True, help="Want a value. May be repeated.")
@click.option("--unwant", "unwants", metavar="KEY", multiple=True, help="Want it no more. May be repeated.")
@click.option("--unwant-all", is_flag=True, help="Want nothing any more.")
@as_json_option
@pass_api
def configuration(
    api: Api,
    client_id: str | None,
    group: str | None,
    wants: tuple[str, ...],
    unwants: tuple[str, ...],
    *,
    wanted: bool,
    unwant_all: bool,
    as_json: bool,
) -> None:
    """Show the configuration of the charge point CLIENTID as it was last heard, or what is wanted of it.

    Wanted values are read and set when the charge point has booted, and only those; a charge point's own go before its
    group's. With --wanted it is shown what came of each at the last boot; without a status it waits for the next. To ask for its configuration now, use csms send CLIENTID GetConfiguration.
    """
    path = _whose(client_id, group)
    changes = dict(_pair(want) for want in wants)
    if unwant_all:
        if changes or unwants:
            raise Fault("--unwant-all: with --want and --unwant it makes no sense", Status.USAGE)
        api.delete(*path)
        return
    if changes or unwants:
        before = api.get(*path)
        after = {**{key: value for key, value in before.items() if key not in unwants}, **changes}
        if after:
            api.put(*path, body=after)
        else:
            api.delete(*path)
        _show(after, as_json=as_json)
    elif client_id is None:
        _show(api.get(*path), as_json=as_json)
    elif wanted:
        results = api.get(*path, results="true")
        if as_json:
            print_json(results)
        else:
            print_rows(_RESULTS, [{"key": key, **_members(item)} for key, item in results.items()])
    else:
        page = api.listing("chargepoints", client_id, "configuration", limit=None)
        print_page(page, [*columns("key", "value", "readonly"), ("seenAt", moment("seenAt"))], as_json=as_json)


def _members(item: Any) -> dict[str, Any]:
    return item if isinstance(item, dict) else {}


def _show(values: dict[str, Any], *, as_json: bool) -> None:
    (print_json if as_json else print_fields)(values)


def _whose(client_id: str | None, group: str | None) -> tuple[str, ...]:
    if (client_id is None) == (group is None):
        raise Fault("name a charge point, or a group by --group", Status.USAGE)
    return (
        ("groups", group, "configuration", "wanted")
        if group
        else ("chargepoints", client_id or "", "configuration", "wanted")
    )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise Fault(f"--want: {text!r} is not KEY=VALUE", Status.USAGE)
    return key, value
