"""``csms token``: tokens of the HTTP API, each with a role."""

from __future__ import annotations

import json

import click

from csms.cli import completion
from csms.cli.api_client import Api, items_of, pass_api
from csms.cli.arguments import as_json_option
from csms.cli.output import Column, as_text, field, moment, print_json, print_line, print_rows

_PATH = "tokens"
_ROLES = ["read", "operate", "admin"]
_COLUMNS: list[Column] = [("token", field("name")), ("role", field("role")), ("created at", moment("createdAt"))]

_name = click.argument("name", metavar="NAME", shell_complete=completion.token_names)


@click.group(epilog="Example: csms token add grafana --role read > grafana.token")
def token() -> None:
    """Tokens of the HTTP API: who may do what.

    The token in the daemon's settings (http.token) is admin, makes the first others, and is needed for them to be asked for.
    """


@token.command(epilog="Example: csms token add grafana --role read > grafana.token")
@click.argument("name", metavar="NAME")
@click.option(
    "--role",
    type=click.Choice(_ROLES),
    required=True,
    help="read: everything but tokens. operate: send commands and close transactions as well. admin: everything.",
)
@as_json_option
@pass_api
def add(api: Api, name: str, role: str, *, as_json: bool) -> None:
    """Make a token called NAME and print it.

    It is shown this once: the daemon keeps only a hash.
    """
    answer = api.request("POST", (_PATH,), content=json.dumps({"name": name, "role": role}).encode())
    if as_json:
        print_json(answer)
    else:
        print_line(as_text(answer.get("token")))


@token.command(name="list", epilog="Example: csms token list")
@as_json_option
@pass_api
def list_(api: Api, *, as_json: bool) -> None:
    """List tokens: their names and roles."""
    document = api.get(_PATH)
    if as_json:
        print_json(document)
    else:
        print_rows(_COLUMNS, items_of(document))


@token.command(epilog="Example: csms token delete grafana")
@_name
@pass_api
def delete(api: Api, name: str) -> None:
    """Delete the token NAME: it is refused from now on."""
    api.delete(_PATH, name)
    print_line(f"{as_text(name)} is deleted")
