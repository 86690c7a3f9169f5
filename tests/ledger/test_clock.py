"""The notes of the field on clocks, text and enumerations, as far as the ledger is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ledger.clock import Instant, judge
from tests.ledger.station import Station

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00.123Z", datetime(2026, 3, 1, 10, 0, 0, 123000, tzinfo=UTC)),
        ("2026-03-01T10:00:00", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00+02:00", datetime(2026, 3, 1, 8, tzinfo=UTC)),
        ("2026-03-01T10:00:00.1234567Z", datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2020-01-01T00:00:00Z", datetime(2020, 1, 1, tzinfo=UTC)),
        ("2026-03-02T12:00:00Z", datetime(2026, 3, 2, 12, tzinfo=UTC)),
    ],
    ids=["UTC", "milliseconds", "no zone", "offset", "many digits", "2020", "24 h ahead"],
)
def test_a_plausible_time_is_the_stations_own(text: str, at: datetime) -> None:
    """No zone is UTC; up to 24 h ahead is skew."""
    assert judge(text, NOW) == Instant(at, text, suspect=False)


@pytest.mark.parametrize(
    "text",
    [
        *("1970-01-01T00:00:00Z", "2019-12-31T23:59:59Z", "2026-03-02T12:00:01Z", "2106-02-07T06:28:15Z"),
        *("", "now", "2026-13-01T00:00:00Z", "01.03.2026 10:00", "1772359200", "0001-01-01T00:00:00+14:00"),
        *("9999-12-31T23:59:59-14:00", "2026-03-01T10:00:00Zulu", "<script>"),
    ],
)
def test_an_implausible_time_gives_way_to_the_arrival(text: str) -> None:
    """1970, far future, no time at all: the arrival time stands in, and the station's text is kept."""
    assert judge(text, NOW) == Instant(NOW, text, suspect=True)


def test_no_time_at_all_is_the_arrival_and_no_fault() -> None:
    assert judge(None, NOW) == Instant(NOW, "", suspect=False)


@given(st.text(max_size=40))
def test_no_text_raises(text: str) -> None:
    instant = judge(text, NOW)
    assert instant.at.utcoffset() == timedelta(0)
    assert instant.suspect == (instant.at == NOW and instant.station == text) or not instant.suspect


@given(st.datetimes(datetime(2020, 1, 2), datetime(2026, 3, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_every_zone_is_turned_into_utc(local: datetime, minutes: int) -> None:
    at = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert judge(at.isoformat(), NOW).at == at
    assert judge(at.isoformat(), NOW).at.tzinfo is UTC


def test_a_session_without_a_clock_runs_from_arrival_to_arrival(station: Station) -> None:
    """1970: the times of arrival, and `quality: "clock_suspect"`."""
    transaction_id = station.start("1970-01-01T00:00:10Z", 1000)
    station.now += timedelta(minutes=30)
    station.stop(transaction_id, "1970-01-01T00:30:10Z", 2000)
    completed = station.payload("completed")
    assert completed["quality"] == "clock_suspect"
    assert completed["startTime"] == "2026-03-01T12:00:00Z"
    assert (completed["duration"], completed["energyUsed"]) == (30, 1)
    assert station.transactions[transaction_id].station_start == "1970-01-01T00:00:10Z"


@pytest.mark.parametrize(
    ("start", "stop"), [("10:00", "2099-01-01T00:00:00Z"), ("1970-01-01T00:00:00Z", "12:30"), ("11:00", "10:00")]
)
def test_one_bad_time_makes_a_session_suspect(station: Station, start: str, stop: str) -> None:
    """Far future, 1970, a stop before its start: suspect, and never a negative duration."""
    transaction_id = station.start(start, 1000)
    station.stop(transaction_id, stop, 2000)
    completed = station.payload("completed")
    assert completed["quality"] == "clock_suspect"
    assert completed["duration"] >= 0
    assert station.payload("session_cost")["duration"] == completed["duration"]


def test_a_queue_of_old_messages_after_an_outage_is_no_fault(station: Station) -> None:
    """A queue of old messages after an outage is not a clock fault."""
    transaction_id = station.start("2025-11-01T10:00:00Z", 1000)
    station.meter(("2025-11-01T10:30:00Z", "1500"), transaction_id=transaction_id)
    station.stop(transaction_id, "2025-11-01T11:00:00Z", 2000)
    completed = station.payload("completed")
    assert (completed["quality"], completed["startTime"]) == ("good", "2025-11-01T10:00:00Z")
    assert station.payload("meter_reading")["timestamp"] == "2025-11-01T10:30:00Z"


def test_vendor_text_is_carried_as_it_is(station: Station) -> None:
    """Vendor text is hostile: markup, control characters, bidi marks, quotes. An event is JSON, and that escapes."""
    hostile = "<img src=x onerror=alert(1)> \x1b[31m \u202egnp.exe \"'\\"
    station.status(1, "Faulted", "OtherError", info=hostile, vendor_id=hostile, vendor_error_code=hostile)
    transaction_id = station.start(id_tag=hostile)
    station.stop(transaction_id, reason=hostile)
    status = station.payload("status_changed")
    assert [status[name] for name in ("info", "vendorId", "vendorErrorCode")] == [hostile] * 3
    completed = station.payload("completed")
    assert [completed["idTag"], completed["reason"]] == [hostile] * 2


def test_a_status_beyond_the_specification_is_published(station: Station) -> None:
    """Enums beyond the spec are accepted in tolerant mode."""
    station.status(1, "Sleeping", "TooTired")
    assert station.payload("status_changed") == {"connectorId": 1, "status": "Sleeping", "errorCode": "TooTired"}
