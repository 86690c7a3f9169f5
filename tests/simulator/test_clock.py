"""Simulated time: it catches up with real time, rises, and is never ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from csms.simulator.behaviour import Behaviour
from csms.simulator.clock import ENDLESS_LOOKBACK_S, SimulatedClock, planned_lookback_s

START = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_the_planned_sessions_end_now():
    behaviour = Behaviour(sessions=3, duration_s=3600, pause_s=60, speed=60)
    reactor = Clock()
    clock = SimulatedClock(reactor, lambda: START, planned_lookback_s(behaviour))
    assert clock.now() == START - timedelta(seconds=3 * 3660 * 59 / 60)
    for _ in range(3):
        for simulated_s in (3600, 60):
            reactor.advance(simulated_s / 60)
            clock.gain(simulated_s, 60)
    assert abs(clock.now() - (START + timedelta(seconds=reactor.seconds()))) < timedelta(milliseconds=1)


def test_between_gains_it_runs_at_the_pace_of_real_time():
    reactor = Clock()
    clock = SimulatedClock(reactor, lambda: START, 1000)
    before = clock.now()
    reactor.advance(10)
    assert clock.now() - before == timedelta(seconds=10)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(1, 1e4)), max_size=30), st.floats(0, 1e6))
def test_it_rises_and_is_never_more_than_a_moment_ahead(steps, lookback_s):
    reactor = Clock()
    clock = SimulatedClock(reactor, lambda: START, lookback_s)
    stamps = [clock.timestamp()]
    for simulated_s, speed in steps:
        reactor.advance(simulated_s / speed)
        clock.gain(simulated_s, speed)
        stamps.append(clock.timestamp())
        real = START + timedelta(seconds=reactor.seconds())
        assert datetime.fromisoformat(stamps[-1]) <= real + timedelta(milliseconds=len(stamps))
    assert stamps == sorted(set(stamps))


def test_time_stamps_are_in_utc_with_z():
    local = START.astimezone(datetime.fromisoformat("2026-06-01T12:00:00+05:30").tzinfo)
    assert SimulatedClock(Clock(), lambda: local, 0).timestamp() == "2026-06-01T12:00:00.000Z"


def test_how_far_back_it_starts():
    assert planned_lookback_s(Behaviour(speed=1, sessions=None)) == 0
    assert planned_lookback_s(Behaviour(speed=10, sessions=None)) == ENDLESS_LOOKBACK_S
    assert planned_lookback_s(Behaviour(speed=10, sessions=5, lookback_s=12)) == 12
