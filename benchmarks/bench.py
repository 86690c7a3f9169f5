"""The benchmark behind `make bench`: the daemon against the `ocpp` package on `websockets`, in one interleaved run.

    python benchmarks/bench.py                     3 rounds of 5 seconds for each server
    python benchmarks/bench.py --quick             1 round of 2 seconds
    python benchmarks/bench.py --only peer,daemon  without the answer-only server

Ends with status 1 where a target is missed. docs/benchmarks.md says what is measured and how.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import report
from processes import Children, NotStarted
from rich.console import Console
from turns import commands_turn, load_turn, memory_turn

_SERVERS = (report.PEER, report.ANSWER_ONLY, report.DAEMON)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=5.0, help="seconds of each turn (5)")
    parser.add_argument(
        "--conns", type=int, default=200, help="connections under load, one CALL outstanding each (200)"
    )
    parser.add_argument("--idle", type=int, default=1000, help="connections for the memory (1000)")
    parser.add_argument("--quick", action="store_true", help="1 round of 2 seconds")
    parser.add_argument("--only", default=",".join(_SERVERS), help="servers to measure, of " + ",".join(_SERVERS))
    parser.add_argument("--no-memory", action="store_true", help="leave the memory out")
    parser.add_argument("--no-commands", action="store_true", help="leave the commands through HTTP out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures of all rounds")
    parser.add_argument("--dir", type=Path, help="where databases and brokers live: a real disk, not a tmpfs")
    parser.add_argument("--keep", action="store_true", help="keep that directory with all logs")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.duration = 1, 2.0
    options.only = options.only.split(",")
    if not set(options.only) <= set(_SERVERS):
        parser.error(f"--only takes {', '.join(_SERVERS)}")
    if not (0 < options.rounds <= 50 and 0 < options.duration <= 60):
        parser.error("at most 50 rounds of 60 seconds")
    return options


class Runner:
    """Goes through the turns and keeps what they give; a server that fails leaves its reason behind."""

    def __init__(self, options: argparse.Namespace, console: Console, children: Children, folder: Path) -> None:
        self._options = options
        self._console = console
        self._children = children
        self._folder = folder
        self.rounds: dict[tuple[str, str], list[report.Figures]] = {}
        self.memory: dict[str, report.Figures] = {}

    def run(self) -> None:
        options = self._options
        turns = [turn for turn in report.TURNS if turn[0] in options.only]
        for k in range(1, options.rounds + 1):
            for name, mix in turns:
                figures = self._turn(f"round {k}/{options.rounds} {name} {mix}", load_turn, name, mix, k)
                self.rounds.setdefault((name, mix), []).append(figures)
        if report.DAEMON in options.only and not options.no_commands:
            self._commands()
        for name in () if options.no_memory else options.only:
            self.memory[name] = self._turn(f"memory {name}", memory_turn, name, "idle", 0)

    def _commands(self) -> None:
        options = self._options
        runs, duration_s = (1, 2.0) if options.quick else (5, 3.0)
        sizes = (options.conns, report.COMMANDS_S, runs, duration_s)
        with self._console.status("commands through HTTP"):
            try:
                turns = commands_turn(self._children, self._folder / "commands", *sizes)
            except NotStarted as reason:
                turns = [{"failed": str(reason)}]
        self.rounds[report.COMMANDS] = turns
        for k, figures in enumerate(turns, 1):
            line = f"commands through HTTP {k}/{len(turns)}: {_summary(figures)}"
            self._console.print(line, highlight=False, markup=False)

    def _turn(self, title: str, turn: Any, name: str, mix: str, k: int) -> report.Figures:
        options = self._options
        folder = self._folder / f"{k}-{name}-{mix}"
        sizes = (options.idle,) if turn is memory_turn else (options.conns, options.duration)
        arguments = (name, folder, *sizes) if turn is memory_turn else (name, mix, folder, *sizes)
        with self._console.status(title):
            try:
                figures = turn(self._children, *arguments)
            except NotStarted as reason:
                figures = {"failed": str(reason)}
        self._console.print(f"{title}: {_summary(figures)}", highlight=False, markup=False)
        return figures


def _summary(figures: report.Figures) -> str:
    if "failed" in figures:
        return f"FAILED: {figures['failed']}"
    if "growth_mb" in figures:
        line = f"{figures['growth_mb']} MB for {figures['conns']} connections"
    elif "commands" in figures:
        line = f"{figures['commands_s']} commands/s, p50 {figures['p50_ms']} ms, p99 {figures['p99_ms']} ms"
        line += f" (recorded: {figures['recorded_p99_ms']} ms), {figures['cpu_us']} µs each"
    else:
        line = f"{figures.get('cpu_us')} µs/CALL, {figures['calls_s']} CALL/s, p99 {figures['p99_ms']} ms"
    if "drain_s" in figures:
        line += f", {figures['business']} of {figures['events_expected']} events, drained in {figures['drain_s']} s"
    if figures["errors"] or figures["closed"]:
        line += f", {figures['errors']} ERRORS, {figures['closed']} closed: {figures.get('complaint', '')}"
    return line


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "kernel": platform.release(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg(),
    }


def _as_json(options: argparse.Namespace, runner: Runner, machine: dict[str, Any]) -> str:
    rounds = {f"{name} {mix}": turns for (name, mix), turns in runner.rounds.items()}
    verdict = [target._asdict() for target in report.targets(runner.rounds, runner.memory, options.idle)]
    figures = {f"{name} {mix}": report.medians(turns) for (name, mix), turns in runner.rounds.items()}
    sizes = {key: getattr(options, key) for key in ("rounds", "duration", "conns", "idle")}
    whole = {"machine": machine, "options": sizes, "medians": figures, "rounds": rounds}
    return json.dumps({**whole, "memory": runner.memory, "targets": verdict}, indent=2)


def main() -> int:
    options = _options()
    console = Console() if sys.stdout.isatty() else Console(width=120)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    machine = _machine()
    cores, average = machine["cores"], machine["load_average"][0]
    console.print(f"{cores} cores, Python {machine['python']}, load average {average:.2f}", highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="csms-bench-", dir=options.dir))
    children = Children()
    runner = Runner(options, console, children, folder)
    begin = time.monotonic()
    try:
        runner.run()
    finally:
        children.close()
        if options.keep:
            console.print(f"logs and databases: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    report.show(console, runner.rounds, runner.memory, options.idle)
    console.print(f"{time.monotonic() - begin:.0f} seconds", highlight=False)
    if options.json:
        options.json.write_text(_as_json(options, runner, machine) + "\n")
    return 0 if all(line.passed for line in report.targets(runner.rounds, runner.memory, options.idle)) else 1


if __name__ == "__main__":
    try:
        status = main()
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
