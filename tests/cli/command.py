"""Runs the ``csms`` command as a user does: in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
_SETTINGS = ("CSMS_", "MQTT_", "HTTP_")


def environment(**settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    return {**kept, "PYTHONPATH": str(CHECKOUT), **settings}


def csms(*arguments, cwd, timeout=60, **settings):
    """Run the command; its output, its errors' lines and its status."""
    done = subprocess.run(
        [sys.executable, "-m", "csms.cli.main", *map(str, arguments)],
        cwd=cwd,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.stdout, done.stderr.splitlines(), done.returncode
