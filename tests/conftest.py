"""Fixtures for all tests."""

from tests.mosquitto import durable_mosquitto, mosquitto
from tests.postgresql import postgresql, postgresql_database, postgresql_url

__all__ = ["durable_mosquitto", "mosquitto", "postgresql", "postgresql_database", "postgresql_url"]
