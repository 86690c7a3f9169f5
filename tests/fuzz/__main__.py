"""Fuzz for some minutes: the state machines, then each target by atheris where it is installed, else by mutation.

What fails is written to tests/corpus, where the tests find it; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import subprocess
import sys
import time
import traceback
from collections.abc import Callable

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz.corpus import entries, keep
from tests.fuzz.mutation import mutated
from tests.fuzz.session_machine import MACHINES
from tests.fuzz.targets import TARGETS

_BATCH = 100


def main() -> int:
    """Share the time among machines and targets; tell what was found."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=None, help="0 or none: one at random, which is told")
    parser.add_argument("--engine", choices=["atheris", "mutation"], default=None)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}, machines; all without")
    options = parser.parse_args()
    seed = options.seed or random.SystemRandom().randrange(1, 2**31)
    engine = options.engine or ("atheris" if importlib.util.find_spec("atheris") else "mutation")
    names = options.targets or ["machines", *TARGETS]
    share_s = options.minutes * 60 / len(names)
    print(f"seed {seed}, {engine}, {share_s:.0f} s each", flush=True)
    by_name: Callable[[str, int, float], int] = _atheris if engine == "atheris" else _mutate
    found = 0
    for name in names:
        found += _machines(share_s) if name == "machines" else by_name(name, seed, share_s)
    print("nothing was found" if not found else f"{found} found: see above, and tests/corpus")
    return 1 if found else 0


def _machines(share_s: float) -> int:
    """Run the state machines for their time; one that fails prints the steps that lead there."""
    until, rounds, found = time.monotonic() + share_s, 0, 0
    while not found and (rounds == 0 or time.monotonic() < until):
        for machine in MACHINES:
            chosen = settings(max_examples=50, stateful_step_count=50, deadline=None, database=None, print_blob=True)
            try:
                run_state_machine_as_test(machine, settings=chosen)
            except Exception:
                traceback.print_exc()
                found += 1
        rounds += 1
    print(f"machines: {rounds * len(MACHINES) * 50} examples", flush=True)
    return found


def _mutate(name: str, seed: int, share_s: float) -> int:
    corpus = [path.read_bytes() for path in entries(name)]
    until, tried = time.monotonic() + share_s, 0
    while time.monotonic() < until:
        for data in mutated(corpus, seed + tried, _BATCH):
            try:
                TARGETS[name](data)
            except Exception:
                traceback.print_exc()
                print(f"{name}: kept as {keep(name, data)}", flush=True)
                return 1
        tried += _BATCH
    print(f"{name}: {tried} inputs", flush=True)
    return 0


def _atheris(name: str, seed: int, share_s: float) -> int:
    """Run a target in a process of its own: libFuzzer ends its process, and has written what it found."""
    before = set(entries(name))
    command = [sys.executable, "-m", "tests.fuzz.in_atheris", name, str(max(1, int(share_s))), str(seed)]
    status = subprocess.run(command, check=False).returncode
    found = set(entries(name)) - before
    print(
        f"{name}: {'nothing' if not status else ', '.join(map(str, sorted(found))) or f'status {status}'}", flush=True
    )
    return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
