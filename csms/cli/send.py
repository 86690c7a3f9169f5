"""``csms send``: a command for a charge point."""

from __future__ import annotations

from typing import Any

import click

from csms.cli import completion
from csms.cli.api_client import Api, pass_api
from csms.cli.arguments import JsonObject, Number, When, as_json_option, client_id_argument
from csms.cli.faults import Fault, Status
from csms.cli.output import as_json as printed
from csms.cli.output import print_json, print_line

_TIMEOUT_S = 30.0
_TURN_S = 60.0
"""How long a command waits for its turn behind others at most, before its own time begins."""
_MARGIN_S = 10.0


@click.command(
    epilog='Example: csms send CP0001 RemoteStartTransaction \'{"connectorId": 1, "idTag": "TAG1"}\' '
    "(or @payload.json, or - for standard input)"
)
@client_id_argument
@click.argument("action", metavar="ACTION", shell_complete=completion.commands)
@click.argument("payload", metavar="[JSON]", type=JsonObject(), default="{}")
@click.option("--timeout", type=Number(), help="Seconds to wait for its answer.  [default: 30]")
@click.option(
    "--expires-at",
    type=When("after"),
    help="If it is offline, keep the command for it until then: a time, or a duration as 15m or 2h.",
)
@click.option(
    "--idempotency-key",
    help="A name for this command: the same command under the same name is executed once in an hour.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait for the answer, only until it is on the wire.")
@as_json_option
@pass_api
def send(
    api: Api,
    client_id: str,
    action: str,
    payload: bytes,
    timeout: float | None,
    expires_at: str | None,
    idempotency_key: str | None,
    *,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Send the OCPP request ACTION with the payload JSON to the charge point CLIENTID, and print its response.

    The payload is sent as it is written, once it fits the schema of the charge point's OCPP version; without JSON it
    is {}. A response that says Rejected is a response: the status is 0.

    The status is 3 if nothing was sent (not connected, busy), 4 if there was no answer and nobody knows whether it was
    done, 5 if the charge point answered with an error, 6 if it or the action is unknown, 7 if the payload is wrong.
    """
    headers = {"Prefer": "respond-async"} if no_wait else {}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = _checked_key(idempotency_key)
    answer: Any = api.request(
        "POST",
        ("chargepoints", client_id, "commands", action),
        parameters={"timeout": timeout, "expiresAt": expires_at},
        content=payload,
        headers=headers,
        read_s=_TURN_S + (timeout or _TIMEOUT_S) + _MARGIN_S,
    )
    if as_json:
        print_json(answer)
    elif "response" in answer:
        print_line(printed(answer["response"], indent=2))
    else:
        print_line(f"{'sent' if expires_at is None else 'taken'}: message {answer.get('messageId')}")


def _checked_key(key: str) -> str:
    if not (0 < len(key) <= 255 and all("!" <= character <= "~" for character in key)):
        raise Fault("--idempotency-key: allowed are 1 to 255 visible ASCII characters", Status.USAGE)
    return key
