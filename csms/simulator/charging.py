"""One charging session while it runs: where the meter and the car are at any moment. Pure but for the clock it is given."""

from __future__ import annotations

from attrs import define

from csms.simulator.curve import ChargingCurve, Reading
from csms.simulator.dialect import TransactionMessages
from csms.simulator.sessions import SessionRecord


@define(eq=False)
class ChargingSession:
    """A session from plugging in to unplugging. ``elapsed_s`` are simulated seconds that were accounted for so far."""

    record: SessionRecord
    curve: ChargingCurve
    messages: TransactionMessages
    began_s: float
    speed: float
    duration_s: float
    elapsed_s: float = 0.0
    stop_reason: str | None = None

    @property
    def over(self) -> bool:
        """Whether it is time to stop."""
        return self.stop_reason is not None or self.elapsed_s >= self.duration_s

    def due_s(self, step_s: float) -> float:
        """Return the time of the reactor at which ``step_s`` more simulated seconds will have passed.

        Counted from the beginning, so that timers that are late do not add up.
        """
        return self.began_s + (self.elapsed_s + step_s) / self.speed

    def passed_s(self, now_s: float, step_s: float) -> float:
        """Return how many simulated seconds of a step have passed at ``now_s``."""
        return min(step_s, max(0.0, (now_s - self.began_s) * self.speed - self.elapsed_s))

    def at(self, elapsed_s: float) -> tuple[Reading, int]:
        """Return the reading and the register (whole Wh, as the meter counts) after ``elapsed_s``."""
        reading = self.curve.at(elapsed_s)
        return reading, self.record.meter_start_wh + int(reading.energy_wh)
