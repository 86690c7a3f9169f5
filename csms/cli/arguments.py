"""Kinds of arguments and options that several command groups share."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import click
from attrs import frozen
from click.shell_completion import CompletionItem

from csms.cli import completion
from csms.cli.api_client import Page
from csms.cli.output import Column, print_json, print_rows

_DURATION = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LIMIT = 50

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
client_id_argument = click.argument("client_id", metavar="CLIENTID", shell_complete=completion.client_ids)
client_id_option = click.option(
    "--chargepoint", "client_id", metavar="CLIENTID", shell_complete=completion.client_ids, help="Of this one only."
)


@frozen
class Extent:
    """How much of a list is wanted."""

    limit: int | None
    cursor: str | None


def list_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --limit, --all, --cursor and --json."""
    for option in (
        as_json_option,
        click.option("--cursor", help="Go on where the last list ended: its next."),
        click.option("--all", "everything", is_flag=True, help="All there are."),
        click.option("--limit", type=click.IntRange(1), default=_LIMIT, show_default=True, help="How many at most."),
    ):
        command = option(command)
    return command


def extent(*, limit: int, everything: bool, cursor: str | None) -> Extent:
    """Return what the options of a list ask for."""
    return Extent(None if everything else limit, cursor)


def print_page(page: Page, shown: list[Column], *, as_json: bool) -> None:
    """Print a list; where it goes on is said apart from it."""
    if as_json:
        print_json(page.document)
        return
    print_rows(shown, page.items)
    if page.cursor is not None:
        click.echo(f"there are more: --all, --limit or --cursor {page.cursor}", err=True)


class When(click.ParamType[str]):
    """A time: RFC 3339 with its zone, or a duration before or after now. Becomes RFC 3339 in UTC."""

    name = "time"

    def __init__(self, direction: Literal["before", "after"]) -> None:
        self._sign = -1 if direction == "before" else 1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the time that a text names."""
        if duration := _DURATION.fullmatch(value):
            try:
                at = datetime.now(UTC) + self._sign * timedelta(**{_UNITS[duration[2]]: int(duration[1])})
            except OverflowError:
                self.fail(f"{value!r} is too long", param, ctx)
        else:
            try:
                at = datetime.fromisoformat(value)
            except ValueError:
                self.fail(
                    f"{value!r} is neither a time as 2030-01-31T12:00:00Z nor a duration as 15m or 2h", param, ctx
                )
            if at.tzinfo is None:
                self.fail(f"{value!r} has no zone: write 2030-01-31T12:00:00Z or +01:00", param, ctx)
        return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class JsonObject(click.ParamType[bytes]):
    """A JSON object: as it stands, ``@file``, or ``-`` for standard input. Becomes its bytes, as they were given."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """Return the bytes; what is in them is the daemon's to judge, but a slip of the pen ends here."""
        text = self._text(value, param, ctx)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            where = f": {error}" if isinstance(error, json.JSONDecodeError) else ""
            self.fail(f"that is no JSON{where}", param, ctx)
        if not isinstance(document, dict):
            self.fail("that is no JSON object: write '{\"connectorId\": 1}'", param, ctx)
        return text.encode()

    def _text(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            if value == "-":
                content = sys.stdin.buffer.read()
            elif value.startswith("@"):
                content = Path(value[1:]).read_bytes()
            else:
                content = value.encode()
            return content.decode("utf-8-sig")
        except OSError as error:
            self.fail(f"{value[1:]} cannot be read: {error.strerror}", param, ctx)
        except UnicodeError:
            self.fail("that is no UTF-8", param, ctx)


class Number(click.ParamType[float]):
    """A number that is not negative, as JSON takes it."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?", str(value)):
            self.fail(f"{value!r} is no number of 0 or more", param, ctx)
        return float(value) if "." in str(value) else int(value)


class Clearable(click.ParamType[Any]):
    """A value of another kind, or an empty text that takes it away."""

    def __init__(self, kind: click.ParamType[Any]) -> None:
        self._kind = kind
        self.name = kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what the other kind makes of it."""
        return self._kind.convert(value, param, ctx) if value else ""

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """Return the other kind's own."""
        return self._kind.get_metavar(param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the other kind's own."""
        return self._kind.shell_complete(ctx, param, incomplete)
