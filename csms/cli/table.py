"""How the demonstration shows events: a table that grows on a terminal, plain lines elsewhere, and a picture of it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any, Self

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from csms.cli.sightings import Sighting

_TOPIC_WIDTH = 41
_PICTURE_WIDTH = 104
STYLES = {
    "started": "green",
    "completed": "bold green",
    "session_cost": "bold yellow",
    "meter_reading": "cyan",
    "status_changed": "blue",
}
"""The style of each type of event."""
_TITLE = "business events, as a subscriber receives them from the broker"
_FONTS = re.compile(r"@font-face\s*\{.*?\}\s*", re.DOTALL)


class Lines:
    """Plain lines, for a pipe or a file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def say(self, text: str) -> None:
        """Say what goes on."""
        print(text, flush=True)

    def event(self, seen: Sighting) -> None:
        """Show an event."""
        print(f"{seen.at:%H:%M:%S}  {seen.topic:<{_TOPIC_WIDTH}}  {seen.words}".rstrip(), flush=True)

    def end(self, lines: list[tuple[str, str]]) -> None:
        """Show the summary."""
        for name, value in lines:
            print(f"{name}: {value}", flush=True)


class LiveTable(Lines):
    """Events run through; below them stands what is true of each charge point now."""

    def __init__(self) -> None:
        self._console = Console()
        self._live = Live(console=self._console, refresh_per_second=8)
        self._now: dict[str, dict[str, str]] = {}
        self._started = False

    def __exit__(self, *_: object) -> None:
        if self._started:
            self._live.stop()

    def say(self, text: str) -> None:
        self._console.print(Text(text, style="dim"))

    def event(self, seen: Sighting) -> None:
        if not self._started:
            # The live display has a thread; it begins when all children are there.
            self._console.print(_heading())
            self._live.start()
            self._started = True
        self._remember(seen)
        self._live.update(self._footer())
        self._live.console.print(_row(_grid(), seen))

    def _remember(self, seen: Sighting) -> None:
        now = self._now.setdefault(seen.client_id, {})
        payload = seen.payload
        if seen.event_type == "status_changed":
            now["status"] = payload["status"]
        elif seen.event_type == "meter_reading":
            now["power"] = f"{payload['currentPower']:.2f} kW" if "currentPower" in payload else ""
        elif seen.event_type == "completed":
            now["energy"] = f"{payload['energyUsed']:.3f} kWh"
            now["power"] = ""
        elif seen.event_type == "session_cost":
            now["cost"] = f"{payload['estimatedCost']:.2f} {payload['currency']}"
        elif seen.event_type == "disconnected":
            now["status"] = "offline"

    def _footer(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 2))
        for heading in ("charge point", "status", "power", "session", "cost"):
            table.add_column(heading, min_width=10)
        for client_id, now in sorted(self._now.items()):
            table.add_row(client_id, *(now.get(name, "") for name in ("status", "power", "energy", "cost")))
        return table

    def end(self, lines: list[tuple[str, str]]) -> None:
        if self._started:
            self._live.update(Text())
            self._live.stop()
            self._started = False
        self._console.print(_summary(lines))


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=8, style="dim")
    grid.add_column(width=_TOPIC_WIDTH)
    grid.add_column(overflow="fold")
    return grid


def _heading() -> Group:
    grid = _grid()
    grid.add_row("time", Text("topic", style="dim"), Text("what it says", style="dim"))
    return Group(Text(f"\n{_TITLE}\n", style="bold"), grid)


def _row(grid: Table, seen: Sighting) -> Table:
    style = STYLES.get(seen.event_type, "")
    grid.add_row(f"{seen.at:%H:%M:%S}", Text(seen.topic, style=style), Text(seen.words, style=style))
    return grid


def _summary(lines: list[tuple[str, str]]) -> Table:
    grid = Table.grid(padding=(0, 2))
    for name, value in lines:
        grid.add_row(Text(name, style="bold"), Text(value))
    return grid


def save_picture(path: Path, events: list[Sighting], lines: list[tuple[str, str]]) -> None:
    """Save the table of a run as SVG."""
    console: Any = Console(record=True, file=io.StringIO(), width=_PICTURE_WIDTH, force_terminal=True)
    console.print(_heading())
    grid = _grid()
    for seen in events:
        _row(grid, seen)
    console.print(grid)
    console.print()
    console.print(_summary(lines))
    # Without fonts from elsewhere: whatever is monospaced where it is looked at.
    path.write_text(_FONTS.sub("", console.export_svg(title="csms demo")), encoding="utf-8")
