"""Sampled values: units, phases, locations, contexts (OCPP 1.6 §7.43), and texts that are no numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from csms.events.business import Measurement
from csms.ledger.clock import Instant
from csms.ledger.metering import Digest, meter_value
from csms.ledger.samples import Sample
from tests.ledger.station import Station, sample

AT = datetime(2026, 3, 1, 10, tzinfo=UTC)
REGISTER = "Energy.Active.Import.Register"
THREE_PHASES = {"L1": "10", "L2": "11", "L3": "12"}


def digest(*samples: Sample) -> Digest:
    return meter_value(Instant(AT, "", suspect=False), list(samples)).contents


def published(*samples: Sample) -> dict[str, dict[str, Any]]:
    """Return the measurands as a subscriber sees them."""
    station = Station()
    station.meter(station.value("10:00", *samples))
    measurands: dict[str, dict[str, Any]] = station.payload("meter_reading")["measurands"]
    return measurands


def test_without_measurand_and_unit_it_is_the_register_in_wh() -> None:
    """No measurand and no unit: Energy.Active.Import.Register in Wh."""
    assert published(sample("1234.5")) == {REGISTER: {"value": 1.235, "unit": "kWh"}}
    assert digest(sample("1234.5")).registers == [(None, Decimal("1234.5"))]


@pytest.mark.parametrize(
    ("measurand", "unit", "value", "unit_out", "value_out"),
    [
        (REGISTER, "Wh", "1500", "kWh", 1.5),
        (REGISTER, "kWh", "1.5", "kWh", 1.5),
        ("Energy.Active.Export.Register", "Wh", "1500", "kWh", 1.5),
        ("Energy.Active.Import.Interval", "kWh", "0.25", "kWh", 0.25),
        ("Energy.Reactive.Import.Register", "varh", "1500", "kvarh", 1.5),
        ("Energy.Reactive.Export.Interval", None, "1500", "kvarh", 1.5),
        ("Energy.Reactive.Export.Register", "kvarh", "1.5", "kvarh", 1.5),
        ("Energy.Apparent.Import", "VAh", "1500", "kVAh", 1.5),
        ("Power.Active.Import", "W", "7400", "kW", 7.4),
        ("Power.Active.Export", "kW", "7.4", "kW", 7.4),
        ("Power.Active.Import", None, "7400", "kW", 7.4),
        ("Power.Offered", "W", "11000", "kW", 11),
        ("Power.Reactive.Import", "var", "250", "kvar", 0.25),
        ("Power.Reactive.Export", None, "250", "kvar", 0.25),
        ("Power.Active.Import", "VA", "250", "kVA", 0.25),
        ("Power.Factor", None, "0.98", "", 0.98),
        ("Current.Import", "A", "16.05", "A", 16.05),
        ("Current.Offered", None, "32", "A", 32),
        ("Voltage", "V", "230.1", "V", 230.1),
        ("Voltage", None, "230", "V", 230),
        ("Frequency", None, "49.998", "Hz", 49.998),
        ("SoC", "Percent", "55", "Percent", 55),
        ("SoC", None, "55", "Percent", 55),
        ("Temperature", "Celsius", "21.5", "Celsius", 21.5),
        ("Temperature", "Celcius", "21.5", "Celsius", 21.5),
        ("Temperature", "K", "294", "K", 294),
        ("Temperature", "Fahrenheit", "70", "Fahrenheit", 70),
        ("RPM", None, "1200", "RPM", 1200),
        ("Vendor.Thing", "Furlong", "3", "Furlong", 3),
    ],
)
def test_energy_is_published_in_kwh_power_in_kw_and_the_rest_as_given(
    measurand: str, unit: str | None, value: str, unit_out: str, value_out: float
) -> None:
    """Units: for every energy and power measurand, import and export, active and reactive."""
    members = {"unit": unit} if unit is not None else {}
    assert published(sample(value, measurand=measurand, **members)) == {
        measurand: {"value": value_out, "unit": unit_out}
    }


@pytest.mark.parametrize(
    ("value", "kwh"), [("0.4", 0), ("0.5", 0.001), ("1.5", 0.002), ("2.5", 0.003), ("1234567.4999", 1234.567)]
)
def test_energy_has_three_decimals_at_most_rounded_half_up(value: str, kwh: float) -> None:
    assert published(sample(value))[REGISTER]["value"] == kwh


@pytest.mark.parametrize(
    ("measurand", "value"),
    [("Current.Import", 33), ("Power.Active.Import", 0.033), (REGISTER, 0.033), ("Voltage", 11), ("Power.Factor", 11)],
)
@pytest.mark.parametrize("suffix", ["", "-N"])
def test_phases_are_summed_or_averaged(measurand: str, value: float, suffix: str) -> None:
    """Phases: the sum of L1..L3 (or L1-N..L3-N) for energy, power, current import; the mean for voltage and factor."""
    samples = [
        sample(text, measurand=measurand, phase=f"{phase}{suffix}") for phase, text in sorted(THREE_PHASES.items())
    ]
    measurement = published(*samples)[measurand]
    assert measurement["value"] == value
    assert list(measurement["phases"]) == [f"L1{suffix}", f"L2{suffix}", f"L3{suffix}"]
    assert "phase" not in measurement


def test_the_unphased_value_wins_and_all_phases_are_published() -> None:
    """Phases: the unphased value wins; all phases are published in `phases`."""
    phased = [sample(text, measurand="Current.Import", phase=phase) for phase, text in THREE_PHASES.items()]
    for samples in (
        [sample("40", measurand="Current.Import"), *phased],
        [*phased, sample("40", measurand="Current.Import")],
    ):
        assert published(*samples)["Current.Import"] == {
            "value": 40,
            "unit": "A",
            "phases": {"L1": 10, "L2": 11, "L3": 12},
        }


def test_line_to_line_values_are_never_mixed_with_line_to_neutral() -> None:
    """Phases: line-to-line voltages (400 V) do not enter the mean of the line-to-neutral ones (230 V)."""
    values = {"L1-N": "229", "L2-N": "230", "L3-N": "231", "L1-L2": "400", "L2-L3": "401", "L3-L1": "402"}
    samples = [sample(text, measurand="Voltage", phase=phase) for phase, text in values.items()]
    assert published(*samples)["Voltage"]["value"] == 230
    assert published(*samples[3:])["Voltage"]["value"] == 401
    assert published(*samples)["Voltage"]["phases"] == {name: int(text) for name, text in values.items()}


def test_a_single_phase_is_named() -> None:
    assert published(sample("16", measurand="Current.Import", phase="L2"))["Current.Import"] == {
        "value": 16,
        "unit": "A",
        "phase": "L2",
        "phases": {"L2": 16},
    }


def test_a_register_by_phases_is_one_register() -> None:
    samples = [sample(text, phase=phase, unit="kWh") for phase, text in THREE_PHASES.items()]
    assert digest(*samples).registers == [(None, Decimal(33000))]


def test_a_measurand_at_two_locations() -> None:
    """Contracts §3: the Outlet keeps the plain name, others are `name@location`; only the outlet is billed."""
    samples = (sample("1000", location="Outlet"), sample("1100", location="Inlet"), sample("55", location="Body"))
    assert published(*samples) == {
        REGISTER: {"value": 1, "unit": "kWh", "location": "Outlet"},
        f"{REGISTER}@Inlet": {"value": 1.1, "unit": "kWh", "location": "Inlet"},
        f"{REGISTER}@Body": {"value": 0.055, "unit": "kWh", "location": "Body"},
    }
    assert digest(*samples).registers == [(None, Decimal(1000))]


@pytest.mark.parametrize("measurand", ["Energy.Active.Export.Register", "Energy.Active.Export.Interval", "SoC"])
def test_only_imported_active_energy_is_billed(measurand: str) -> None:
    contents = digest(sample("1000", measurand=measurand))
    assert (contents.registers, contents.intervals) == ([], [])


def test_signed_data_is_no_number() -> None:
    """SignedData is kept byte for byte and left out of arithmetic, even where it looks like a number."""
    contents = digest(sample("12345", format="SignedData"), sample("1000", format="Raw"))
    assert contents.registers == [(None, Decimal(1000))]
    assert [value.value for value in contents.signed] == ["12345"]
    assert contents.dropped == 0


@pytest.mark.parametrize("text", ["1e14", "-1e14", "1e400", "9" * 400, "1e99999999999999999999"])
def test_a_number_that_no_meter_could_show_is_dropped(text: str) -> None:
    contents = digest(sample(text))
    assert (contents.registers, contents.dropped) == ([], 1)


texts = (
    st.text(max_size=12) | st.decimals().map(str) | st.sampled_from(["1e-400", "1E-999999999", "-0", "+1", " 7 ", "١٢"])
)
names = st.sampled_from([None, REGISTER, "Power.Active.Import", "Voltage", "Energy.Active.Import.Interval", "x"])
phases = st.sampled_from([None, "L1", "L2", "L3", "N", "L1-N", "L1-L2", "?"])
units = st.sampled_from([None, "", "Wh", "kWh", "W", "kW", "V", "?"])


@given(st.lists(st.builds(Sample, value=texts, measurand=names, phase=phases, unit=units), max_size=8))
def test_no_sampled_values_raise(samples: list[Sample]) -> None:
    contents = digest(*samples)
    assert json.decode(contents.measurands or b"{}", type=dict[str, Measurement]) is not None
    assert all(value.is_finite() for _, value in (*contents.registers, *contents.intervals))
    assert contents.dropped <= len(samples)


@given(st.decimals(min_value=-(10**6), max_value=10**6, places=6))
def test_what_needs_no_kilo_is_published_as_it_was_given(value: Decimal) -> None:
    measurands = json.decode(digest(sample(str(value), measurand="Voltage")).measurands, type=dict[str, Measurement])
    assert Decimal(repr(measurands["Voltage"].value)) == value
