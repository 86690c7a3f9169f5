"""``csms chargepoint``: charge points, as they are and as the operator wants them."""

from __future__ import annotations

from typing import Any, BinaryIO

import click

from csms.cli import completion
from csms.cli.api_client import Api, items_of, pass_api
from csms.cli.arguments import (
    Clearable,
    Number,
    When,
    as_json_option,
    client_id_argument,
    extent,
    list_options,
    print_page,
)
from csms.cli.configuration import configuration
from csms.cli.faults import Fault, Status
from csms.cli.output import Column, as_text, columns, field, moment, print_fields, print_json, print_line, print_rows
from csms.cli.variables import monitors, variables

_PATH = "chargepoints"
_ROTATION_S = 100.0
"""Its turn may take as long to come as its answer."""


def _connectors(item: dict[str, Any]) -> str:
    connectors = item.get("connectors")
    if not isinstance(connectors, list):
        return ""
    found = [connector for connector in connectors if isinstance(connector, dict)]
    return ", ".join(f"{connector.get('connectorId')} {connector.get('status')}" for connector in found)


_COLUMNS: list[Column] = [
    ("charge point", field("clientId")),
    ("connected", field("connected")),
    ("OCPP", field("version")),
    ("registration", field("registration")),
    ("vendor", field("vendor")),
    ("model", field("model")),
    ("connectors", _connectors),
]
_QUIRKS: list[Column] = [
    *columns("deviation", "count"),
    ("firstSeen", moment("firstSeen")),
    ("lastSeen", moment("lastSeen")),
    *columns("example"),
]
_MESSAGES: list[Column] = [
    ("time", moment("timestamp", decimals=3)),
    ("direction", field("direction")),
    ("message", field("messageType")),
    ("message id", field("messageId")),
    ("payload", field("payload")),
    ("deviations", lambda item: ", ".join(map(str, item.get("deviations") or ()))),
]


@click.group(epilog="Example: csms chargepoint list --connected")
def chargepoint() -> None:
    """Charge points: which there are, how they are, and what is allowed to them."""


@chargepoint.command(name="list", epilog="Example: csms chargepoint list --connected --all")
@click.option("--connected", is_flag=True, help="Only those that are connected now.")
@list_options
@pass_api
def list_(api: Api, *, connected: bool, limit: int, everything: bool, cursor: str | None, as_json: bool) -> None:
    """List charge points with their connectors."""
    wanted = extent(limit=limit, everything=everything, cursor=cursor)
    page = api.listing(_PATH, limit=wanted.limit, cursor=wanted.cursor, connected="true" if connected else None)
    print_page(page, _COLUMNS, as_json=as_json)


@chargepoint.command(epilog="Example: csms chargepoint show CP0001")
@client_id_argument
@as_json_option
@pass_api
def show(api: Api, client_id: str, *, as_json: bool) -> None:
    """Show what is known of the charge point CLIENTID: its connection, its connectors, its settings."""
    (print_json if as_json else print_fields)(api.get(_PATH, client_id))


@chargepoint.command(epilog="Example: csms chargepoint put CP0001 --registration Accepted --tariff night")
@client_id_argument
@click.option(
    "--registration",
    type=click.Choice(["Accepted", "Pending", "Rejected"]),
    help="What its BootNotification is answered. A pending one can be configured; its transactions wait.",
)
@click.option(
    "--validation",
    type=click.Choice(["strict", "tolerant", "off", "default"]),
    help="How strictly its messages are checked; default is the daemon's setting.",
)
@click.option("--tariff", shell_complete=completion.tariff_ids, help="The id of its tariff.")
@click.option("--meter-factor", type=Clearable(Number()), help="What its energy and power values are multiplied by.")
@click.option("--group", shell_complete=completion.groups, help="The group whose wanted configuration it gets.")
@click.option(
    "--allow-no-subprotocol/--require-subprotocol",
    default=None,
    help="Whether it may connect without offering a WebSocket subprotocol; it is taken to speak OCPP 1.6 then.",
)
@click.option(
    "--security-profile",
    type=click.Choice(["0", "1", "2", "3", "default"]),
    help="The least that it has to keep to: 1 is a password, 2 a password and TLS, 3 a certificate. It can only raise the "
    "daemon's setting.",
)
@click.option(
    "--certificate-name",
    help="The CN of its client certificate, as its serial number, where that is not its identity. It names no other "
    "charge point.",
)
@click.option(
    "--accept-expired-certificate/--refuse-expired-certificate",
    default=None,
    help="Whether it may come once more with a client certificate that has ended: it is Pending then, and asked to renew it.",
)
@click.option(
    "--password-file",
    type=click.File("rb"),
    help="A file that holds the password for its Basic authentication, or - for standard input. It is never shown.",
)
@click.option("--no-password", is_flag=True, help="Take its password away.")
@as_json_option
@pass_api
def put(
    api: Api,
    client_id: str,
    registration: str | None,
    validation: str | None,
    tariff: str | None,
    meter_factor: float | str | None,
    group: str | None,
    security_profile: str | None,
    certificate_name: str | None,
    password_file: BinaryIO | None,
    *,
    allow_no_subprotocol: bool | None,
    accept_expired_certificate: bool | None,
    no_password: bool,
    as_json: bool,
) -> None:
    """Create the charge point CLIENTID, or change it.

    What no option names stays as it is; an empty text ('') takes a value away.
    """
    options: dict[str, Any] = {
        "registration": registration,
        "validation": validation,
        "tariffId": tariff,
        "meterFactor": meter_factor,
        "groupName": group,
        "certificateName": certificate_name,
        "allowNoSubprotocol": allow_no_subprotocol,
        "acceptExpiredCertificate": accept_expired_certificate,
    }
    body = {
        name: value if value not in {"", "default"} else None for name, value in options.items() if value is not None
    }
    if security_profile is not None:
        body["securityProfile"] = None if security_profile == "default" else int(security_profile)
    if password_file is not None or no_password:
        body["password"] = _password(password_file, none=no_password)
    (print_json if as_json else print_fields)(api.put(_PATH, client_id, body=body))


def _password(file: BinaryIO | None, *, none: bool) -> str | None:
    if file is None:
        return None
    if none:
        raise Fault("--no-password: with --password-file it makes no sense", Status.USAGE)
    try:
        text = file.read().decode("utf-8")
    except OSError as error:
        raise Fault(f"--password-file: it cannot be read: {error.strerror}", Status.USAGE) from None
    except UnicodeDecodeError:
        raise Fault("--password-file: that is no UTF-8", Status.USAGE) from None
    return text.removesuffix("\n").removesuffix("\r")


@chargepoint.command(name="rotate-password", epilog="Example: csms chargepoint rotate-password CP0001")
@client_id_argument
@as_json_option
@pass_api
def rotate_password(api: Api, client_id: str, *, as_json: bool) -> None:
    """Send the charge point CLIENTID a new password, which nobody else gets to know.

    The old one is taken until the charge point has come back with the new one. Many come back by themselves, others when
    they are told: csms send CLIENTID Reset '{"type": "Soft"}'. If it refuses the new one its password stays as it is, and
    the status is 7.
    """
    answer = api.request("POST", (_PATH, client_id, "password", "rotate"), read_s=_ROTATION_S)
    if as_json:
        print_json(answer)
    elif answer.get("taken"):
        print_line(f"{as_text(client_id)} has a new password")
    if not answer.get("taken"):
        raise Fault(f"{client_id} answered {answer.get('status')!r}: its password stays as it is", Status.REFUSED)


@chargepoint.command(epilog="Example: csms chargepoint delete CP0001")
@client_id_argument
@pass_api
def delete(api: Api, client_id: str) -> None:
    """Forget the charge point CLIENTID. Its transactions stay in the ledger."""
    api.delete(_PATH, client_id)
    print_line(f"{as_text(client_id)} is deleted")


@chargepoint.command(epilog="Example: csms chargepoint quirks CP0001")
@client_id_argument
@as_json_option
@pass_api
def quirks(api: Api, client_id: str, *, as_json: bool) -> None:
    """Show which deviations from OCPP the charge point CLIENTID has shown, how often and when."""
    document = api.get(_PATH, client_id, "quirks")
    if as_json:
        print_json(document)
        return
    print_rows(_QUIRKS, items_of(document))


@chargepoint.command(epilog="Example: csms chargepoint messages CP0001 --action StatusNotification --since 2h")
@client_id_argument
@click.option("--action", shell_complete=completion.actions, help="Of this action only.")
@click.option("--since", type=When("before"), help="Not older: a time, or a duration as 2h.")
@click.option("--until", type=When("before"), help="Not newer: a time, or a duration as 2h.")
@list_options
@pass_api
def messages(
    api: Api,
    client_id: str,
    action: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    cursor: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Show the last messages of the charge point CLIENTID in both directions, newest first."""
    wanted = extent(limit=limit, everything=everything, cursor=cursor)
    page = api.listing(
        _PATH, client_id, "messages", limit=wanted.limit, cursor=wanted.cursor, action=action, since=since, until=until
    )
    print_page(page, _MESSAGES, as_json=as_json)


chargepoint.add_command(configuration)
chargepoint.add_command(variables)
chargepoint.add_command(monitors)
