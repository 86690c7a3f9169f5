"""Meters whose values have to be multiplied."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ledger.clock import Instant
from csms.ledger.metering import meter_value
from csms.ledger.samples import Sample
from csms.ledger.scaling import scaled_meter_value
from tests.fakes import NOW

AT = Instant(NOW, "", False)


def _register(text, factor="10", **members):
    value = scaled_meter_value(AT, [Sample(text, **members)], Decimal(factor))
    assert value.samples == [Sample(text, **members)]
    return [register for _, register in value.contents.registers], value.contents.dropped


@pytest.mark.parametrize(
    ("text", "factor", "unit", "expected"),
    [
        ("100", "10", None, "1000"),
        ("1.5", "10", "kWh", "15000"),
        ("0.1", "0.001", "kWh", "0.1"),
        ("1e3", "2", "Wh", "2000"),
        ("-5", "10", "Wh", "-50"),
        ("0", "10", "Wh", "0"),
    ],
)
def test_energy(text, factor, unit, expected):
    assert _register(text, factor, unit=unit) == ([Decimal(expected)], 0)


@pytest.mark.parametrize("text", ["", "NaN", "sNaN", "Infinity", "1_0", "1e-1000000", "1e1000000", "9" * 50, "12x"])
def test_what_is_no_number_is_dropped_as_ever(text):
    assert _register(text) == ([], 1)


@given(st.text(alphabet="0123456789.eE+-_ n", max_size=45), st.decimals("1e-6", "1e6"))
def test_whatever_it_says(text, factor):
    """No text costs more than another, and none that is dropped without a factor is kept with one."""
    scaled = scaled_meter_value(AT, [Sample(text)], factor).contents
    plain = meter_value(AT, [Sample(text)]).contents
    assert scaled.dropped >= plain.dropped
