"""The arithmetic of sessions: exact, never negative, and the same however the readings are cut into messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import accumulate, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from csms.ledger import energy
from csms.ledger.energy import EnergyMeter
from tests.ledger.station import Station

BEGUN = datetime(2026, 3, 1, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
steps_wh = st.decimals(min_value=0, max_value=1900, places=3)
registers_wh = st.decimals(min_value=-5, max_value=10**9, places=3)
starts_wh = st.decimals(min_value=1, max_value=10**9, places=3)
contexts = st.sampled_from([None, "Sample.Periodic", "Sample.Clock", "Transaction.Begin", "Transaction.End"])


def minute(index: int) -> datetime:
    return BEGUN + index * MINUTE


def run(start: Decimal, registers: list[Decimal], stop: Decimal | None) -> EnergyMeter:
    meter = energy.begin(start, BEGUN)
    for index, register in enumerate(registers, 1):
        meter = energy.read(meter, register, minute(index))
    return energy.finish(meter, stop, minute(len(registers) + 1))


@given(
    registers_wh,
    st.lists(st.tuples(registers_wh, st.integers(-10, 600), contexts, st.booleans()), max_size=12),
    st.none() | registers_wh,
    st.integers(-10, 600),
)
def test_energy_is_never_negative(
    start: Decimal, readings: list[tuple[Decimal, int, str | None, bool]], stop: Decimal | None, end: int
) -> None:
    """Never bill below zero, whatever the meter says and in whatever order."""
    meter = energy.begin(start, BEGUN)
    for value, index, context, is_interval in readings:
        before = meter.energy_wh
        take = energy.read_interval if is_interval else energy.read
        meter = take(meter, value, minute(index), context)
        assert meter.energy_wh >= before >= 0, "what has flowed cannot flow back"
    assert energy.finish(meter, stop, minute(end)).energy_wh >= 0


@given(starts_wh, st.lists(steps_wh, min_size=1, max_size=40))
def test_a_register_that_grows_gives_exactly_the_last_minus_the_first(start: Decimal, steps: list[Decimal]) -> None:
    """No float drift: thousandths of a Wh on a meter of a GWh."""
    *registers, stop = list(accumulate(steps, initial=start))[1:]
    meter = run(start, registers, stop)
    assert meter.energy_wh == stop - start
    assert not meter.estimated


@given(starts_wh, st.lists(st.lists(steps_wh, min_size=1, max_size=6), min_size=2, max_size=5), st.data())
def test_of_a_register_that_is_reset_the_segments_are_summed(
    start: Decimal, segments: list[list[Decimal]], data: st.DataObject
) -> None:
    """Register goes backwards (OCPP.Core#33): sum the segments between resets, and say so."""
    registers: list[Decimal] = []
    expected = Decimal(0)
    base = start
    for segment in segments:
        values = list(accumulate(segment, initial=base))
        registers.extend(values if registers else values[1:])
        expected += values[-1] - base
        if values[-1] == 0:
            break  # lower than this no register can fall
        base = data.draw(st.decimals(min_value=0, max_value=values[-1] - Decimal("0.001"), places=3))
    meter = run(start, registers, registers[-1])
    assert meter.energy_wh == expected
    assert meter.estimated == any(later < earlier for earlier, later in pairwise([start, *registers]))


@given(starts_wh, st.lists(steps_wh, min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_readings_of_the_past_may_come_in_any_order(start: Decimal, steps: list[Decimal], random: object) -> None:
    *registers, stop = list(accumulate(steps, initial=start))[1:]
    readings = [(minute(index), register) for index, register in enumerate(registers, 1)]
    random.shuffle(readings)  # type: ignore[attr-defined]
    meter = energy.begin(start, BEGUN)
    for at, register in readings:
        meter = energy.read(meter, register, at)
    meter = energy.finish(meter, stop, minute(60))
    assert (meter.energy_wh, meter.estimated) == (stop - start, False)


@given(starts_wh, st.lists(registers_wh, min_size=2, max_size=10), registers_wh, st.integers(0, 8))
def test_a_reading_older_than_the_latest_changes_nothing(
    start: Decimal, registers: list[Decimal], old: Decimal, index: int
) -> None:
    meter = energy.begin(start, BEGUN)
    for number, register in enumerate(registers, 1):
        meter = energy.read(meter, register, minute(number))
    if meter.latest_at is not None and minute(index) < meter.latest_at:
        assert energy.read(meter, old, minute(index)) is meter


@settings(max_examples=50, deadline=None)
@given(starts_wh, st.lists(steps_wh, min_size=1, max_size=8), st.data())
def test_a_session_uses_the_same_however_its_readings_are_cut_into_messages(
    start: Decimal, steps: list[Decimal], data: st.DataObject
) -> None:
    """MeterValues of one or many, before the stop or in its transactionData, once or twice: the same energy."""
    registers = list(accumulate(steps, initial=start))[1:]
    station = Station()
    transaction_id = station.start("10:00", str(start))
    values = [station.value(f"10:{index:02}", str(register)) for index, register in enumerate(registers, 1)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=3)))
    parts = [values[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(values)], strict=True)]
    repeated = data.draw(st.booleans())
    for part in parts[:-1]:
        for _ in range(2 if repeated else 1):
            station.meter(*part, transaction_id=transaction_id)
    station.stop(transaction_id, "11:00", str(registers[-1]), data=tuple(parts[-1]))
    row = station.transactions[transaction_id]
    assert row.energy_wh == registers[-1] - start
    assert row.quality == "good"
    assert len(station.payloads("meter_reading")) == len(values)


@given(st.permutations(range(1, 13)), st.lists(steps_wh, min_size=12, max_size=12), st.lists(st.integers(0, 11)))
def test_intervals_are_summed_once_in_any_order(order: list[int], values: list[Decimal], again: list[int]) -> None:
    """Interval measurands: summed once per (timestamp, context), also where one comes late."""
    meter = energy.begin(Decimal(0), BEGUN)
    for index in (*order, *(order[number] for number in again)):
        meter = energy.read_interval(meter, values[index - 1], minute(index), "Sample.Periodic")
    assert energy.finish(meter, Decimal(0), minute(60)).energy_wh == sum(values)


def test_the_times_of_intervals_that_are_remembered_are_bounded() -> None:
    meter = energy.begin(Decimal(0), BEGUN)
    for index in range(500):
        meter = energy.read_interval(meter, Decimal(1), minute(index), None)
    assert len(meter.intervals_seen["Sample.Periodic"]) <= 64
    assert energy.read_interval(meter, Decimal(1), minute(3), None) is meter
    assert meter.intervals_wh == 500
