"""Periodic jobs go on whatever becomes of them, until they are stopped."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from csms.loops import Loops
from tests.fakes import logged

__all__ = ["logged"]


def test_a_job_that_fails_is_done_again(logged):
    clock, times = Clock(), []

    def job():
        times.append(clock.seconds())
        raise ZeroDivisionError

    loops = Loops(clock)
    assert not loops
    loops.every(5, job)
    assert loops
    clock.pump([5, 5, 5])
    assert times == [5, 10, 15]
    assert len(logged.failures) == 3
    loops.stop()
    loops.stop()
    clock.advance(5)
    assert len(times) == 3
    assert not loops
    assert not clock.getDelayedCalls()


def test_a_job_that_takes_long_is_waited_for(logged):
    clock, waiting = Clock(), []

    def job():
        waiting.append(Deferred())
        return waiting[-1]

    loops = Loops(clock)
    loops.every(5, job)
    clock.pump([5, 5, 5])
    assert len(waiting) == 1
    waiting[0].errback(ZeroDivisionError())
    clock.advance(5)
    assert len(waiting) == 2
    assert len(logged.failures) == 1
    loops.stop()
