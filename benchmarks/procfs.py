"""CPU time and resident memory of processes, from /proc (Linux; standard library only)."""

import os
import time
from pathlib import Path

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return the process and its children's children; nothing where it is gone."""
    found = [pid]
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += tree(int(child))
    except OSError:
        pass
    return found


def cpu_ns(pid: int) -> tuple[int, int]:
    """Return CPU ns of a process, its threads and its children: (schedstat, utime + stime).

    schedstat is exact but forgets threads that have ended; the second is there to notice that.
    """
    exact = ticks = 0
    for member in tree(pid):
        try:
            for task in os.listdir(f"/proc/{member}/task"):
                exact += int(Path(f"/proc/{member}/task/{task}/schedstat").read_text().split()[0])
            fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return exact, ticks * _TICK_NS


def rss_kb(pid: int) -> int:
    """Return the resident memory of a process and its children."""
    total = 0
    for member in tree(pid):
        try:
            status = Path(f"/proc/{member}/status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return total


def settled_rss_kb(pid: int, timeout_s: float = 20.0, still_s: float = 2.0) -> int:
    """Wait until the resident memory has not moved by more than 64 KB for `still_s`, at most `timeout_s`; return it."""
    deadline = time.monotonic() + timeout_s
    reference, since = rss_kb(pid), time.monotonic()
    while time.monotonic() < deadline:
        time.sleep(0.1)
        current = rss_kb(pid)
        if abs(current - reference) > 64:
            reference, since = current, time.monotonic()
        elif time.monotonic() - since >= still_s:
            return current
    return rss_kb(pid)


def listens(port: int) -> bool:
    """Say whether something listens on a TCP port, without connecting to it."""
    wanted = f":{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        if any(row.split()[1].endswith(wanted) and row.split()[3] == "0A" for row in rows):
            return True
    return False
