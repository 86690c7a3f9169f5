"""How much energy flowed in a session, from what its meter said; exact decimals in Wh.

A register that goes backwards was reset: the segments between resets are summed, and the result is an estimate. Energy is
never negative, and a register that starts at an impossible 0 does not bill the meter's whole life.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

ZERO = Decimal(0)
_MAX_WATTS = Decimal(1_000_000)
"""No charge point delivers more: a first register further from a start at 0 was not counted from 0."""
_ALWAYS_PLAUSIBLE_WH = Decimal(2_000)
_BEGIN = "Transaction.Begin"
_MAX_SEEN = 64
"""How far back, in intervals, a late one is still told from one that came again."""


class EnergyMeter(Struct, frozen=True, kw_only=True):
    """The state of the arithmetic between two messages."""

    begun_at: datetime
    segment_start_wh: Decimal | None
    """Where the register stood when the present segment began; None where it is not known yet."""
    latest_wh: Decimal | None = None
    latest_at: datetime | None = None
    earlier_segments_wh: Decimal = ZERO
    intervals_wh: Decimal | None = None
    """The sum of the interval measurands, used only where there is no register."""
    intervals_seen: dict[str, tuple[datetime, ...]] = {}
    """The latest times of intervals that are in the sum, by context, in order."""
    estimated: bool = False

    @property
    def energy_wh(self) -> Decimal:
        """The energy so far, by the register."""
        if self.segment_start_wh is None or self.latest_wh is None:
            return self.earlier_segments_wh
        return self.earlier_segments_wh + self.latest_wh - self.segment_start_wh

    @property
    def so_far_wh(self) -> Decimal:
        """The energy of a session that goes on: by the register or, where there was none yet, by intervals."""
        return self.energy_wh if self.latest_wh is not None else self.intervals_wh or ZERO


def begin(meter_start_wh: Decimal, at: datetime) -> EnergyMeter:
    """Start a session; a negative register means that it is not known."""
    if meter_start_wh < 0:
        return EnergyMeter(begun_at=at, segment_start_wh=None, estimated=True)
    return EnergyMeter(begun_at=at, segment_start_wh=meter_start_wh)


def rebase(meter: EnergyMeter, register_wh: Decimal, at: datetime) -> EnergyMeter:
    """Count from an earlier register than the first that was heard: it came late, or it is that of the beginning.

    One that is above, or an impossible 0, makes the result an estimate: the register was reset meanwhile.
    """
    start = meter.segment_start_wh
    meter = replace(meter, begun_at=at)
    if start is None or start == register_wh:
        return replace(meter, segment_start_wh=register_wh)
    jumps = register_wh == 0 and start > _plausible_wh(at, meter.latest_at or at)
    if meter.earlier_segments_wh or register_wh > start or jumps:
        return replace(meter, estimated=True)
    return replace(meter, segment_start_wh=register_wh)


def read(meter: EnergyMeter, register_wh: Decimal, at: datetime, context: str | None = None) -> EnergyMeter:
    """Take a register value; one that is older than the latest is left out of the arithmetic."""
    if register_wh < 0 or (meter.latest_at is not None and at < meter.latest_at):
        return meter
    if context == _BEGIN:
        return _read_begin(meter, register_wh, at)
    return _advance(meter, register_wh, at)


def read_interval(meter: EnergyMeter, energy_wh: Decimal, at: datetime, context: str | None) -> EnergyMeter:
    """Take an interval value, once for each time and context; where a register was read there is no use for it."""
    if energy_wh < 0 or meter.latest_wh is not None:
        return meter
    key = context or "Sample.Periodic"
    seen = meter.intervals_seen.get(key, ())
    if at in seen or (len(seen) == _MAX_SEEN and at < seen[0]):
        return meter
    return replace(
        meter,
        intervals_wh=(meter.intervals_wh or ZERO) + energy_wh,
        intervals_seen={**meter.intervals_seen, key: tuple(sorted((*seen, at))[-_MAX_SEEN:])},
    )


def finish(meter: EnergyMeter, meter_stop_wh: Decimal | None, at: datetime) -> EnergyMeter:
    """Take the final register value, whatever its time; None or a negative one is unknown, and the latest stands in."""
    if meter_stop_wh is None or meter_stop_wh < 0:
        meter = replace(meter, estimated=True)
        return _use_intervals(meter, at) if meter.latest_wh is None else meter
    if meter.latest_wh is None and meter.intervals_wh and meter_stop_wh == (meter.segment_start_wh or ZERO):
        return _use_intervals(replace(meter, estimated=True), at)
    return _advance(meter, meter_stop_wh, at)


def _read_begin(meter: EnergyMeter, register_wh: Decimal, at: datetime) -> EnergyMeter:
    """Transaction.Begin sets the baseline where StartTransaction had none to tell; it is no reading of progress."""
    if meter.latest_wh is None and register_wh > 0 and not meter.segment_start_wh:
        return replace(meter, segment_start_wh=register_wh, latest_wh=register_wh, latest_at=at)
    return meter


def _advance(meter: EnergyMeter, register_wh: Decimal, at: datetime) -> EnergyMeter:
    start, latest = meter.segment_start_wh, meter.latest_wh
    before = latest if latest is not None else start
    if start is None or before is None:
        return replace(meter, segment_start_wh=register_wh, latest_wh=register_wh, latest_at=at)
    if before == 0 and meter.earlier_segments_wh == 0 and register_wh > _plausible_wh(meter.begun_at, at):
        return replace(meter, segment_start_wh=register_wh, latest_wh=register_wh, latest_at=at, estimated=True)
    if register_wh < before:
        return replace(
            meter,
            earlier_segments_wh=meter.earlier_segments_wh + before - start,
            segment_start_wh=register_wh,
            latest_wh=register_wh,
            latest_at=at,
            estimated=True,
        )
    return replace(meter, latest_wh=register_wh, latest_at=at)


def _use_intervals(meter: EnergyMeter, at: datetime) -> EnergyMeter:
    start = meter.segment_start_wh or ZERO
    return replace(meter, segment_start_wh=start, latest_wh=start + (meter.intervals_wh or ZERO), latest_at=at)


def _plausible_wh(begun_at: datetime, at: datetime) -> Decimal:
    seconds = Decimal(max(0, round((at - begun_at).total_seconds())))
    return max(_ALWAYS_PLAUSIBLE_WH, _MAX_WATTS * seconds / 3600)
