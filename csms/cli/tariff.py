"""``csms tariff``: what energy and time cost."""

from __future__ import annotations

import json
from typing import Any

import click

from csms.cli import completion
from csms.cli.api_client import Api, pass_api
from csms.cli.arguments import Number, as_json_option, client_id_argument, extent, list_options, print_page
from csms.cli.faults import Fault, Status
from csms.cli.output import Column, as_text, field, print_fields, print_json, print_line
from csms.cli.output import as_json as printed

_PATH = "tariffs"
_READ_S = 70.0
"""Its turn may take as long to come as its answer: 30 s."""
_COLUMNS: list[Column] = [
    ("tariff", field("tariffId")),
    ("currency", field("currency")),
    ("per kWh", field("energyRate")),
    ("per minute", field("timeRate")),
    ("per session", field("sessionFee")),
]

_tariff_id = click.argument("tariff_id", metavar="TARIFFID", shell_complete=completion.tariff_ids)


@click.group(epilog="Example: csms tariff put night --currency EUR --energy-rate 0.29")
def tariff() -> None:
    """Tariffs: what energy and time cost.

    A charge point gets one by csms chargepoint put CLIENTID --tariff TARIFFID.
    """


@tariff.command(name="list", epilog="Example: csms tariff list")
@list_options
@pass_api
def list_(api: Api, *, limit: int, everything: bool, cursor: str | None, as_json: bool) -> None:
    """List tariffs."""
    wanted = extent(limit=limit, everything=everything, cursor=cursor)
    print_page(api.listing(_PATH, limit=wanted.limit, cursor=wanted.cursor), _COLUMNS, as_json=as_json)


@tariff.command(epilog="Example: csms tariff show night")
@_tariff_id
@as_json_option
@pass_api
def show(api: Api, tariff_id: str, *, as_json: bool) -> None:
    """Show the tariff TARIFFID."""
    (print_json if as_json else print_fields)(api.get(_PATH, tariff_id))


@tariff.command(epilog="Example: csms tariff put night --currency EUR --energy-rate 0.29 --session-fee 0.5")
@_tariff_id
@click.option("--currency", help="Three letters, as EUR. A new tariff needs it.")
@click.option("--energy-rate", type=Number(), help="For each kWh.")
@click.option("--time-rate", type=Number(), help="For each minute.")
@click.option("--session-fee", type=Number(), help="For each session.")
@as_json_option
@pass_api
def put(
    api: Api,
    tariff_id: str,
    currency: str | None,
    energy_rate: float | None,
    time_rate: float | None,
    session_fee: float | None,
    *,
    as_json: bool,
) -> None:
    """Create the tariff TARIFFID, or change it.

    What no option names stays as it is, and is 0 in a new one. Sessions that are over keep what they cost.
    """
    options: dict[str, Any] = {
        "currency": currency,
        "energyRate": energy_rate,
        "timeRate": time_rate,
        "sessionFee": session_fee,
    }
    body = _known(api, tariff_id, list(options))
    body.update({name: value for name, value in options.items() if value is not None})
    if "currency" not in body:
        raise Fault("--currency: a new tariff needs one", Status.USAGE)
    (print_json if as_json else print_fields)(api.put(_PATH, tariff_id, body=body))


@tariff.command(epilog="Example: csms tariff send night CP0001 --evse 1")
@_tariff_id
@client_id_argument
@click.option("--evse", type=click.IntRange(0), help="The EVSE whose default tariff it becomes, instead of all.")
@click.option(
    "--transaction",
    type=click.IntRange(1),
    help="The running transaction whose tariff it becomes, by its transactionId.",
)
@as_json_option
@pass_api
def send(api: Api, tariff_id: str, client_id: str, evse: int | None, transaction: int | None, *, as_json: bool) -> None:
    """Send the tariff TARIFFID to the charge point CLIENTID, which has to speak OCPP 2.1, and print its response.

    It becomes the default tariff of the charge point, of one EVSE, or the tariff of a running transaction.
    """
    if evse is not None and transaction is not None:
        raise Fault("--evse, --transaction: one of them is allowed", Status.USAGE)
    body: dict[str, Any] = {"tariffId": tariff_id, "evseId": evse, "transactionId": transaction}
    answer: Any = api.request(
        "POST",
        ("chargepoints", client_id, "tariffs"),
        content=json.dumps({name: value for name, value in body.items() if value is not None}).encode(),
        read_s=_READ_S,
    )
    if as_json:
        print_json(answer)
    else:
        print_line(printed(answer.get("response"), indent=2))


def _known(api: Api, tariff_id: str, members: list[str]) -> dict[str, Any]:
    try:
        known = api.get(_PATH, tariff_id)
    except Fault as fault:
        if fault.status == Status.NOT_FOUND:
            return {"energyRate": 0, "timeRate": 0, "sessionFee": 0}
        raise
    return {name: known[name] for name in members if name in known}


@tariff.command(epilog="Example: csms tariff delete night")
@_tariff_id
@pass_api
def delete(api: Api, tariff_id: str) -> None:
    """Delete the tariff TARIFFID."""
    api.delete(_PATH, tariff_id)
    print_line(f"{as_text(tariff_id)} is deleted")
