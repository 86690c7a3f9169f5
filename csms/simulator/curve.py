"""A plausible charging curve in closed form: a short ramp, constant power, a taper above 80 % state of charge.

Closed form rather than small steps: the energy at any moment is exact whatever the interval between two readings, a
thousand chargers cost nothing, and two readings of the same moment agree.
"""

from __future__ import annotations

import math
from random import Random
from typing import Final, Literal

from attrs import frozen

VOLTAGE_V: Final = 230.0
RAMP_S: Final = 20.0
TAPER_FROM: Final = 0.8
FULL_POWER_SHARE: Final = 0.05
"""The share of the full power that is left just before the battery is full."""
_S_PER_H: Final = 3600.0


@frozen
class Reading:
    """What the meter and the car say ``elapsed_s`` seconds into a session."""

    elapsed_s: float
    energy_wh: float
    power_w: float
    soc_percent: float


@frozen
class ChargingCurve:
    """One session of one car: ``max_power_w`` over all phases, battery capacity, state of charge at the start (0 to 1)."""

    max_power_w: float
    battery_wh: float
    soc_at_start: float
    phases: Literal[1, 3]

    @classmethod
    def choose(cls, random: Random, phases: Literal[1, 3]) -> ChargingCurve:
        """Choose a car and a state of charge as they come along at a public charge point."""
        ampere = random.choice((10, 16, 16, 32)) if phases == 3 else random.choice((13, 16, 32))
        return cls(
            max_power_w=ampere * VOLTAGE_V * phases,
            battery_wh=random.choice((40_000, 58_000, 64_000, 77_000, 100_000)),
            soc_at_start=round(random.uniform(0.1, 0.7), 3),
            phases=phases,
        )

    def at(self, elapsed_s: float) -> Reading:
        """Return the reading ``elapsed_s`` seconds after the start."""
        # The ramp stretches time: E(t) = G(s(t)), and so P(t) = G'(s(t)) * s'(t).
        if elapsed_s < RAMP_S:
            effective_s, pace = elapsed_s * elapsed_s / (2 * RAMP_S), elapsed_s / RAMP_S
        else:
            effective_s, pace = elapsed_s - RAMP_S / 2, 1.0
        energy_wh, power_w = self._without_ramp(effective_s)
        return Reading(elapsed_s, energy_wh, power_w * pace, 100 * (self.soc_at_start + energy_wh / self.battery_wh))

    def _without_ramp(self, elapsed_s: float) -> tuple[float, float]:
        """Return energy (Wh) and power (W) after ``elapsed_s`` without the ramp.

        In the taper power falls linearly with the energy x above 80 %: dx/dt = P (1 - k x), so 1 - k x decays
        exponentially, and reaches `FULL_POWER_SHARE` when the battery is full.
        """
        until_taper_wh = max(0.0, (TAPER_FROM - self.soc_at_start) * self.battery_wh)
        until_taper_s = until_taper_wh / self.max_power_w * _S_PER_H
        if elapsed_s <= until_taper_s:
            return self.max_power_w * elapsed_s / _S_PER_H, self.max_power_w
        k = (1 - FULL_POWER_SHARE) / ((1 - TAPER_FROM) * self.battery_wh)
        at_start_wh = max(0.0, (self.soc_at_start - TAPER_FROM) * self.battery_wh)
        share = (1 - k * at_start_wh) * math.exp(-k * self.max_power_w * (elapsed_s - until_taper_s) / _S_PER_H)
        if share <= FULL_POWER_SHARE:
            return (1 - self.soc_at_start) * self.battery_wh, 0.0
        # Never below 0: the two terms cancel out at the start of a session above 80 %.
        return max(0.0, until_taper_wh + (1 - share) / k - at_start_wh), share * self.max_power_w
