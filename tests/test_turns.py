"""What comes in a turn of the reactor goes through the stages together, in order, and nothing is left behind."""

import pytest
from twisted.internet.task import Clock

from csms.turns import Stage, Turn


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def turn(clock):
    return Turn(clock)


def test_a_turn_ends_stage_by_stage_each_in_the_order_in_which_things_came(clock, turn):
    taken = []
    told = turn.batch(Stage.TOLD, lambda items: taken.append(("told", items)))
    received = turn.batch(Stage.RECEIVED, lambda items: taken.append(("received", items)))
    told.add(1)
    received.add(2)
    told.add(3)
    received.add(4)
    assert taken == []
    clock.advance(0)
    assert taken == [("received", [2, 4]), ("told", [1, 3])]
    clock.advance(1)
    assert len(taken) == 2
    assert clock.getDelayedCalls() == []


def test_what_a_stage_leaves_to_a_later_one_is_done_in_the_same_turn(clock, turn):
    decided = []
    later = turn.batch(Stage.DECIDED, decided.extend)
    received = turn.batch(Stage.RECEIVED, lambda items: [later.add(-item) for item in items])
    received.add(1)
    received.add(2)
    clock.advance(0)
    assert decided == [-1, -2]


def test_what_a_stage_leaves_to_an_earlier_one_is_not_left_behind(clock, turn):
    received = []
    earlier = turn.batch(Stage.RECEIVED, received.extend)
    turn.batch(Stage.TOLD, lambda items: earlier.add(items[0])).add(7)
    clock.advance(0)
    assert received == [7]
    assert clock.getDelayedCalls() == []


def test_many_are_not_kept_until_the_end(clock, turn):
    sizes = []
    batch = turn.batch(Stage.RECEIVED, lambda items: sizes.append(len(items)))
    for number in range(600):
        batch.add(number)
    assert sizes == [256, 256]
    clock.advance(0)
    assert sizes == [256, 256, 88]


def test_a_batch_can_be_handed_over_at_once(clock, turn):
    taken = []
    batch = turn.batch(Stage.RECEIVED, taken.extend)
    batch.add(1)
    batch.flush()
    assert taken == [1]
    batch.add(2)
    clock.advance(0)
    assert taken == [1, 2]


def test_a_stage_that_fails_keeps_nobody_from_the_next(clock, turn):
    taken = []

    def fail(_items):
        raise ValueError("no")

    turn.batch(Stage.RECEIVED, fail).add(1)
    turn.batch(Stage.TOLD, taken.extend).add(2)
    with pytest.raises(ValueError, match="no"):
        clock.advance(0)
    clock.advance(0)
    assert taken == [2]
