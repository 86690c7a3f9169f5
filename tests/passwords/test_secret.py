"""What a password may be, and which forms of it are one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.passwords.secret import LONGEST, SHORTEST, canonical, checked, is_possible, new_password


@pytest.mark.parametrize("text", ["12345678", "a" * 64, "*-_=:+|@.12345678", "pässwörd", "with spaces in it"])
def test_what_a_password_may_be(text):
    assert checked(text) == canonical(text.encode())


@pytest.mark.parametrize("text", ["", "1234567", "a" * 65, "12345678\n", "1234567\x00", "1234567\x7f", "1234567\ud800"])
def test_what_it_may_not(text):
    with pytest.raises(ValueError, match="allowed are") as refused:
        checked(text)
    assert not text or text not in str(refused.value)


def test_digits_and_the_bytes_that_they_stand_for_are_the_same():
    """The example of OCPP-J 1.6 §6: a charge point may give either (security whitepaper A00.FR.205)."""
    digits = "0001020304050607FFFFFFFFCCCCCCCCCCCCCCCC"
    as_bytes = bytes.fromhex(digits)
    assert checked(digits) == as_bytes
    assert canonical(as_bytes) == canonical(digits.encode()) == canonical(digits.lower().encode()) == as_bytes


@pytest.mark.parametrize("text", ["deadbee", "deadbeef", "0" * 15, "0" * 17, "0" * 42, "0123456789abcdefg"])
def test_other_texts_are_what_they_are(text):
    assert canonical(text.encode()) == text.encode()


@given(st.binary(min_size=0, max_size=80))
def test_the_form_of_a_form_of_bytes_is_stable_for_what_is_no_digits(data):
    """Bytes of 8 to 20 that happen to be digits themselves stand for others, as a text of digits does."""
    assert canonical(data) in {data, bytes.fromhex(data.decode("ascii")) if _is_hex(data) else data}


def _is_hex(data):
    try:
        return len(bytes.fromhex(data.decode("ascii"))) * 2 == len(data)
    except ValueError:
        return False


@given(st.text(min_size=SHORTEST, max_size=LONGEST))
def test_whatever_is_allowed_can_be_given(text):
    try:
        form = checked(text)
    except ValueError:
        return
    assert is_possible(text.encode())
    assert canonical(text.encode()) == form


def test_what_is_too_long_is_not_looked_at():
    assert is_possible(b"x" * 256)
    assert not is_possible(b"x" * 257)
    assert not is_possible(b"")


def test_a_new_password_suits_every_version_and_has_no_zero_bytes():
    pieces = iter([b"\0" * 20, b"\0\1" * 10, bytes(range(20))])
    made = new_password(lambda count: next(pieces)[:count])
    assert made == (b"\1" * 10 + bytes(range(1, 11))).hex()
    assert len(made) == 40
    assert checked(made) == bytes.fromhex(made)
