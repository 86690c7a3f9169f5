"""Fixtures."""

from tests.fakes import logged

__all__ = ["logged"]
