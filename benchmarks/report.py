"""Medians, ratios, and whether the targets are reached."""

import statistics
from collections.abc import Iterable
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

ANSWER_ONLY_RATIO = 12.0
WHOLE_JOB_RATIO = 4.0
GROWTH_MB = 10.0
COMMANDS_S = 200
COMMAND_P99_MS = 20.0
PEER = "peer"
ANSWER_ONLY = "answer_only"
DAEMON = "daemon"
# What is compared with what: (server, mix).
PAIRS = (((PEER, "std"), (ANSWER_ONLY, "std")), ((PEER, "session"), (DAEMON, "session")))
TURNS = tuple(turn for pair in PAIRS for turn in pair)
COMMANDS = (DAEMON, "commands")

Figures = dict[str, Any]


class Target(NamedTuple):
    """A line of the verdict."""

    name: str
    wanted: str
    found: str
    passed: bool


def _numbers(turns: Iterable[Figures], key: str) -> list[float]:
    return [turn[key] for turn in turns if turn.get(key) is not None]


def medians(turns: list[Figures]) -> Figures:
    """Return the medians of all numbers of a server's rounds; errors are added up."""
    measured = [turn for turn in turns if "failed" not in turn]
    if not measured:
        return {}
    keys = [key for key, value in measured[0].items() if isinstance(value, (int, float))]
    figures: Figures = {key: statistics.median(_numbers(measured, key)) for key in keys}
    figures["errors"] = sum(turn["errors"] + turn["closed"] for turn in measured)
    if "business" in figures:
        calls = sum(_numbers(measured, "calls"))
        for stream in ("business", "state", "protocol"):
            figures[f"{stream}_per_call"] = round(sum(_numbers(measured, stream)) / calls, 3)
        figures["expected_per_call"] = round(sum(_numbers(measured, "events_expected")) / calls, 3)
        figures["missing"] = sum(max(turn["events_expected"] - turn["business"], 0) for turn in measured)
        figures["protocol_missing"] = sum(max(2 * turn["calls"] - turn["protocol"], 0) for turn in measured)
    return figures


def _ratio(above: Figures, below: Figures, key: str) -> float | None:
    if not above.get(key) or not below.get(key):
        return None
    return above[key] / below[key]


def _spread(rounds: dict[tuple[str, str], list[Figures]], pair: tuple[tuple[str, str], tuple[str, str]]) -> str:
    ratios = [
        ratio
        for theirs, ours in zip(rounds.get(pair[0], []), rounds.get(pair[1], []), strict=False)
        if (ratio := _ratio(theirs, ours, "cpu_us")) is not None
    ]
    return f" ({min(ratios):.1f} to {max(ratios):.1f})" if len(ratios) > 1 else ""


def targets(rounds: dict[tuple[str, str], list[Figures]], memory: dict[str, Figures], conns: int) -> list[Target]:
    """Return the verdict; what was not measured is not reached."""
    figures = {turn: medians(rounds.get(turn, [])) for turn in TURNS}
    lines = []
    for pair, name, wanted in zip(
        PAIRS, ("answer only", "whole job"), (ANSWER_ONLY_RATIO, WHOLE_JOB_RATIO), strict=True
    ):
        ratio = _ratio(figures[pair[0]], figures[pair[1]], "cpu_us")
        found = "not measured" if ratio is None else f"{ratio:.1f} x{_spread(rounds, pair)}"
        lines.append(
            Target(f"{name} against the peer", f">= {wanted:.0f} x", found, ratio is not None and ratio >= wanted)
        )
    daemon = figures[DAEMON, "session"]
    lost = daemon.get("missing")
    found = "not measured" if lost is None else f"{daemon['business_per_call']} per CALL, {lost:.0f} missing"
    wanted_events = f"{daemon['expected_per_call']} per CALL" if daemon else "all"
    lines.append(Target("whole job: business events at the broker", wanted_events, found, lost == 0))
    lost = daemon.get("protocol_missing")
    found = "not measured" if lost is None else f"{daemon['protocol_per_call']} per CALL, {lost:.0f} missing"
    lines.append(Target("whole job: protocol events at the broker", "2 per CALL", found, lost == 0))
    commands = medians(rounds.get(COMMANDS, []))
    lines.append(_command_target(rounds.get(COMMANDS, []), commands))
    growth = memory.get(DAEMON, {}).get("growth_mb")
    found = "not measured" if growth is None else f"{growth:.1f} MB"
    wanted_growth = f"<= {GROWTH_MB * conns / 1000:.0f} MB"
    passed = growth is not None and growth <= GROWTH_MB * conns / 1000
    lines.append(Target(f"memory from 0 to {conns:,} booted chargers", wanted_growth, found, passed))
    measured = [f for f in (*figures.values(), commands, *memory.values()) if f and "failed" not in f]
    faults = sum(f["errors"] for f in measured)
    found = f"{faults:.0f}" if measured else "not measured"
    lines.append(Target("answers that are no CALLRESULT, lost connections", "0", found, bool(measured) and faults == 0))
    return lines


def _command_target(turns: list[Figures], figures: Figures) -> Target:
    p99 = figures.get("p99_ms")
    found = "not measured"
    if p99 is not None:
        each = _numbers(turns, "p99_ms")
        found = f"{p99:.1f} ms" + (f" ({min(each):.1f} to {max(each):.1f})" if len(each) > 1 else "")
    passed = p99 is not None and p99 < COMMAND_P99_MS and all("failed" not in turn for turn in turns)
    return Target(
        f"a command through HTTP, {COMMANDS_S}/s: p99 until its answer", f"< {COMMAND_P99_MS:.0f} ms", found, passed
    )


_ROWS = (
    ("server CPU µs per CALL", "cpu_us", "{:,.1f}", 1),
    ("  of it while under load", "cpu_us_under_load", "{:,.1f}", 0),
    ("CALLs per CPU second", "calls_per_cpu_s", "{:,.0f}", -1),
    ("CALLs per second", "calls_s", "{:,.0f}", -1),
    ("p50 ms, saturated", "p50_ms", "{:,.1f}", 1),
    ("p99 ms, saturated", "p99_ms", "{:,.1f}", 1),
    (f"p50 ms, {COMMANDS_S} commands/s through HTTP", "command_p50_ms", "{:,.1f}", 0),
    (f"p99 ms, {COMMANDS_S} commands/s through HTTP", "command_p99_ms", "{:,.1f}", 0),
    ("business events per CALL", "business_per_call", "{:.3f}", 0),
    ("state messages per CALL", "state_per_call", "{:.3f}", 0),
    ("protocol events per CALL", "protocol_per_call", "{:.3f}", 0),
    ("seconds to drain the backlog", "drain_s", "{:.2f}", 0),
    ("generator CPU %", "gen_cpu_pct", "{:.0f}", 0),
)


def _text(figures: Figures, key: str, layout: str) -> str:
    return "-" if figures.get(key) is None else layout.format(figures[key])


def _ratio_text(theirs: Figures, ours: Figures, key: str, sense: int) -> str:
    ratio = None
    if sense:
        ratio = _ratio(theirs, ours, key) if sense > 0 else _ratio(ours, theirs, key)
    return "" if ratio is None else f"{ratio:.1f}"


def show(
    console: Console, rounds: dict[tuple[str, str], list[Figures]], memory: dict[str, Figures], conns: int
) -> None:
    """Print the figures side by side and the verdict."""
    figures = {turn: medians(rounds.get(turn, [])) for turn in TURNS}
    commands = medians(rounds.get(COMMANDS, []))
    figures[DAEMON, "session"] |= {f"command_{key}": commands.get(key) for key in ("p50_ms", "p99_ms")}
    table = Table(title="medians; ratios say how many times better than the peer")
    for heading in ("", "peer\nstd", "answer only\nstd", "ratio", "peer\nsession", "daemon\nsession", "ratio"):
        table.add_column(heading, justify="right" if heading else "left")
    for label, key, layout, sense in _ROWS:
        cells = []
        for theirs, ours in PAIRS:
            pair = figures[theirs], figures[ours]
            cells += [_text(one, key, layout) for one in pair]
            cells.append(_ratio_text(*pair, key, sense))
        table.add_row(label, *cells)
    cells = []
    for (theirs, _), (ours, _) in PAIRS:
        pair = memory.get(theirs, {}), memory.get(ours, {})
        cells += [_text(one, "kb_per_conn", "{:.1f}") for one in pair]
        cells.append(_ratio_text(*pair, "kb_per_conn", 1))
    table.add_row("KB per idle booted connection", *cells)
    console.print(table)
    verdict = Table(title="targets")
    for heading in ("target", "wanted", "found", ""):
        verdict.add_column(heading)
    for line in targets(rounds, memory, conns):
        verdict.add_row(line.name, line.wanted, line.found, "[green]PASS[/]" if line.passed else "[bold red]FAIL[/]")
    console.print(verdict)
