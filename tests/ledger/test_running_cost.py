"""What a session costs so far, by the arithmetic of its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from csms.ledger import energy
from csms.ledger.cost import Tariff, cost, running_cost
from csms.ledger.energy import EnergyMeter
from csms.ledger.state import Transaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RATES = st.decimals(0, 100, places=4)


def running(meter: EnergyMeter) -> Transaction:
    return Transaction(
        transaction_id=1,
        client_id="CP1",
        connector_id=1,
        id_tag="TAG",
        status="active",
        start_time=NOW,
        station_start="",
        meter_start_wh=Decimal(1000),
        meter=meter,
    )


@given(RATES, RATES, RATES, st.integers(0, 10**6), st.integers(0, 10**5))
def test_it_is_what_a_stop_now_would_cost(
    energy_rate: Decimal, time_rate: Decimal, fee: Decimal, wh: int, seconds: int
) -> None:
    tariff = Tariff("EUR", energy_rate, time_rate, fee)
    meter = energy.read(energy.begin(Decimal(1000), NOW), Decimal(1000 + wh), NOW + timedelta(seconds=seconds))
    so_far = running_cost(running(meter), tariff, NOW + timedelta(seconds=seconds))
    assert so_far == cost(tariff, Decimal(wh), Decimal(seconds))


def test_before_the_first_reading_and_by_intervals() -> None:
    tariff = Tariff("EUR", Decimal(1))
    meter = energy.begin(Decimal(1000), NOW)
    assert running_cost(running(meter), tariff, NOW).total == 0
    meter = energy.read_interval(meter, Decimal(2500), NOW + timedelta(minutes=5), None)
    assert running_cost(running(meter), tariff, NOW).total == Decimal("2.5")


def test_a_clock_that_steps_back_makes_no_discount() -> None:
    tariff = Tariff("EUR", time_rate=Decimal(1), session_fee=Decimal(2))
    assert running_cost(running(energy.begin(Decimal(0), NOW)), tariff, NOW - timedelta(hours=1)).total == 2
