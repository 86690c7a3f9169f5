"""The tail of the log: without gaps, bounded, silent about what it does not reach back to."""

from __future__ import annotations

from csms.store.event_log import LoggedEvent
from csms.store.tail import _MOST_EVENTS, Tail
from tests.store.decisions import NOW


def events(first, last):
    return [LoggedEvent(at, f"started_{at}", "CP1", "started", NOW, "topic", b"{}") for at in range(first, last + 1)]


def tail_of(*groups):
    tail = Tail()
    for group in groups:
        tail.extend(group)
    return tail


def test_it_returns_what_comes_after_a_position_up_to_a_limit():
    tail = tail_of(events(1, 3), events(4, 6))
    assert tail.after(0, 10) == events(1, 6)
    assert tail.after(2, 3) == events(3, 5)
    assert tail.after(5, 10) == events(6, 6)


def test_there_is_nothing_after_the_end_or_in_an_empty_tail():
    assert Tail().after(0, 10) == []
    assert tail_of(events(1, 3)).after(3, 10) == []
    assert tail_of(events(1, 3)).after(99, 10) == []


def test_it_returns_nothing_where_it_does_not_reach_back():
    tail = tail_of(events(10, 12))
    assert tail.after(8, 10) == []
    assert tail.after(9, 10) == events(10, 12)


def test_it_begins_anew_after_a_gap():
    tail = tail_of(events(1, 3), events(7, 8), events(9, 9))
    assert tail.after(3, 10) == []
    assert tail.after(6, 10) == events(7, 9)


def test_it_is_bounded_and_keeps_the_youngest():
    tail = tail_of(*(events(at, at) for at in range(1, _MOST_EVENTS + 11)))
    assert tail.after(9, 1) == []
    assert tail.after(10, 2 * _MOST_EVENTS) == events(11, _MOST_EVENTS + 10)


def test_a_group_larger_than_the_bound_leaves_its_end():
    last = _MOST_EVENTS + 5
    assert tail_of(events(1, last)).after(5, last) == events(6, last)
