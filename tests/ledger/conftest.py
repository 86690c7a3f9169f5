"""Fixtures of the ledger's tests."""

from __future__ import annotations

import pytest

from tests.ledger.station import Station


@pytest.fixture
def station() -> Station:
    return Station()
