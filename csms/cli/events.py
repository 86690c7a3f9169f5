"""``csms events``: the business events, from any position on, as they happen."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from csms.cli import completion
from csms.cli.api_client import Api, pass_api
from csms.cli.arguments import as_json_option, client_id_option
from csms.cli.event_stream import Follower
from csms.cli.faults import Status
from csms.cli.output import as_json as printed
from csms.cli.output import print_line, print_styled
from csms.cli.sightings import words
from csms.cli.table import STYLES

_LIMIT = 50


@click.command(
    epilog="Example: csms events --follow --type completed --type session_cost, or csms events --after 0 --all --json"
)
@click.option("--follow", is_flag=True, help="Go on with the events as they happen, until Ctrl-C.")
@click.option("--after", type=click.IntRange(0), metavar="POSITION", help="Only those after this position.")
@click.option(
    "--type",
    "types",
    metavar="TYPE",
    multiple=True,
    shell_complete=completion.event_types,
    help="Of this type only, as completed. May be repeated.",
)
@client_id_option
@click.option(
    "--limit", type=click.IntRange(1), default=_LIMIT, show_default=True, help="How many at most, without --follow."
)
@click.option("--all", "everything", is_flag=True, help="All there are, without --follow.")
@as_json_option
@pass_api
def events(
    api: Api,
    after: int | None,
    types: tuple[str, ...],
    client_id: str | None,
    limit: int,
    *,
    follow: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """Print business events, oldest first: the position, the time, the topic, and what it says.

    --after goes on where another run ended: its last position. Without it the log is printed from its beginning, and
    with --follow from now on. While it follows, a lost connection is made again; no event is missed, none is shown
    twice. With --json each event is a line: {"position", "topic", "event"}.

    The status is 6 if the log does not reach back to the position any more.
    """
    show = _print_json if as_json else _print_words
    parameters: dict[str, Any] = {"type": list(types) or None, "clientId": client_id}
    if not follow:
        for page in api.pages("events", limit=None if everything else limit, **parameters, after=after):
            for item in page.items:
                show(item)
        return
    position = None if after is None else str(after)
    follower = Follower(
        api, parameters, position, wait=time.sleep, say=lambda text: click.echo(f"csms: {text}", err=True)
    )
    try:
        for item in follower.items():
            show(item)
    except KeyboardInterrupt:
        # It is how this ends; nobody needs to be told.
        raise SystemExit(Status.INTERRUPTED) from None


def _print_json(item: dict[str, Any]) -> None:
    print_line(printed(item))


def _print_words(item: dict[str, Any]) -> None:
    event = item.get("event")
    if not isinstance(event, dict):
        event = {}
    kind, payload = str(event.get("eventType", "")), event.get("payload")
    try:
        said = words(kind, payload if isinstance(payload, dict) else {})
    except (KeyError, TypeError, ValueError):
        said = json.dumps(payload, ensure_ascii=False)
    style = STYLES.get(kind, "")
    print_styled(
        [
            (f"{item.get('position', '')!s:>8}", "dim"),
            (str(event.get("timestamp", "")), ""),
            (str(item.get("topic") or kind), style),
            (said, style),
        ]
    )
