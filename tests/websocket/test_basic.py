"""Basic authentication as charge points give it."""

from base64 import b64encode

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from csms.websocket.basic import NOTHING_USABLE, Given, given


def _header(user, password, scheme="Basic"):
    return f"{scheme} {b64encode(user + b':' + password).decode()}"


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", " Basic "])
def test_a_user_name_and_a_password(scheme):
    assert given(_header(b"CP1", b"correct: horse", scheme)) == Given(b"CP1", b"correct: horse")


def test_the_example_of_the_specification():
    """OCPP-J 1.6 §6: identity AL1000, key 0001020304050607FFFFFFFFCCCCCCCCCCCCCCCC, with the bytes of the key."""
    key = bytes.fromhex("0001020304050607FFFFFFFFCCCCCCCCCCCCCCCC")
    assert given("Basic QUwxMDAwOgABAgMEBQYH/////8zMzMzMzMzM") == Given(b"AL1000", key)


def test_without_a_header_nothing_was_given():
    assert given(None) is None


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Bearer abc",
        "Basic Q1Ax",
        "Basic Q1Ax, Basic Q1Ax",
        "Basic Q1A\xff",
        "Basic a",
    ],
)
def test_what_cannot_be_understood_is_nobodys(header):
    assert given(header) == NOTHING_USABLE


def test_missing_padding_is_forgiven():
    assert given("Basic Q1AxOmFi") == Given(b"CP1", b"ab")
    assert given("Basic Q1AxOmE") == Given(b"CP1", b"a")


@examples(st.binary().filter(lambda user: b":" not in user), st.binary())
def test_whatever_is_given_comes_out(user, password):
    assert given(_header(user, password)) == Given(user, password)


@examples(st.text(st.characters(max_codepoint=255)))
def test_no_header_does_any_harm(header):
    assert isinstance(given(header), Given)
    assert isinstance(given(f"Basic {header}"), Given)


def test_a_password_is_not_in_a_repr():
    assert "horse" not in repr(given(_header(b"CP1", b"horse")))
