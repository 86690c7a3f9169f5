"""A daemon that must not go on ends with a status that says so, after one line, with everything in order behind it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys

from tests.end_to_end.daemon import ROOT
from tests.programs import free_port

_PROGRAM = """
import os
from twisted.internet import reactor
from csms import composition, settings
from csms.store.errors import StoreBroken

daemon = composition.build(reactor, settings.load(None), os.environ)
daemon.startService()
reactor.addSystemEventTrigger("before", "shutdown", daemon.stopService)

def break_it():
    if daemon.is_listening:
        # As the writer does when SQLite speaks of a disk I/O error.
        daemon._store.on_broken(StoreBroken("disk I/O error"))
    else:
        reactor.callLater(0.01, break_it)

reactor.callWhenRunning(break_it)
reactor.run()
"""


def test_a_database_that_must_not_be_trusted_ends_the_daemon_with_status_1(tmp_path):
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "CSMS_OCPP_LISTEN": f"tcp:{free_port()}:interface=127.0.0.1",
        "HTTP_PORT": str(free_port()),
    }
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "csms: the database failed in a way that must not be retried: disk I/O error\n"
    with sqlite3.connect(tmp_path / "csms.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
