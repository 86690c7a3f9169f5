"""Money: exact decimals, rounded once, half up, to the currency's minor unit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ledger.cost import Tariff, cost
from csms.ledger.numbers import kilo, number, rounded
from tests.ledger.station import Station

rates = st.decimals(min_value=0, max_value=1000, places=4)


@pytest.mark.parametrize(
    ("currency", "rate", "total"),
    [
        ("EUR", "0.125", "0.13"),
        ("EUR", "0.1249", "0.12"),
        ("EUR", "0.135", "0.14"),
        ("EUR", "0.145", "0.15"),
        ("JPY", "0.5", "1"),
        ("JPY", "1.5", "2"),
        ("JPY", "2.5", "3"),
        ("JPY", "2.4999", "2"),
        ("KWD", "0.0005", "0.001"),
        ("KWD", "0.1234", "0.123"),
        ("KWD", "0.1235", "0.124"),
        ("XXX", "0.125", "0.13"),
    ],
)
def test_a_cost_is_rounded_half_up_to_the_minor_unit(currency: str, rate: str, total: str) -> None:
    """Half up, not half to even; JPY has no minor unit, KWD a thousandth, an unknown currency a hundredth."""
    assert str(cost(Tariff(currency, Decimal(rate)), Decimal(1000), Decimal(0)).total) == total


@pytest.mark.parametrize(("seconds", "rate", "total"), [(20, "16.5", 6), (10, "3", 1), (100, "0.3", 1), (7, "0", 0)])
def test_a_third_of_a_minute_does_not_lose_the_half(seconds: int, rate: str, total: int) -> None:
    """20 s are a third of a minute: 20 s at 16.5 a minute are 5.5, not 5.4999."""
    assert cost(Tariff("JPY", time_rate=Decimal(rate)), Decimal(0), Decimal(seconds)).total == total


def test_the_parts_are_not_rounded_before_they_are_summed() -> None:
    """Rounded once: 0.004 + 0.004 + 0.004 is 0.012, not nothing."""
    tariff = Tariff("EUR", Decimal("0.004"), Decimal("0.004"), Decimal("0.004"))
    price = cost(tariff, Decimal(1000), Decimal(60))
    assert (price.total, price.energy, price.time, price.session) == (
        Decimal("0.01"),
        *[Decimal("0.004")] * 3,
    )


@given(
    rates, rates, rates, st.decimals(0, 10**6, places=3), st.integers(0, 10**6), st.sampled_from(["EUR", "JPY", "KWD"])
)
def test_a_cost_is_the_exact_sum_rounded(
    energy_rate: Decimal, time_rate: Decimal, fee: Decimal, energy_wh: Decimal, seconds: int, currency: str
) -> None:
    digits = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    exact = (
        Fraction(energy_wh) / 1000 * Fraction(energy_rate) + Fraction(seconds, 60) * Fraction(time_rate) + Fraction(fee)
    )
    total = cost(Tariff(currency, energy_rate, time_rate, fee), energy_wh, Decimal(seconds)).total
    assert total == Fraction((exact * 10**digits + Fraction(1, 2)).__floor__(), 10**digits)


@pytest.mark.parametrize(
    ("tariff", "model"),
    [
        (Tariff(), "free"),
        (Tariff("EUR", Decimal("0.1")), "energy"),
        (Tariff("EUR", time_rate=Decimal("0.1")), "time"),
        (Tariff("EUR", Decimal("0.1"), session_fee=Decimal(1)), "energy+session"),
    ],
)
def test_the_pricing_model_names_the_rates_that_count(tariff: Tariff, model: str) -> None:
    assert tariff.pricing_model == model


def test_an_event_carries_the_rounded_total_and_the_exact_parts() -> None:
    station = Station(Tariff("JPY", Decimal("30.5"), Decimal("16.5"), Decimal(100)))
    transaction_id = station.start("10:00", 0)
    station.stop(transaction_id, "10:00:20", 1)
    cost_event = station.payload("session_cost")
    assert cost_event["estimatedCost"] == 106
    assert cost_event["breakdown"] == {"energy": 0.0305, "time": 5.5, "session": 100}
    assert (cost_event["currency"], cost_event["energyRate"], cost_event["timeRate"]) == ("JPY", 30.5, 16.5)
    assert (cost_event["energyConsumed"], cost_event["duration"]) == (0.001, 0.33)


def test_energy_that_is_too_little_to_show_is_still_billed() -> None:
    """The cost is of the exact energy, not of the one that is rounded for the event."""
    station = Station(Tariff("EUR", Decimal(100)))
    completed = station.session(1000, meter_stop="1000.4")
    assert completed["energyUsed"] == 0
    assert station.payload("session_cost")["estimatedCost"] == 0.04


@pytest.mark.parametrize(
    ("value", "json_number"),
    [("1.0", 1), ("1E+3", 1000), ("0.10", 0.1), ("-0", 0), ("9007199254740993", 9007199254740993)],
)
def test_a_json_number_is_an_integer_where_it_can_be(value: str, json_number: float) -> None:
    made = number(Decimal(value))
    assert made == json_number
    assert type(made) is type(json_number)


@given(st.decimals(0, 10**9, places=4))
def test_rounding_is_half_up(value: Decimal) -> None:
    expected = (Fraction(value) * 100 + Fraction(1, 2)).__floor__()
    assert Decimal(repr(rounded(value, 2))) == Decimal(expected) / 100
    assert Decimal(repr(kilo(value))) == Decimal((Fraction(value) + Fraction(1, 2)).__floor__()) / 1000
