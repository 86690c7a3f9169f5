"""Temporary folders in memory, where there is room: on a disk, databases and brokers wait for it most of their time.

A process that is killed leaves the same behind in memory as on a disk. With TMPDIR set, tests take that folder.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_FOLDER = Path("/dev/shm")
_ROOM_BYTES = 2 * 1024**3


def _can_be_used() -> bool:
    if not _FOLDER.is_mount():
        return False
    system = os.statvfs(_FOLDER)
    return system.f_bavail * system.f_frsize >= _ROOM_BYTES and not system.f_flag & os.ST_NOEXEC


def use_for_temporary_files() -> None:
    """Have this process and its children make their temporary files there."""
    if "TMPDIR" not in os.environ and _can_be_used():
        os.environ["TMPDIR"] = tempfile.tempdir = str(_FOLDER)
