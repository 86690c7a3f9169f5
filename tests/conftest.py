"""Fixtures for all tests."""

import faulthandler

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


def pytest_configure() -> None:
    memory.use_for_temporary_files()


def pytest_unconfigure() -> None:
    """A thread that a failed test left behind must not keep the test run from ending: say where it stands, and end."""
    faulthandler.dump_traceback_later(20, exit=True)
