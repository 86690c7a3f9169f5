"""Values that are believed for a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from csms.authority.cache import Cache


def test_a_value_is_believed_for_its_time():
    clock = Clock()
    cache = Cache(clock.seconds, 10)
    cache.put("a", 1, 5)
    cache.put("b", 2, 0)
    assert (cache.get("a"), cache.get("b")) == (1, None)
    clock.advance(4.9)
    assert cache.get("a") == 1
    clock.advance(0.1)
    assert cache.get("a") is None
    assert len(cache) == 0


def test_a_later_value_takes_the_place_of_the_one_before():
    cache = Cache(Clock().seconds, 10)
    for value in (1, 2):
        cache.put("a", value, 5)
    assert cache.get("a") == 2
    cache.put("a", 3, 0)
    assert cache.get("a") is None


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0, 1, 5]), st.sampled_from([0, 1])), max_size=60))
def test_it_is_bounded_and_tells_only_what_was_said_last(steps):
    clock, said = Clock(), {}
    cache = Cache(clock.seconds, 4)
    for number, (key, seconds, passes) in enumerate(steps):
        cache.put(key, number, seconds)
        said[key] = (number, clock.seconds() + seconds)
        clock.advance(passes)
        assert len(cache) <= 4
        for other, (value, until) in said.items():
            expected = {None} if until <= clock.seconds() else {None, value}
            assert cache.get(other) in expected
        if seconds > passes:
            assert cache.get(key) == number
