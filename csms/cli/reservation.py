"""``csms reservation``: the ledger's reservations. They are made and cancelled by ``csms send``."""

from __future__ import annotations

import click

from csms.cli import completion
from csms.cli.api_client import Api, pass_api
from csms.cli.arguments import as_json_option, client_id_option, extent, list_options, print_page
from csms.cli.output import Column, field, moment, print_fields, print_json

_PATH = "reservations"
_COLUMNS: list[Column] = [
    ("id", field("reservationId")),
    ("charge point", field("clientId")),
    ("connector", field("connectorId")),
    ("id tag", field("idTag")),
    ("tag status", field("idTagStatus")),
    ("status", field("status")),
    ("expires", moment("expiryDate")),
    ("transaction", field("transactionId")),
]


@click.group(epilog="Example: csms reservation list --chargepoint CP0001")
def reservation() -> None:
    """Reservations, and what became of them.

    They are made by csms send CLIENTID ReserveNow, and cancelled by csms send CLIENTID CancelReservation.
    """


@reservation.command(name="list", epilog="Example: csms reservation list --chargepoint CP0001 --status ACTIVE")
@client_id_option
@click.option(
    "--status",
    type=click.Choice(["ACTIVE", "USED", "CANCELLED", "EXPIRED", "REJECTED"]),
    help="In this state only.",
)
@list_options
@pass_api
def list_(
    api: Api,
    client_id: str | None,
    status: str | None,
    limit: int,
    cursor: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """List reservations."""
    wanted = extent(limit=limit, everything=everything, cursor=cursor)
    page = api.listing(_PATH, limit=wanted.limit, cursor=wanted.cursor, clientId=client_id, status=status)
    print_page(page, _COLUMNS, as_json=as_json)


@reservation.command(epilog="Example: csms reservation show 17 --chargepoint CP0001")
@click.argument("reservation_id", metavar="RESERVATIONID", type=int, shell_complete=completion.reservation_ids)
@client_id_option
@as_json_option
@pass_api
def show(api: Api, reservation_id: int, client_id: str | None, *, as_json: bool) -> None:
    """Show the reservation RESERVATIONID.

    Two charge points may have reservations of one number: then --chargepoint says which is meant.
    """
    document = api.get(_PATH, str(reservation_id), clientId=client_id)
    (print_json if as_json else print_fields)(document)
