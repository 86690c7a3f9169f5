"""What ``twistd csms`` begins with: its options, and the process made ready for the daemon."""

from __future__ import annotations

import ctypes
import os
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import txaio
from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions

from csms import reactor as lean_reactor
from csms.setting_sources import SettingsError
from csms.settings import load
from csms.store.database import parse_url
from csms.store.errors import StoreError

_M_ARENA_MAX = -8


class Options(UsageOptions):
    """Options of ``twistd csms``."""

    longdesc = "A charging station management daemon. Without a file it starts with defaults; see docs/settings.md."
    optParameters = [  # noqa: RUF012
        ["config", "c", None, "a TOML file with settings, such as /etc/csms/csms.toml"]
    ]

    def postOptions(self) -> None:
        """Load the settings here, where an error can still be one line and a status."""
        # The daemon changes directory and forks later: the file's path is of the directory that it is started in.
        path = self["config"]
        try:
            self["settings"] = load(str(Path(path).absolute()) if path else None)
            parse_url(self["settings"].database.url.get_secret_value())
        except (SettingsError, StoreError) as error:
            raise SystemExit(f"csms: {error}") from None


def makeService(options: Mapping[str, Any]) -> IService:
    """Make the daemon from its options."""
    # Before the rest of us is imported: some libraries import the reactor, and with it Twisted's default one.
    lean_reactor.install()
    from twisted.internet import reactor

    from csms.composition import build

    # Twisted's clock is the wall clock: after a step backwards every timer would stand still (twisted #2424).
    reactor.seconds = time.monotonic  # type: ignore[method-assign]
    txaio.config.loop = reactor
    _share_one_heap()
    # Passwords and keys are in memory; a core would put them on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    return cast(IService, build(reactor, options["settings"], os.environ))


def _share_one_heap() -> None:
    """Have all threads allocate from one heap of the C library, where that is glibc.

    By default each gets its own, which keeps what a burst of connections took. One Python thread runs at a time anyway.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
