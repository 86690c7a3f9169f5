"""Run the fault matrix and print a table; the exit status is 1 where a row failed."""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.faults import crowds, on_broker, on_daemon, on_database, on_network, on_time
from tests.faults.chargers import start_reactor
from tests.faults.stage import LONGEST_S, CannotRun, Outcome, give_time

Row = Callable[[Path], Outcome]
ROWS: dict[str, Row] = {
    row.__name__.replace("_", "-"): row
    for row in (
        on_daemon.daemon_killed,
        on_daemon.daemon_paused,
        on_daemon.daemon_and_broker_killed,
        on_broker.broker_killed,
        on_broker.broker_paused,
        on_broker.broker_refusing,
        on_broker.broker_slow,
        on_broker.broker_forgets,
        on_database.database_killed,
        on_database.database_restarted,
        on_database.database_paused,
        on_database.database_read_only,
        on_database.database_locked,
        on_database.disk_full,
        on_database.disk_slow,
        on_database.disk_fails,
        on_daemon.descriptors_exhausted,
        on_network.half_open,
        on_network.cable_cut,
        on_network.slow_reader,
        crowds.reconnect_storm,
        crowds.reconnect_storm_tls,
        crowds.reconnect_storm_passwords,
        on_time.clock_steps,
        on_time.certificate_expires,
    )
}
_CLONE_NEWNS = 0x20000
_MS_REC_PRIVATE = 0x4000 | 0x40000


class _TookTooLong(Exception):
    pass


def main() -> int:
    """Run the rows whose names hold one of the words, all without words."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("words", nargs="*", help="run only faults whose name holds one of these")
    parser.add_argument("--list", action="store_true", help="tell the names and end")
    options = parser.parse_args()
    chosen = {name: row for name, row in ROWS.items() if not options.words or any(w in name for w in options.words)}
    if options.list or not chosen:
        print(*(f"{name:24} {row.__doc__}" for name, row in ROWS.items()), sep="\n")
        return 0 if options.list else 2
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    _own_mounts()
    signal.signal(signal.SIGALRM, _too_long)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start_reactor()
    console = Console(width=None if sys.stdout.isatty() else 150)
    table = Table("fault", "chargers saw", "sessions", "lost", "well after", "", title="Faults", title_justify="left")
    failures = 0
    for name, row in chosen.items():
        began = time.monotonic()
        verdict, cells = _run(name, row)
        failures += verdict == "FAIL"
        style = {"PASS": "green", "FAIL": "bold red"}.get(verdict, "yellow")
        table.add_row(Text(f"{name}: {row.__doc__}"), *map(Text, cells), Text(verdict, style=style))
        print(f"{name}: {verdict} ({time.monotonic() - began:.0f} s) {'; '.join(filter(None, cells))}", flush=True)
    console.print(table)
    return 1 if failures else 0


def _run(name: str, row: Row) -> tuple[str, list[str]]:
    """Run a row; return its verdict, and the cells: what chargers saw, sessions, lost, well after."""
    folder = Path(tempfile.mkdtemp(prefix=f"csms-fault-{name}-"))
    give_time()
    try:
        outcome = row(folder)
    except CannotRun as reason:
        shutil.rmtree(folder, ignore_errors=True)
        return "not run", [str(reason), "", "", ""]
    except (Exception, _TookTooLong) as error:  # whatever it is, the other rows are still to be seen
        kept = f"{type(error).__name__}: {error}"[:400]
        return "FAIL", [f"{kept} (logs: {folder})", "", "", ""]
    finally:
        signal.alarm(0)
    seen = outcome.seen + (f" ({outcome.remark})" if outcome.remark else "")
    cells = [seen, str(outcome.sessions), str(outcome.lost), f"{outcome.well_s:.1f} s"]
    if outcome.lost:
        return "FAIL", [f"{seen} (logs: {folder})", *cells[1:]]
    shutil.rmtree(folder, ignore_errors=True)
    return "PASS", cells


def _own_mounts() -> None:
    """Have mounts of our own, where that is allowed: what a row mounts is gone when this process is."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and libc.unshare(_CLONE_NEWNS) == 0:
        libc.mount(None, b"/", None, _MS_REC_PRIVATE, None)


def _too_long(_number: int, _frame: FrameType | None) -> None:
    raise _TookTooLong(f"not over after {LONGEST_S} s")


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # The reactor's thread would keep a normal exit waiting.
    os._exit(status)
