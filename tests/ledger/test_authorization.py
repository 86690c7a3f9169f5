"""What a charge point is told about an id tag (OCPP 1.6 §4.1, §7.27)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ledger.authorization import IdTag, TagInfo, TagStatus, authorize, fold

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize("unknown", ["Accepted", "Invalid", "Blocked"])
def test_an_unknown_tag_gets_what_the_operator_wants(unknown: TagStatus) -> None:
    assert authorize(None, unknown, NOW) == TagInfo(unknown)


def test_a_known_tag_is_told_with_its_expiry_and_parent() -> None:
    tag = IdTag(id_tag="TAG", status="Accepted", expiry_date=NOW + TICK, parent_id_tag="GROUP")
    assert authorize(tag, "Invalid", NOW) == TagInfo("Accepted", NOW + TICK, "GROUP")


def test_a_tag_without_an_expiry_never_expires() -> None:
    assert authorize(IdTag(id_tag="TAG", status="Accepted"), "Invalid", NOW).status == "Accepted"


@pytest.mark.parametrize(
    ("expiry", "status"),
    [(NOW + TICK, "Accepted"), (NOW, "Expired"), (NOW - TICK, "Expired")],
    ids=["later", "now", "past"],
)
def test_a_tag_expires_at_the_very_moment(expiry: datetime, status: TagStatus) -> None:
    """Expired is never reported as Invalid (steve#25)."""
    tag = IdTag(id_tag="TAG", status="Accepted", expiry_date=expiry)
    assert authorize(tag, "Invalid", NOW) == TagInfo(status, expiry)


@pytest.mark.parametrize("expiry", [None, NOW - TICK, NOW + TICK])
def test_a_blocked_tag_is_blocked_whenever_it_expires(expiry: datetime | None) -> None:
    """Blocked is never reported as Invalid (steve#25), nor as Expired."""
    tag = IdTag(id_tag="TAG", status="Blocked", expiry_date=expiry)
    assert authorize(tag, "Accepted", NOW).status == "Blocked"


@pytest.mark.parametrize(("one", "other"), [("abc12", "ABC12"), ("Straße", "STRASSE"), ("#Aa", "#aA")])
def test_tags_compare_without_case(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@given(st.text(st.characters(max_codepoint=127), max_size=20))
def test_any_case_of_a_tag_is_the_same_tag(text: str) -> None:
    assert fold(text.upper()) == fold(text.lower()) == fold(fold(text))


def test_different_tags_stay_different() -> None:
    assert len({fold(tag) for tag in ("A", "B", "A ", " A", "#A", "")}) == 6
