"""Fixtures for all tests."""

import faulthandler
import os
import random
import signal
from collections.abc import Callable
from functools import partial
from itertools import chain

import pytest

from tests import memory
from tests.databases import postgresql_copy, postgresql_template, sqlite_copy
from tests.mosquitto import durable_mosquitto, mosquitto
from tests.postgresql import postgresql, postgresql_database, postgresql_url

__all__ = [
    "durable_mosquitto",
    "mosquitto",
    "postgresql",
    "postgresql_copy",
    "postgresql_database",
    "postgresql_template",
    "postgresql_url",
    "sqlite_copy",
]


_TOLD = "told"


def pytest_configure() -> None:
    memory.use_for_temporary_files()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell has what it runs in the background ignore SIGINT. Programs that tests interrupt would inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long comes first: at the end there is then something to do for each core."""
    items.sort(key=lambda item: ("slow" not in item.keywords, "end_to_end" not in item.nodeid))


@pytest.fixture
def seed() -> int:
    """Another one in each run. A test that fails tells it; CSMS_TEST_SEED gives the same again."""
    seed = int(os.environ.get("CSMS_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
    print(f"again: CSMS_TEST_SEED={seed}")
    return seed


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Tells something at the end of the test run, whether the test passes or fails."""
    return partial(record_property, _TOLD)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in chain(*terminalreporter.stats.values()):
        if getattr(report, "when", None) == "call":
            for name, text in report.user_properties:
                if name == _TOLD:
                    terminalreporter.write_line(text)


def pytest_unconfigure(config: pytest.Config) -> None:
    """A thread that a failed test left behind must not keep the test run from ending: say where it stands, and end."""
    # One process of several waits for the others, and is ended by the first.
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(20, exit=True)
