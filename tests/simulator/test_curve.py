"""The charging curve: exact energy, plausible power."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.simulator.curve import FULL_POWER_SHARE, RAMP_S, ChargingCurve

curves = st.builds(
    ChargingCurve,
    max_power_w=st.floats(1_000, 22_000),
    battery_wh=st.floats(10_000, 120_000),
    soc_at_start=st.floats(0, 0.99),
    phases=st.sampled_from([1, 3]),
)
seconds = st.floats(0, 200_000)


@given(curves, seconds, seconds)
def test_energy_never_falls_and_never_exceeds_the_battery(curve, one, other):
    earlier, later = curve.at(min(one, other)), curve.at(max(one, other))
    assert 0 <= earlier.energy_wh <= later.energy_wh + 1e-6
    assert later.energy_wh <= (1 - curve.soc_at_start) * curve.battery_wh + 1e-6
    assert later.soc_percent <= 100 + 1e-6


@given(st.floats(10_000, 120_000), st.floats(0.8, 0.99))
def test_a_session_above_the_taper_begins_with_nothing(battery_wh, soc_at_start):
    assert ChargingCurve(11_040, battery_wh, soc_at_start, 3).at(1e-90).energy_wh >= 0


@given(curves, seconds)
def test_power_is_never_negative_and_never_above_the_maximum(curve, elapsed_s):
    assert 0 <= curve.at(elapsed_s).power_w <= curve.max_power_w


@pytest.mark.parametrize("soc_at_start", [0.1, 0.79, 0.8, 0.9])
def test_energy_is_the_integral_of_power(soc_at_start):
    curve = ChargingCurve(11_040, 58_000, soc_at_start, 3)
    step_s, summed_wh = 1.0, 0.0
    for second in range(20_000):
        summed_wh += curve.at(second + step_s / 2).power_w * step_s / 3600
        if second % 1000 == 0:
            assert curve.at(second + step_s).energy_wh == pytest.approx(summed_wh, abs=0.5)


def test_power_ramps_up_stays_and_tapers():
    curve = ChargingCurve(11_000, 60_000, 0.5, 3)
    assert curve.at(0).power_w == 0
    assert curve.at(RAMP_S / 2).power_w == pytest.approx(5_500)
    assert curve.at(3_000).power_w == 11_000
    powers = [curve.at(second).power_w for second in range(6_000, 20_000, 100)]
    assert powers == sorted(powers, reverse=True)
    assert powers[0] < 11_000
    assert powers[-1] == 0


def test_a_full_battery_takes_nothing_more():
    curve = ChargingCurve(7_360, 40_000, 0.7, 1)
    full = curve.at(100_000)
    assert (full.power_w, full.energy_wh, full.soc_percent) == (0, pytest.approx(12_000), pytest.approx(100))
    assert FULL_POWER_SHARE > 0  # else the battery would never be full


@pytest.mark.parametrize(("phases", "highest_w"), [(1, 7_360), (3, 22_080)])
def test_the_same_seed_chooses_the_same_car(phases, highest_w):
    first, second = (ChargingCurve.choose(Random(7), phases) for _ in range(2))
    assert first == second
    assert first.phases == phases
    assert 0 < first.max_power_w <= highest_w
