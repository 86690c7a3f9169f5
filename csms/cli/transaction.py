"""``csms transaction``: the ledger's transactions."""

from __future__ import annotations

from typing import Any

import click

from csms.cli import completion
from csms.cli.api_client import Api, pass_api
from csms.cli.arguments import When, as_json_option, client_id_option, extent, list_options, print_page
from csms.cli.output import Column, field, moment, print_fields, print_json

_PATH = "transactions"


def _measurands(item: dict[str, Any]) -> str:
    measurands = item.get("measurands")
    if not isinstance(measurands, dict):
        return ""
    found = {name: value for name, value in measurands.items() if isinstance(value, dict)}
    return ", ".join(f"{name} {value.get('value')} {value.get('unit')}" for name, value in found.items())


def _cost(item: dict[str, Any]) -> str:
    return f"{item['cost']} {item.get('currency', '')}" if "cost" in item else ""


_COLUMNS: list[Column] = [
    ("id", field("transactionId")),
    ("charge point", field("clientId")),
    ("connector", field("connectorId")),
    ("id tag", field("idTag")),
    ("status", field("status")),
    ("start", moment("startTime")),
    ("stop", moment("stopTime")),
    ("kWh", field("energyUsed")),
    ("cost", _cost),
    ("quality", field("quality")),
]
_READINGS: list[Column] = [
    ("time", moment("timestamp")),
    ("connector", field("connectorId")),
    ("kWh", field("totalEnergy")),
    ("kW", field("currentPower")),
    ("measurands", _measurands),
]

_transaction_id = click.argument(
    "transaction_id", metavar="TRANSACTIONID", type=click.IntRange(1), shell_complete=completion.transaction_ids
)


@click.group(epilog="Example: csms transaction list --active")
def transaction() -> None:
    """Transactions: those that run, and those that have been."""


@transaction.command(name="list", epilog="Example: csms transaction list --chargepoint CP0001 --since 2d")
@client_id_option
@click.option("--idtag", "id_tag", shell_complete=completion.id_tags, help="Of this id tag only.")
@click.option("--active", is_flag=True, help="Only those that run.")
@click.option("--since", type=When("before"), help="Not older: a time, or a duration as 2d.")
@list_options
@pass_api
def list_(
    api: Api,
    client_id: str | None,
    id_tag: str | None,
    since: str | None,
    limit: int,
    cursor: str | None,
    *,
    active: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """List transactions, newest first."""
    wanted = extent(limit=limit, everything=everything, cursor=cursor)
    page = api.listing(
        _PATH,
        limit=wanted.limit,
        cursor=wanted.cursor,
        clientId=client_id,
        idTag=id_tag,
        active="true" if active else None,
        since=since,
    )
    print_page(page, _COLUMNS, as_json=as_json)


@transaction.command(epilog="Example: csms transaction show 4711")
@_transaction_id
@as_json_option
@pass_api
def show(api: Api, transaction_id: int, *, as_json: bool) -> None:
    """Show the transaction TRANSACTIONID."""
    (print_json if as_json else print_fields)(api.get(_PATH, str(transaction_id)))


@transaction.command(epilog="Example: csms transaction readings 4711 --all --json")
@_transaction_id
@list_options
@pass_api
def readings(api: Api, transaction_id: int, *, limit: int, everything: bool, cursor: str | None, as_json: bool) -> None:
    """List the meter readings of the transaction TRANSACTIONID."""
    wanted = extent(limit=limit, everything=everything, cursor=cursor)
    page = api.listing(_PATH, str(transaction_id), "readings", limit=wanted.limit, cursor=wanted.cursor)
    print_page(page, _READINGS, as_json=as_json)


@transaction.command(epilog="Example: csms transaction close 4711")
@_transaction_id
@as_json_option
@pass_api
def close(api: Api, transaction_id: int, *, as_json: bool) -> None:
    """Close the transaction TRANSACTIONID, which its charge point forgot.

    It ends with what the ledger knows: the last meter reading. Should the charge point report the true end later, a
    correction follows. To stop a transaction that runs, use csms send CLIENTID RemoteStopTransaction.
    """
    (print_json if as_json else print_fields)(api.request("POST", (_PATH, str(transaction_id), "close")))
