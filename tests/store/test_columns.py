"""What SQLite keeps as text: times that sort as they are, decimals that are exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from csms.store.columns import Exact, UtcTime

_time_text = UtcTime().bind_processor(sqlite.dialect())
_decimal_text = Exact().bind_processor(sqlite.dialect())


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_iso_8601_text_with_microseconds(at: datetime) -> None:
    assert _time_text(at) == at.isoformat(timespec="microseconds")
    assert UtcTime().process_result_value(_time_text(at), sqlite.dialect()) == at


def test_texts_of_times_sort_as_the_times_do() -> None:
    whole = datetime(2026, 3, 1, 12, tzinfo=UTC)
    times = [whole + timedelta(microseconds=microseconds) for microseconds in (-1, 0, 1, 10, 100_000, 1_000_000)]
    assert sorted(map(_time_text, times)) == list(map(_time_text, times))


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_decimal_is_exact_text_without_an_exponent(value: Decimal) -> None:
    text = _decimal_text(value)
    assert text == format(value, "f")
    assert Decimal(text) == value


@pytest.mark.parametrize("processor", [_time_text, _decimal_text])
def test_nothing_stays_nothing(processor) -> None:
    assert processor(None) is None
