"""Threads with a bounded queue."""

from threading import Event

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from csms.passwords.threads import Busy, Threads


@pytest_twisted.ensureDeferred
async def test_what_is_too_much_is_refused_at_once():
    threads, go = Threads(reactor, 1, 3), Event()
    try:
        waiting = [threads.run(go.wait, 10) for _ in range(3)]
        with pytest.raises(Busy):
            await threads.run(go.wait, 10)
        go.set()
        assert await gatherResults(waiting) == [True] * 3
        assert await threads.run(sum, [1, 2]) == 3
    finally:
        go.set()
        threads.stop()
    with pytest.raises(Busy):
        await threads.run(sum, [1, 2])


@pytest_twisted.ensureDeferred
async def test_what_goes_wrong_makes_room_as_well():
    threads = Threads(reactor, 1, 1)
    try:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await threads.run(divmod, 1, 0)
    finally:
        threads.stop()


def test_there_are_no_threads_before_the_first_job():
    threads = Threads(reactor, 1, 1)
    assert threads._pool is None
    threads.stop()
