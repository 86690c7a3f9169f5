"""The notes of the field on energy registers, one by one, as whole sessions."""

from __future__ import annotations

import pytest

from tests.ledger.station import Station, sample

INTERVAL = "Energy.Active.Import.Interval"


def used(station: Station) -> tuple[float, str]:
    completed = station.payloads("completed")[-1]
    assert station.payloads("session_cost")[-1]["energyConsumed"] == completed["energyUsed"]
    return completed["energyUsed"], completed["quality"]


@pytest.mark.parametrize(
    ("start", "registers", "stop", "energy"),
    [
        (5000, ["6000", "200", "1200"], 1500, 1 + 1.3),
        (5000, ["6000", "0", "0"], 0, 1),
        (5000, [], 4000, 0),
        (5000, ["6000"], 5500, 1),
        (5000, ["6000", "100", "1100", "50"], 550, 1 + 1 + 0.5),
    ],
    ids=["reset", "reset and nothing more", "stop below the start", "stop below the last reading", "two resets"],
)
def test_a_register_that_goes_backwards_is_an_estimate(
    station: Station, start: int, registers: list[str], stop: int, energy: float
) -> None:
    """Register goes backwards or the stop is below the start (OCPP.Core#33): segments, estimated, raw values kept."""
    completed = station.session(start, *registers, meter_stop=stop)
    assert used(station) == (energy, "estimated")
    assert (completed["meterStart"], completed["meterStop"]) == (start, stop)
    assert [str(reading.energy_wh) for reading in station.readings] == registers


def test_a_meter_stop_of_minus_one_is_unknown(station: Station) -> None:
    """meterStop -1 means unknown: the last register reading stands in."""
    completed = station.session(1000, "1500", "2250", meter_stop=-1)
    assert used(station) == (1.25, "estimated")
    assert (completed["meterStop"], completed["currentMeter"]) == (2250, 2250)


def test_a_meter_stop_of_minus_one_without_any_reading(station: Station) -> None:
    """meterStop -1 and nothing to stand in: nothing is billed."""
    completed = station.session(1000, meter_stop=-1)
    assert used(station) == (0, "estimated")
    assert completed["meterStop"] == 1000
    assert "currentMeter" not in completed


def test_a_meter_start_that_is_unknown_begins_with_the_first_reading(station: Station) -> None:
    """A negative meterStart is no register: the first reading is the baseline."""
    station.session(-1, "5000", "5600", meter_stop=6000)
    assert used(station) == (1, "estimated")
    assert station.payload("started")["meterStart"] == 0


def test_transaction_begin_sets_the_baseline(station: Station) -> None:
    """`Transaction.Begin` sets the baseline and is not a periodic reading (lbbrhzn#1709)."""
    transaction_id = station.start(meter=0)
    station.meter(station.value("10:00", sample("910000", context="Transaction.Begin")), transaction_id=transaction_id)
    station.stop(transaction_id, "10:10", 910083)
    assert used(station) == (0.083, "good")


def test_transaction_begin_does_not_move_a_baseline_that_is_known(station: Station) -> None:
    """`Transaction.Begin` is not a periodic reading: meterStart holds."""
    transaction_id = station.start(meter=1000)
    station.meter(station.value("10:01", sample("1100", context="Transaction.Begin")), transaction_id=transaction_id)
    station.stop(transaction_id, meter=2000)
    assert used(station) == (1, "good")


def test_a_late_transaction_begin_does_not_throw_away_what_was_counted(station: Station) -> None:
    """`Transaction.Begin` after periodic readings (a queue out of order) changes nothing."""
    transaction_id = station.start(meter=0)
    station.meter(("10:05", "500"), transaction_id=transaction_id)
    station.meter(station.value("10:06", sample("400", context="Transaction.Begin")), transaction_id=transaction_id)
    station.stop(transaction_id, meter=1500)
    assert used(station) == (1.5, "good")


def test_transaction_begin_gives_way_to_a_periodic_value_of_the_same_time(station: Station) -> None:
    """`Transaction.Begin` is not a periodic reading: what is published is the value of progress."""
    begin, periodic = sample("100", context="Transaction.Begin"), sample("150", context="Sample.Periodic")
    for samples in ((begin, periodic), (periodic, begin)):
        station.meter(station.value("10:00", *samples), connector_id=2)
        assert station.payloads("meter_reading")[-1]["totalEnergy"] == 0.15


@pytest.mark.parametrize(
    ("registers", "stop"),
    [(["910000"], 910083), (["0", "910000"], 910083), (["910000", "910050"], 910083)],
    ids=["start of 0", "Begin of 0, too", "grows on"],
)
def test_a_start_of_zero_before_a_large_register_is_suspect(station: Station, registers: list[str], stop: int) -> None:
    """A Begin of 0 before a large register is suspect (core#1060: 910 kWh billed for 0.083)."""
    station.session(0, *registers, meter_stop=stop)
    assert used(station) == (0.083, "estimated")


def test_a_start_of_zero_before_a_large_stop_bills_nothing(station: Station) -> None:
    """core#1060 without a reading between: nobody knows, so nothing is billed for the meter's whole life."""
    transaction_id = station.start("10:00", 0)
    station.stop(transaction_id, "10:05", 910083)
    assert used(station) == (0, "estimated")


def test_a_meter_that_counts_from_zero_in_each_session_is_believed(station: Station) -> None:
    """A start of 0 alone is no fault: 7 kWh in an hour are possible."""
    station.session(0, "1500", "3000", meter_stop=7000)
    assert used(station) == (7, "good")


def test_intervals_stand_in_where_there_is_no_register(station: Station) -> None:
    """Interval measurands are summed once per (timestamp, context)."""
    transaction_id = station.start(meter=0)
    for time in ("10:15", "10:30"):
        station.meter(station.value(time, sample("1000", measurand=INTERVAL)), transaction_id=transaction_id)
    again = station.value("10:30", sample("1000", measurand=INTERVAL), sample("230", measurand="Voltage"))
    station.meter(again, transaction_id=transaction_id)
    late = station.value("10:20", sample("0.5", measurand=INTERVAL, unit="kWh"))
    station.stop(transaction_id, meter=0, data=(again, late))
    assert used(station) == (2.5, "estimated")


def test_intervals_are_never_mixed_with_the_register(station: Station) -> None:
    """Interval measurands are never mixed with the register."""
    transaction_id = station.start(meter=1000)
    for time, register in (("10:15", "1400"), ("10:30", "1900")):
        both = station.value(time, sample(register), sample("500", measurand=INTERVAL))
        station.meter(both, transaction_id=transaction_id)
    station.stop(transaction_id, meter=2000)
    assert used(station) == (1, "good")


def test_text_and_empty_values_do_not_count(station: Station) -> None:
    """An empty string is not 0; `NaN` and text are dropped, the rest of the message counts."""
    transaction_id = station.start(meter=1000)
    values = [
        station.value("10:10", text) for text in ("", " ", "NaN", "Infinity", "-inf", "abc", "1,5", "0x10", "1_0")
    ]
    assert [value.contents.dropped for value in values] == [1] * len(values)
    mixed = station.value("10:20", sample("NaN"), sample("230.1", measurand="Voltage"))
    station.meter(*values, mixed, transaction_id=transaction_id)
    assert [payload["measurands"] for payload in station.payloads("meter_reading")] == [
        {"Voltage": {"value": 230.1, "unit": "V"}}
    ]
    assert len(station.readings) == len(values) + 1, "the raw values are kept"
    station.stop(transaction_id, meter=2000)
    assert used(station) == (1, "good")


def test_decimals_are_exact(station: Station) -> None:
    """Values are exact decimals, never binary floats: 0.1 + 0.2 is 0.3."""
    station.session("0.1", *["0.2", "0.4", "0.7"], meter_stop="1500.1")
    assert used(station) == (1.5, "good")
    assert str(station.transactions[1].energy_wh) == "1500.0"


def test_kilowatt_hours_and_watt_hours_are_the_same_register(station: Station) -> None:
    """Units: a register in kWh counts in the same arithmetic as meterStart in Wh."""
    transaction_id = station.start(meter=1000)
    station.meter(station.value("10:30", sample("1.5", unit="kWh")), transaction_id=transaction_id)
    station.stop(transaction_id, meter=-1)
    assert used(station) == (0.5, "estimated")


def test_a_register_in_a_unit_that_is_none_of_energy_is_left_out_of_the_arithmetic(station: Station) -> None:
    """Enums beyond the spec: published as given, but nobody can bill furlongs."""
    transaction_id = station.start(meter=1000)
    station.meter(station.value("10:30", sample("1", unit="Furlong")), transaction_id=transaction_id)
    assert station.payload("meter_reading")["measurands"]["Energy.Active.Import.Register"]["unit"] == "Furlong"
    station.stop(transaction_id, meter=2000)
    assert used(station) == (1, "good")
