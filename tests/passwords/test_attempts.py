"""Who waits, how long, and who never does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from csms.passwords import attempts as limits
from csms.passwords.attempts import FREE, LONGEST_S, Attempts, Recent, network_of

HERE, THERE = "203.0.113.7", "198.51.100.9"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def attempts(clock):
    return Attempts(clock.seconds)


def _fail(attempts, count, client_id="CP1", address=HERE):
    for _ in range(count):
        attempts.failed(client_id, address)


def test_the_first_ones_are_free_then_it_takes_longer_each_time(attempts, clock):
    waits = []
    for _ in range(FREE + 12):
        attempts.failed("CP1", HERE)
        waits.append(attempts.wait_s("CP1", HERE))
    assert waits[: FREE - 1] == [0, 0]
    assert waits[FREE - 1 : FREE + 3] == [2, 4, 8, 16]
    assert waits[-1] == LONGEST_S
    clock.advance(LONGEST_S - 1)
    assert attempts.wait_s("CP1", HERE) == pytest.approx(1)
    clock.advance(1)
    assert attempts.wait_s("CP1", HERE) == 0


def test_the_same_identity_from_elsewhere_is_not_locked_out(attempts):
    _fail(attempts, 50)
    assert attempts.wait_s("CP1", HERE) > 0
    assert attempts.wait_s("CP1", THERE) == 0
    assert attempts.wait_s("CP2", HERE) == 0


def test_the_right_password_and_a_new_password_clear_it(attempts):
    _fail(attempts, 10)
    attempts.succeeded("CP1", HERE)
    assert attempts.wait_s("CP1", HERE) == 0
    _fail(attempts, 10)
    _fail(attempts, 10, address=THERE)
    _fail(attempts, 10, client_id="CP2")
    attempts.forgive("CP1")
    assert (attempts.wait_s("CP1", HERE), attempts.wait_s("CP1", THERE)) == (0, 0)
    assert attempts.wait_s("CP2", HERE) > 0


def test_after_an_hour_it_is_forgotten(attempts, clock):
    _fail(attempts, 10)
    clock.advance(limits.FORGOTTEN_S)
    attempts.failed("CP1", HERE)
    assert attempts.wait_s("CP1", HERE) == 0


def test_an_address_that_tries_one_identity_after_the_other_waits(attempts, clock):
    for number in range(limits.ADDRESS_BURST):
        assert attempts.wait_s(f"CP{number}", HERE) == 0
        attempts.failed(f"CP{number}", HERE)
    assert 0 < attempts.wait_s("ANOTHER", HERE) <= 1 / limits.ADDRESS_PER_S
    assert attempts.wait_s("ANOTHER", THERE) == 0
    clock.advance(1)
    for number in range(int(limits.ADDRESS_PER_S)):
        assert attempts.wait_s(f"NEW{number}", HERE) == 0
        attempts.failed(f"NEW{number}", HERE)
    assert attempts.wait_s("ANOTHER", HERE) > 0


def test_a_proxy_on_this_machine_is_not_counted_as_an_address(attempts):
    for number in range(limits.ADDRESS_BURST + 10):
        attempts.failed(f"CP{number}", "127.0.0.1")
    assert attempts.wait_s("ANOTHER", "127.0.0.1") == 0
    _fail(attempts, 5, address="127.0.0.1")
    assert attempts.wait_s("CP1", "127.0.0.1") > 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("", ""),
        ("/run/csms.sock", ""),
    ],
)
def test_what_an_address_counts_by(address, network):
    assert network_of(address) == network


def test_the_tables_are_bounded(attempts):
    for number in range(30_000):
        attempts.failed(f"CP{number}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(attempts._pairs) == 20_000
    assert len(attempts._addresses) == 5_000


def test_a_full_table_forgets_what_was_touched_longest_ago():
    table = Recent(2)
    table.put("a", 1)
    table.put("b", 2)
    table.put("a", 3)
    table.put("c", 4)
    assert table == {"a": 3, "c": 4}


@given(st.lists(st.tuples(st.sampled_from("fsw"), st.integers(0, 2), st.integers(0, 400)), max_size=60))
def test_nobody_waits_longer_than_the_longest(steps):
    clock = Clock()
    attempts = Attempts(clock.seconds)
    for what, who, seconds in steps:
        clock.advance(seconds)
        {"f": attempts.failed, "s": attempts.succeeded, "w": attempts.wait_s}[what](f"CP{who}", HERE)
        assert 0 <= attempts.wait_s(f"CP{who}", HERE) <= LONGEST_S
