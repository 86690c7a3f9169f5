"""``csms idtag``: the id tags that the operator entered."""

from __future__ import annotations

import sys
from typing import Any

import click

from csms.cli import completion
from csms.cli.api_client import Api, pass_api
from csms.cli.arguments import Clearable, Number, When, as_json_option, extent, list_options, print_page
from csms.cli.faults import Fault, Status
from csms.cli.output import Column, as_text, field, moment, print_fields, print_json, print_line, print_rows, visible

_PATH = "idtags"
_COLUMNS: list[Column] = [
    ("id tag", field("idTag")),
    ("status", field("status")),
    ("expires", moment("expiryDate")),
    ("parent", field("parentIdTag")),
    ("type", field("type")),
    ("charge points", lambda item: ", ".join(map(str, item.get("chargePoints") or ()))),
    ("transactions", field("maxTransactions")),
    ("kWh", field("budgetKwh")),
    ("period", field("budgetPeriod")),
    ("EVSEs", lambda item: ", ".join(map(str, item.get("evses") or ()))),
]
_MEMBERS = (
    "status",
    "expiryDate",
    "parentIdTag",
    "type",
    "chargePoints",
    "maxTransactions",
    "budgetKwh",
    "budgetPeriod",
    "evses",
)
_BOM = b"\xef\xbb\xbf"

_id_tag = click.argument("id_tag", metavar="IDTAG", shell_complete=completion.id_tags)


@click.group(epilog="Example: csms idtag put TAG1 --status Accepted --expiry-date 2030-12-31T00:00:00Z")
def idtag() -> None:
    """Id tags: who may charge, where, and how much."""


@idtag.command(name="list", epilog="Example: csms idtag list --all --json")
@list_options
@pass_api
def list_(api: Api, *, limit: int, everything: bool, cursor: str | None, as_json: bool) -> None:
    """List id tags."""
    wanted = extent(limit=limit, everything=everything, cursor=cursor)
    print_page(api.listing(_PATH, limit=wanted.limit, cursor=wanted.cursor), _COLUMNS, as_json=as_json)


@idtag.command(epilog="Example: csms idtag show TAG1")
@_id_tag
@as_json_option
@pass_api
def show(api: Api, id_tag: str, *, as_json: bool) -> None:
    """Show the id tag IDTAG."""
    (print_json if as_json else print_fields)(api.get(_PATH, id_tag))


@idtag.command(epilog="Example: csms idtag put TAG1 --status Blocked")
@_id_tag
@click.option("--status", type=click.Choice(["Accepted", "Blocked"]), help="Of a new one: Accepted.")
@click.option(
    "--expiry-date", type=Clearable(When("after")), help="Until when it counts: a time, or a duration as 30d."
)
@click.option("--parent", help="Its parentIdTag: tags of one parent may stop each other's transactions.")
@click.option("--type", "kind", help="What kind of token it is, for instance RFID.")
@click.option(
    "--chargepoint",
    "client_ids",
    metavar="CLIENTID",
    multiple=True,
    shell_complete=completion.client_ids,
    help="The charge points that it may use, instead of all. May be repeated.",
)
@click.option(
    "--max-transactions", type=Clearable(click.IntRange(1)), help="How many transactions it may have at once."
)
@click.option("--budget-kwh", type=Clearable(Number()), help="How much energy it may take in a period.")
@click.option(
    "--budget-period", type=Clearable(click.Choice(["day", "week", "month"])), help="The period of its budget."
)
@click.option(
    "--evse",
    "evses",
    type=Clearable(click.IntRange(1)),
    multiple=True,
    help="The EVSEs that it may use, instead of all. May be repeated.",
)
@as_json_option
@pass_api
def put(
    api: Api,
    id_tag: str,
    status: str | None,
    expiry_date: str | None,
    parent: str | None,
    kind: str | None,
    client_ids: tuple[str, ...],
    max_transactions: int | str | None,
    budget_kwh: float | str | None,
    budget_period: str | None,
    evses: tuple[int | str, ...],
    *,
    as_json: bool,
) -> None:
    """Create the id tag IDTAG, or change it.

    What no option names stays as it is; an empty text ('') takes a value away.
    """
    options: dict[str, Any] = {
        "status": status,
        "expiryDate": expiry_date,
        "parentIdTag": parent,
        "type": kind,
        "chargePoints": [client_id for client_id in client_ids if client_id] if client_ids else None,
        "maxTransactions": max_transactions,
        "budgetKwh": budget_kwh,
        "budgetPeriod": budget_period,
        "evses": [evse for evse in evses if evse != ""] if evses else None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    body = {"status": "Accepted", **_known(api, id_tag), **given}
    body = {name: value for name, value in body.items() if value not in ("", [], None)}
    (print_json if as_json else print_fields)(api.put(_PATH, id_tag, body=body))


def _known(api: Api, id_tag: str) -> dict[str, Any]:
    """Return what is known of a tag, without what is not the operator's to write."""
    try:
        tag = api.get(_PATH, id_tag)
    except Fault as fault:
        if fault.status == Status.NOT_FOUND:
            return {}
        raise
    return {name: tag[name] for name in _MEMBERS if name in tag}


@idtag.command(epilog="Example: csms idtag delete TAG1")
@_id_tag
@pass_api
def delete(api: Api, id_tag: str) -> None:
    """Delete the id tag IDTAG: it is unknown then, and ocpp.unknown_tags says what that means."""
    api.delete(_PATH, id_tag)
    print_line(f"{as_text(id_tag)} is deleted")


@idtag.command(name="import", epilog="Example: csms idtag import tags.csv (or - for standard input)")
@click.argument("file", type=click.File("rb"))
@as_json_option
@pass_api
def import_(api: Api, file: Any, *, as_json: bool) -> None:
    """Enter the id tags of the CSV file FILE; those that are known already are replaced.

    Bad lines are reported with their numbers and left out, the others count. The status is 7 if there was a bad line.
    The columns are those of csms idtag export.
    """
    try:
        content = file.read().removeprefix(_BOM)
    except OSError as error:
        raise Fault(f"{file.name} cannot be read: {error.strerror}") from None
    report = api.request("POST", (_PATH, "import"), content=content, headers={"Content-Type": "text/csv"})
    bad = [line for line in report.get("bad") or () if isinstance(line, dict)]
    if as_json:
        print_json(report)
    else:
        print_line(f"{report.get('imported', 0)} id tags imported, {len(bad)} bad lines")
        if bad:
            print_rows([("line", field("line")), ("reason", field("reason"))], bad)
    if bad:
        raise SystemExit(Status.REFUSED)


@idtag.command(epilog="Example: csms idtag export > tags.csv")
@pass_api
def export(api: Api) -> None:
    """Print all id tags as CSV."""
    content = api.text(_PATH, "export", accept="text/csv")
    if sys.stdout.isatty():
        for line in content.decode("utf-8", "replace").splitlines():
            print_line(visible(line))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
