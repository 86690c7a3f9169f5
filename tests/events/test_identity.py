"""Event ids: `{eventType}_{UUIDv7}` (RFC 9562 §5.7)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from csms.events.identity import event_id

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
times = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the bounds are naive
entropy = st.integers(min_value=0, max_value=2**74 - 1)


def make(now: datetime, bits: int) -> uuid.UUID:
    event_type, _, text = event_id("session_cost", now, lambda count: bits & (1 << count) - 1).rpartition("_")
    assert event_type == "session_cost"
    assert str(uuid.UUID(text)) == text
    return uuid.UUID(text)


@given(times, entropy)
def test_version_variant_and_random_bits_are_where_the_rfc_wants_them(now: datetime, bits: int) -> None:
    number = make(now, bits)
    assert number.version == 7
    assert number.variant == uuid.RFC_4122
    rand_a, rand_b = number.int >> 64 & 0xFFF, number.int & (1 << 62) - 1
    assert rand_a << 62 | rand_b == bits


@given(times, entropy)
def test_the_first_48_bits_are_the_exact_milliseconds(now: datetime, bits: int) -> None:
    assert make(now, bits).int >> 80 == (now - EPOCH) // timedelta(milliseconds=1)


@given(times, st.timedeltas(timedelta(milliseconds=1), timedelta(days=400)), entropy, entropy)
def test_ids_sort_by_time(now: datetime, later: timedelta, first: int, second: int) -> None:
    assert event_id("started", now, lambda _: first) < event_id("started", now + later, lambda _: second)


def test_74_random_bits_are_asked_for_once() -> None:
    asked: list[int] = []

    def random_bits(count: int) -> int:
        asked.append(count)
        return 0

    event_id("started", EPOCH, random_bits)
    assert asked == [74]


def test_the_example_of_the_rfc() -> None:
    """RFC 9562, appendix A.6: 2022-02-22T14:22:22-05:00."""
    now = datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC)
    bits = 0xCC3 << 62 | 0x18C4DC0C0C07398F
    assert event_id("started", now, lambda _: bits) == "started_017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
