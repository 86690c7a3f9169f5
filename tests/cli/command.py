"""Runs the ``csms`` command as a user does: in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from csms.cli.main import main
from tests.forked import Forked

CHECKOUT = Path(__file__).parents[2]
_SETTINGS = ("CSMS_", "MQTT_", "HTTP_")


def environment(**settings):
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
    return {**kept, "PYTHONPATH": str(CHECKOUT), **settings}


def csms(*arguments, cwd, timeout=60, **settings):
    """Run the command; its output, its errors' lines and its status."""
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        command = ["csms", *map(str, arguments)]
        process = Forked(main, command, cwd=cwd, env=environment(**settings), output=output, errors=errors)
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
        return output.read_text(), errors.read_text().splitlines(), status
