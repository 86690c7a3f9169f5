"""Who is let in, by profile, password, transport and address: the rules without sockets."""

import pytest
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from csms.ledger.state import Credentials
from csms.passwords.hashing import make
from csms.passwords.secret import canonical, checked
from csms.websocket.basic import Given
from csms.websocket.client_certificates import Shown
from csms.websocket.door import Visitor
from csms.websocket.handshake import Refusal
from tests.passwords.workers import FakeWorkers
from tests.websocket.desk import door_of

PRIVATE, PUBLIC, ELSEWHERE = "192.168.1.5", "8.8.4.4", "9.9.9.9"
KEY = "0123456789abcdef0123456789ABCDEF01234567"
OLD, NEW = make(checked(KEY)), make(b"another one")
UNKNOWN = Credentials()
KNOWN = Credentials(is_known=True)
SECURED = Credentials(is_known=True, password_hash=OLD)
RIGHT = Given(b"CP1", KEY.encode())
WRONG = Given(b"CP1", b"guess guess guess")


def _judge(door, credentials, given=None, address=PRIVATE, *, client_id="CP1", **visitor):
    results = []
    visitor = Visitor(client_id, address, given, **visitor)
    Deferred.fromCoroutine(door.judge(visitor, credentials)).addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


def _refused(*arguments, **visitor):
    with pytest.raises(Refusal) as refused:
        _judge(*arguments, **visitor)
    return refused.value


@pytest.fixture
def workers():
    return FakeWorkers()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def door(workers, clock):
    return door_of(clock, workers)


@pytest.mark.parametrize("credentials", [UNKNOWN, KNOWN])
@pytest.mark.parametrize("given", [None, WRONG, Given(b"", b"")])
def test_without_passwords_all_is_as_it_was(door, workers, credentials, given):
    """Profile 0 on a private network: whatever a charge point without a password gives is its own affair."""
    assert not _judge(door, credentials, given).authenticated
    assert workers.ran == 0


@pytest.mark.parametrize("credentials", [UNKNOWN, KNOWN])
@pytest.mark.parametrize("given", [None, WRONG])
def test_from_a_public_address_nobody_is_anonymous_unless_the_operator_says_so(door, credentials, given):
    assert _refused(door, credentials, given, PUBLIC).status == 401
    door.anonymous_from_anywhere = True
    assert not _judge(door, credentials, given, PUBLIC).authenticated


@pytest.mark.parametrize("profile", [0, 1, 2])
@pytest.mark.parametrize("own", [0, 1, 2])
@pytest.mark.parametrize("is_tls", [False, True])
@pytest.mark.parametrize("has_password", [False, True])
@pytest.mark.parametrize("given", [None, WRONG, RIGHT])
def test_the_higher_of_two_profiles_counts(door, profile, own, is_tls, has_password, given):
    door.profile = profile
    credentials = replace(SECURED if has_password else KNOWN, security_profile=own)
    highest = max(profile, own)
    needs_password = has_password or highest > 0
    is_right = has_password and given is RIGHT
    lets_in = (not needs_password or is_right) and (highest < 2 or is_tls)
    if lets_in:
        assert _judge(door, credentials, given, is_tls=is_tls).authenticated is (needs_password and is_right)
    else:
        status = _refused(door, credentials, given, is_tls=is_tls).status
        lacks_tls_only = highest == 2 and not is_tls and (profile == 2 or is_right)
        assert status == (403 if lacks_tls_only else 401)


@pytest.mark.parametrize(
    "password", [KEY.encode(), KEY.lower().encode(), KEY.upper().encode(), bytes.fromhex(KEY)], ids=range(4)
)
def test_digits_in_any_case_and_their_bytes_are_the_same_password(door, password):
    assert _judge(door, SECURED, Given(b"CP1", password)).authenticated


@pytest.mark.parametrize("user", [b"", b"cp1", b"CP1 ", b"CP2", "CP\u00b9".encode()])
def test_the_user_name_is_the_identity(door, workers, user):
    """A00.FR.204."""
    assert _refused(door, SECURED, Given(user, KEY.encode())).why == "wrongPassword"
    assert workers.ran == 0


def test_an_identity_that_is_no_ascii(door):
    given = Given("🔌".encode(), KEY.encode())
    assert _judge(door, SECURED, given, client_id="🔌").authenticated


@pytest.mark.parametrize("profile", [1, 2])
@pytest.mark.parametrize("given", [None, WRONG, Given(b"CP9", b"guess"), Given(b"", b"")])
def test_nothing_that_is_told_or_taken_depends_on_the_identity(clock, profile, given):
    answers = []
    for credentials in (UNKNOWN, KNOWN, SECURED, replace(SECURED, new_password_hashes=(make(b"new", OLD),))):
        workers = FakeWorkers()
        door = door_of(clock, workers, profile=profile)
        refusal = _refused(door, credentials, given, PUBLIC, is_tls=True)
        answers.append((refusal.status, refusal.reason, refusal.retry_after_s, workers.ran))
    assert len(set(answers)) == 1
    assert answers[0][0] == 401


def test_where_unknown_ones_are_rejected_a_password_for_one_is_as_wrong_as_any(door, workers):
    door.rejects_unknown = True
    unknown, known = _refused(door, UNKNOWN, WRONG), _refused(door, SECURED, WRONG)
    assert (
        (unknown.status, unknown.reason)
        == (known.status, known.reason)
        == (401, "the user name or the password is wrong")
    )
    assert workers.ran == 2
    assert not _judge(door, UNKNOWN).authenticated, "the registry says 404 to it"


def test_a_password_that_was_right_is_not_looked_at_again(door, workers):
    for _ in range(3):
        assert _judge(door, SECURED, RIGHT).authenticated
    assert workers.ran == 1
    assert _judge(door, replace(SECURED, password_hash=make(checked(KEY))), RIGHT).authenticated
    assert workers.ran == 2


def test_after_too_many_wrong_ones_none_is_looked_at_for_a_while(door, workers, clock):
    for _ in range(3):
        assert _refused(door, SECURED, WRONG, PUBLIC).status == 401
    locked = _refused(door, SECURED, RIGHT, PUBLIC)
    assert (locked.status, locked.why, locked.retry_after_s, workers.ran) == (429, "tooManyAttempts", 2, 3)
    assert _refused(door, UNKNOWN, RIGHT, PUBLIC).status == 429
    clock.advance(2)
    assert _judge(door, SECURED, RIGHT, PUBLIC).authenticated
    assert _refused(door, SECURED, WRONG, PUBLIC).status == 401


def test_the_true_charge_point_is_not_locked_out_by_others(door):
    """Not from elsewhere, and not from the same address where its password was right before."""
    assert _judge(door, SECURED, RIGHT, PUBLIC).authenticated
    for _ in range(50):
        assert _refused(door, SECURED, WRONG, PUBLIC).status in {401, 429}
    assert _judge(door, SECURED, RIGHT, ELSEWHERE).authenticated
    assert _judge(door, SECURED, RIGHT, PUBLIC).authenticated


def test_nobody_without_a_password_is_locked_out(door):
    for _ in range(10):
        _refused(door, SECURED, WRONG)
    assert not _judge(door, KNOWN, WRONG).authenticated


def test_too_long_is_not_looked_at(door, workers):
    assert _refused(door, SECURED, Given(b"CP1", b"x" * 5000)).status == 401
    assert workers.ran == 0


def test_where_too_many_wait_the_others_come_again(door, workers):
    workers.full = True
    refusal = _refused(door, SECURED, RIGHT)
    assert (refusal.status, refusal.why) == (503, None)
    workers.full = False
    assert _judge(door, SECURED, RIGHT).authenticated


def test_a_new_password_counts_beside_the_old_one(door):
    credentials = replace(SECURED, new_password_hashes=(make(b"another one", OLD), make(b"a third one", OLD)))
    assert _judge(door, credentials, RIGHT).renewed is None
    verdict = _judge(door, credentials, Given(b"CP1", b"a third one"))
    assert (verdict.authenticated, verdict.renewed) == (True, credentials.new_password_hashes[1])
    assert _refused(door, credentials, WRONG).status == 401


def test_one_that_had_none_may_come_without_until_it_comes_with_its_new_password(door):
    credentials = replace(KNOWN, new_password_hashes=(NEW,))
    for given in (None, WRONG, Given(b"CP2", b"another one")):
        verdict = _judge(door, credentials, given)
        assert (verdict.authenticated, verdict.renewed) == (False, None)
    verdict = _judge(door, credentials, Given(b"CP1", b"another one"))
    assert (verdict.authenticated, verdict.renewed) == (True, NEW)


@pytest.mark.parametrize("own", [0, 3])
def test_a_certificate_is_what_profile_3_wants_and_no_password_stands_in_for_it(door, own):
    door.profile = 3 - own
    credentials = replace(SECURED, security_profile=own)
    for given in (None, RIGHT, WRONG):
        refusal = _refused(door, credentials, given, is_tls=True)
        assert (refusal.status, refusal.why) == (401, "noCertificate")
        assert "certificate" not in refusal.reason
    named = replace(credentials, certificate_names=frozenset({"CP1", "SN-0042"}))
    for name in ("CP1", "SN-0042"):
        assert _judge(door, named, is_tls=True, certificate=Shown(name)).authenticated
    for other in ("CP2", ""):
        refusal = _refused(door, named, is_tls=True, certificate=Shown(other))
        assert (refusal.status, refusal.why) == (401, "wrongCertificate")


@pytest.mark.parametrize("own", [0, 3])
def test_a_certificate_that_has_ended_does_only_where_the_operator_says_so(door, own):
    """A00.FR.429."""
    door.profile = 3 - own
    credentials = replace(SECURED, security_profile=own, certificate_names=frozenset({"CP1"}))
    ended = Shown("CP1", has_expired=True)
    for given in (None, RIGHT):
        refusal = _refused(door, credentials, given, is_tls=True, certificate=ended)
        assert (refusal.status, refusal.why) == (401, "expiredCertificate")
    marked = replace(credentials, accept_expired_certificate=True)
    verdict = _judge(door, marked, is_tls=True, certificate=ended)
    assert (verdict.authenticated, verdict.has_expired_certificate) == (True, True)
    assert _refused(door, marked, is_tls=True, certificate=Shown("CP2", has_expired=True)).why == "wrongCertificate"
    verdict = _judge(door, marked, is_tls=True, certificate=Shown("CP1"))
    assert (verdict.authenticated, verdict.has_expired_certificate) == (True, False)


def test_a_damaged_hash_lets_nobody_in(door):
    assert _refused(door, replace(SECURED, password_hash="nonsense"), RIGHT).status == 401


def test_the_form_that_is_hashed_is_the_one_that_is_held_against_it():
    assert canonical(KEY.encode()) == checked(KEY)
