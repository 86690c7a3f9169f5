"""What commands print: tables for people, tab-separated lines for a pipe, JSON for programs.

Charge points choose many of these texts. Whatever is not printable (control characters, bidi marks, line separators,
lone surrogates) is shown as its escape, and nothing is ever read as rich markup.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Column = tuple[str, Callable[[dict[str, Any]], Any]]
"""A heading, and what stands below it for an item."""

_MOST_MARKS = 4
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)(Z)")


def visible(text: str) -> str:
    """Return a text that does nothing to a terminal; the escapes are those of JSON."""
    if text.isascii() and text.isprintable():
        return text
    shown = []
    marks = 0
    for character in text:
        # Combining marks pile up over the lines above without an end.
        marks = marks + 1 if _is_mark(character) else 0
        shown.append(character if character.isprintable() and marks <= _MOST_MARKS else _escape(character))
    return "".join(shown)


def _is_mark(character: str) -> bool:
    import unicodedata

    return unicodedata.category(character) in {"Mn", "Me"}


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"


def as_json(value: Any, indent: int | None = None) -> str:
    """Return JSON that says the same, in which every character is printable."""
    separators = (",", ":") if indent is None else None
    text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
    return "\n".join(map(visible, text.split("\n")))


def as_text(value: Any) -> str:
    """Return a value as it stands in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(value) if isinstance(value, str) else as_json(value)


def field(name: str) -> Callable[[dict[str, Any]], Any]:
    """Return what gets a member of an item."""
    return lambda item: item.get(name)


def moment(name: str, decimals: int = 0) -> Callable[[dict[str, Any]], Any]:
    """Return what gets a time of an item, with so many decimals of its seconds at most: a table is to be read."""

    def get(item: dict[str, Any]) -> Any:
        value = item.get(name)
        found = _TIME.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            return value
        seconds, fraction, zone = found.groups()
        return seconds + fraction[: decimals + 1 if decimals else 0] + zone

    return get


def columns(*names: str) -> list[Column]:
    """Return columns that show members under their own names."""
    return [(name, field(name)) for name in names]


def print_json(document: Any) -> None:
    """Print one JSON document, on one line."""
    print_line(as_json(document))


def print_line(line: str) -> None:
    """Print a line now: a reader may wait for it."""
    print(line, flush=True)


def print_rows(shown: Sequence[Column], items: Iterable[dict[str, Any]]) -> None:
    """Print a table of items: drawn on a terminal, otherwise a line each with tabs between."""
    headings = [heading for heading, _ in shown]
    rows = [[as_text(get(item)) for _, get in shown] for item in items]
    if not sys.stdout.isatty():
        for row in [headings, *rows]:
            print("\t".join(row))
        return
    _console().print(_table(headings, rows))


def print_fields(document: dict[str, Any]) -> None:
    """Print the members of an object, one a line; on a terminal a list of objects becomes a table below."""
    if not sys.stdout.isatty():
        for name, value in document.items():
            print(f"{visible(name)}: {as_text(value)}")
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    tables = {name: value for name, value in document.items() if _is_table(value)}
    for name, value in document.items():
        if name not in tables:
            grid.add_row(Text(visible(name)), Text(as_text(value)))
    console = _console()
    if grid.row_count:
        console.print(grid)
    for name, items in tables.items():
        console.print(Text(f"\n{visible(name)}", style="bold"))
        names = list(dict.fromkeys(key for item in items for key in item))
        console.print(_table(list(map(visible, names)), [[as_text(item.get(key)) for key in names] for item in items]))


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _table(headings: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in headings:
        table.add_column(Text(heading), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def print_styled(parts: Sequence[tuple[str, str]]) -> None:
    """Print a line of texts with their styles; without styles where nobody looks."""
    if not sys.stdout.isatty():
        print_line("  ".join(visible(text) for text, _ in parts))
        return
    line = Text("  ").join(Text(visible(text), style=style) for text, style in parts)
    _console().print(line, soft_wrap=True)


def _console() -> Console:
    return Console(highlight=False, emoji=False, markup=False)
