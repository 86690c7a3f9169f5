"""Passwords that are looked at, and those that are remembered."""

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from csms.passwords.attempts import Attempts
from csms.passwords.hashing import make
from csms.passwords.passwords import Passwords
from csms.passwords.threads import Busy
from tests.passwords.workers import FakeWorkers

SECRET = b"correct horse"
STORED = make(SECRET)


def _passwords(workers=None, key=b"k" * 32):
    return Passwords(workers or FakeWorkers(), key, Attempts(Clock().seconds))


def _result(coroutine):
    results = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    if results and isinstance(results[0], Failure):
        results[0].raiseException()
    return results


def test_a_right_one_is_remembered_and_a_wrong_one_is_not():
    passwords = _passwords()
    assert not passwords.knows("CP1")
    assert _result(passwords.verify("CP1", b"wrong one", [STORED])) == [None]
    assert not passwords.knows("CP1")
    assert _result(passwords.verify("CP1", SECRET, [STORED])) == [STORED]
    assert passwords.knows("CP1")
    assert passwords.remembered("CP1", SECRET, [STORED]) == STORED


@pytest.mark.parametrize(
    ("client_id", "secret", "hashes"),
    [
        ("CP2", SECRET, [STORED]),
        ("CP1", b"wrong one", [STORED]),
        ("CP1", SECRET, []),
        ("CP1", SECRET, [make(SECRET)]),
        ("CP1", SECRET + STORED.encode(), [""]),
    ],
)
def test_what_is_remembered_holds_for_this_identity_password_and_hash_only(client_id, secret, hashes):
    passwords = _passwords()
    _result(passwords.verify("CP1", SECRET, [STORED]))
    assert passwords.remembered(client_id, secret, hashes) is None


def test_another_process_remembers_by_another_key():
    one, other = _passwords(key=b"1" * 32), _passwords(key=b"2" * 32)
    _result(one.verify("CP1", SECRET, [STORED]))
    other._verified.update(one._verified)
    assert other.remembered("CP1", SECRET, [STORED]) is None


def test_nothing_of_a_password_is_in_memory_or_in_a_repr():
    passwords = _passwords()
    _result(passwords.verify("CP1", SECRET, [STORED]))
    assert SECRET.decode() not in repr(passwords)
    assert "kkkk" not in repr(passwords)
    assert all(SECRET not in mark for mark in passwords._verified.values())


def test_guesses_at_one_identity_do_not_keep_others_waiting():
    workers = FakeWorkers(waits=True)
    passwords = _passwords(workers)
    guesses = [_result(passwords.verify("CP1", b"guess", [STORED])) for _ in range(4)]
    with pytest.raises(Busy):
        _result(passwords.verify("CP1", b"guess", [STORED]))
    other = _result(passwords.verify("CP2", SECRET, [STORED]))
    assert len(workers.waiting) == 5
    while workers.waiting:
        workers.run_one()
    assert (guesses, other) == ([[None]] * 4, [STORED])
    assert _result(passwords.verify("CP1", b"guess", [STORED])) == []


def test_full_is_full():
    workers = FakeWorkers()
    workers.full = True
    passwords = _passwords(workers)
    with pytest.raises(Busy):
        _result(passwords.verify("CP1", SECRET, [STORED]))
    assert not passwords._under_way


class _Trusting(FakeWorkers):
    """Finds every password right, without a look at it."""

    def run(self, function, *arguments):
        return succeed(arguments[1][0])


def test_what_is_remembered_is_bounded():
    passwords = _passwords(_Trusting())
    for number in range(20_010):
        _result(passwords.verify(f"CP{number}", SECRET, [STORED]))
    assert len(passwords._verified) == 20_000
    assert passwords.remembered("CP20009", SECRET, [STORED]) == STORED
    assert passwords.remembered("CP0", SECRET, [STORED]) is None
