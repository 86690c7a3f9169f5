"""What a charge point is told about an id tag (OCPP 1.6 §3.10, §4.1, §7.2, §7.27)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from csms.ledger import energy
from csms.ledger.authorization import (
    BudgetPeriod,
    IdTag,
    TagFacts,
    TagInfo,
    TagSession,
    TagStatus,
    Use,
    authorize,
    energy_since,
    fold,
    is_limited,
    period_start,
    sessions_since,
)
from csms.ledger.state import Transaction

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
SHOWN = Use(client_id="CP1", now=NOW)


def tag_of(status: Any = "Accepted", **fields: Any) -> IdTag:
    return IdTag(id_tag="TAG", status=status, **fields)


def parent_of(status: Any = "Accepted", **fields: Any) -> IdTag:
    return IdTag(id_tag="GROUP", status=status, **fields)


def judged(tag: IdTag, use: Use = SHOWN, **facts: Any) -> TagStatus:
    return authorize(TagFacts(tag=tag, **facts), use, "Accepted").status


def ran(wh: int, start: datetime = NOW - HOUR, stop: datetime | None = None, client_id: str = "CP2") -> TagSession:
    return TagSession(client_id, 1, start, stop, Decimal(wh))


def transaction(number: int, id_tag: str = "TAG", start: datetime = NOW) -> Transaction:
    return Transaction(
        transaction_id=number,
        client_id="CP1",
        connector_id=number,
        id_tag=id_tag,
        status="active",
        start_time=start,
        station_start="",
        meter_start_wh=Decimal(0),
        meter=energy.begin(Decimal(0), start),
    )


def start_of(number: int, *beside: Transaction, again: bool = False, start: datetime = NOW) -> Use:
    started = transaction(number, start=start)
    return Use(client_id="CP1", now=NOW, starts=started, is_repetition=again, beside=(started, *beside))


class TestStatusAndExpiry:
    @pytest.mark.parametrize("unknown", ["Accepted", "Invalid", "Blocked", "Expired"])
    def test_an_unknown_tag_gets_what_the_operator_wants(self, unknown: TagStatus) -> None:
        assert authorize(TagFacts(), SHOWN, unknown) == TagInfo(unknown)

    def test_a_known_tag_is_told_with_its_expiry_and_parent(self) -> None:
        tag = tag_of(expiry_date=NOW + TICK, parent_id_tag="GROUP")
        assert authorize(TagFacts(tag=tag), SHOWN, "Invalid") == TagInfo("Accepted", NOW + TICK, "GROUP")

    @pytest.mark.parametrize(
        ("expiry", "status"),
        [(None, "Accepted"), (NOW + TICK, "Accepted"), (NOW, "Expired"), (NOW - TICK, "Expired")],
        ids=["never", "later", "now", "past"],
    )
    def test_a_tag_expires_at_the_very_moment(self, expiry: datetime | None, status: TagStatus) -> None:
        """Expired is never reported as Invalid (steve#25)."""
        assert judged(tag_of(expiry_date=expiry)) == status

    @pytest.mark.parametrize("expiry", [None, NOW - TICK, NOW + TICK])
    def test_a_blocked_tag_is_blocked_whenever_it_expires(self, expiry: datetime | None) -> None:
        """Blocked is never reported as Invalid (steve#25), nor as Expired."""
        assert judged(tag_of("Blocked", expiry_date=expiry)) == "Blocked"


class TestParent:
    @pytest.mark.parametrize(
        ("parent", "status", "expiry"),
        [
            (None, "Accepted", None),
            (parent_of(), "Accepted", None),
            (parent_of("Blocked"), "Blocked", None),
            (parent_of("Blocked", expiry_date=NOW - TICK), "Blocked", None),
            (parent_of(expiry_date=NOW), "Expired", NOW),
            (parent_of(expiry_date=NOW + TICK), "Accepted", NOW + TICK),
        ],
    )
    def test_a_child_is_what_its_parent_is(
        self, parent: IdTag | None, status: TagStatus, expiry: datetime | None
    ) -> None:
        """It expires with it, too: the charge point is told, for its cache."""
        facts = TagFacts(tag=tag_of(parent_id_tag="GROUP"), parent=parent)
        assert authorize(facts, SHOWN, "Invalid") == TagInfo(status, expiry, "GROUP")

    def test_the_earlier_of_two_expiries_is_told(self) -> None:
        facts = TagFacts(tag=tag_of(expiry_date=NOW + TICK), parent=parent_of(expiry_date=NOW + HOUR))
        assert authorize(facts, SHOWN, "Invalid").expiry_date == NOW + TICK

    @pytest.mark.parametrize(
        ("tag", "parent", "status"),
        [
            (tag_of("Blocked"), parent_of(expiry_date=NOW), "Blocked"),
            (tag_of(expiry_date=NOW), parent_of("Blocked"), "Expired"),
            (tag_of(charge_points=("CP9",)), parent_of("Blocked"), "Blocked"),
            (tag_of(charge_points=("CP9",)), parent_of(expiry_date=NOW), "Expired"),
        ],
    )
    def test_the_tags_own_status_goes_before_and_its_limits_after(
        self, tag: IdTag, parent: IdTag, status: TagStatus
    ) -> None:
        assert judged(tag, parent=parent) == status

    def test_the_limits_of_a_parent_are_its_own(self) -> None:
        assert judged(tag_of(), parent=parent_of(charge_points=("CP9",), max_transactions=1)) == "Accepted"


class TestAuthority:
    @pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
    def test_its_word_is_told(self, status: TagStatus) -> None:
        told = TagInfo(status, NOW + HOUR, "GROUP")
        assert authorize(TagFacts(told=told), SHOWN, "Accepted") == told

    def test_what_it_said_expires(self) -> None:
        facts = TagFacts(told=TagInfo("Accepted", NOW))
        assert authorize(facts, SHOWN, "Accepted") == TagInfo("Expired", NOW)

    def test_a_parent_that_is_blocked_here_blocks_its_tags_too(self) -> None:
        facts = TagFacts(told=TagInfo("Accepted", None, "GROUP"), parent=parent_of("Blocked"))
        assert authorize(facts, SHOWN, "Accepted").status == "Blocked"


class TestChargePoints:
    def test_a_tag_may_not_be_used_elsewhere(self) -> None:
        assert judged(tag_of(charge_points=("CP2", "CP1"))) == "Accepted"
        assert judged(tag_of(charge_points=("CP2", "cp1"))) == "NotAtThisLocation"

    def test_a_budget_that_is_used_up_goes_first(self) -> None:
        tag = tag_of(charge_points=("CP2",), budget_kwh=Decimal(0), budget_period="day")
        assert judged(tag) == "NoCredit"


class TestEvses:
    def test_they_are_told(self) -> None:
        assert authorize(TagFacts(tag=tag_of(evses=(2, 3))), SHOWN, "Invalid") == TagInfo("Accepted", evses=(2, 3))

    def test_where_it_may_not_be_used_at_all_they_are_not(self) -> None:
        """C01.FR.22."""
        told = authorize(TagFacts(tag=tag_of(evses=(2,), charge_points=("CP9",))), SHOWN, "Invalid")
        assert told == TagInfo("NotAtThisLocation")

    @pytest.mark.parametrize(
        ("evse_id", "connector_id", "status"),
        [
            (2, 5, "Accepted"),
            (1, 2, "NotAtThisLocation"),
            (None, 2, "Accepted"),
            (None, 1, "NotAtThisLocation"),
            (None, 0, "Accepted"),
            (0, 1, "Accepted"),
        ],
        ids=["its own", "another", "1.6", "1.6, another", "not known yet", "the station"],
    )
    def test_a_start(self, evse_id: int | None, connector_id: int, status: TagStatus) -> None:
        started = replace(transaction(1), evse_id=evse_id, connector_id=connector_id)
        use = Use(client_id="CP1", now=NOW, starts=started, beside=(started,))
        assert judged(tag_of(evses=(2,)), use) == status


class TestConcurrentTransactions:
    @pytest.mark.parametrize(
        ("use", "elsewhere", "status"),
        [
            (start_of(1), [], "Accepted"),
            (start_of(1), [ran(0)], "ConcurrentTx"),
            (start_of(1), [ran(0, stop=NOW)], "Accepted"),
            (start_of(1), [ran(0, client_id="CP1")], "Accepted"),
            (start_of(1, transaction(2)), [], "ConcurrentTx"),
            (start_of(1, transaction(2, "tag")), [], "ConcurrentTx"),
            (start_of(1, transaction(2, "OTHER")), [], "Accepted"),
            (start_of(1, again=True), [], "Accepted"),
            (start_of(1, transaction(2, start=NOW + TICK), again=True), [], "Accepted"),
            (start_of(1, transaction(2, start=NOW - TICK), again=True), [], "ConcurrentTx"),
            (start_of(1, transaction(2, start=NOW + TICK)), [], "ConcurrentTx"),
            (start_of(1, again=True), [ran(0, NOW - HOUR)], "ConcurrentTx"),
            (start_of(1, again=True), [ran(0, NOW + TICK)], "Accepted"),
            (SHOWN, [ran(0)], "Accepted"),
        ],
        ids=[
            "nothing runs",
            "runs elsewhere",
            "ran elsewhere",
            "was closed as forgotten here",
            "runs here",
            "runs here in other letters",
            "another tag runs here",
            "this very start again",
            "this start again, with a later one here",
            "this start again, with an earlier one here",
            "a start from a queue",
            "this start again, with an earlier one elsewhere",
            "this start again, with a later one elsewhere",
            "Authorize (§7.2)",
        ],
    )
    def test_one_at_once(self, use: Use, elsewhere: list[TagSession], status: TagStatus) -> None:
        assert judged(tag_of(max_transactions=1), use, sessions=tuple(elsewhere)) == status

    @given(st.integers(1, 6), st.integers(0, 6))
    def test_up_to_any_number(self, most: int, running: int) -> None:
        status = judged(tag_of(max_transactions=most), start_of(1), sessions=(ran(0),) * running)
        assert status == ("Accepted" if running < most else "ConcurrentTx")


class TestTokenType:
    """Tokens are equal where their types are (OCPP 2.1 C01.FR.25)."""

    @pytest.mark.parametrize(
        ("entered", "shown", "same"),
        [
            (None, "ISO14443", True),
            ("RFID", "ISO14443", True),
            ("ISO14443", "ISO14443", True),
            ("iso14443", "ISO14443", True),
            ("ISO14443", None, True),
            ("ISO14443", "ISO15693", False),
            ("eMAID", "Central", False),
            ("KeyCode", "vendor's own", False),
        ],
        ids=["none", "not OCPP's", "the same", "other case", "1.6", "another", "a contract", "a vendor's"],
    )
    @pytest.mark.parametrize("unknown", ["Accepted", "Blocked", "Invalid", "Unknown"])
    def test_one_of_another_type_is_another_token(
        self, entered: str | None, shown: str | None, same: bool, unknown: TagStatus
    ) -> None:
        """It is never accepted for having the name of a tag that may charge."""
        use = Use(client_id="CP1", now=NOW, type=shown)
        told = authorize(TagFacts(tag=tag_of(type=entered, parent_id_tag="GROUP")), use, unknown)
        refused = TagInfo("Invalid" if unknown == "Accepted" else unknown)
        assert told == (TagInfo("Accepted", None, "GROUP") if same else refused)

    @pytest.mark.parametrize(
        ("tag", "status"),
        [(tag_of("Blocked", type="eMAID"), "Blocked"), (tag_of(expiry_date=NOW, type="eMAID"), "Expired")],
    )
    def test_blocked_and_expired_are_told_under_any_type(self, tag: IdTag, status: TagStatus) -> None:
        assert judged(tag, Use(client_id="CP1", now=NOW, type="Local")) == status


class TestBudget:
    @pytest.mark.parametrize(
        ("sessions", "status"),
        [
            ([], "Accepted"),
            ([ran(9_999)], "Accepted"),
            ([ran(10_000)], "NoCredit"),
            ([ran(4_000, stop=NOW), ran(6_000)], "NoCredit"),
            ([ran(10_001, NOW - 13 * HOUR, NOW - 12 * HOUR)], "Accepted"),
            ([ran(13_000, NOW - 13 * HOUR)], "NoCredit"),
            ([ran(10_000, NOW - 13 * HOUR)], "Accepted"),
        ],
        ids=["nothing", "less", "used up", "by several", "yesterday", "since yesterday", "since yesterday, less today"],
    )
    def test_of_a_day(self, sessions: list[TagSession], status: TagStatus) -> None:
        tag = tag_of(budget_kwh=Decimal(10), budget_period="day")
        for use in (SHOWN, start_of(7)):
            assert judged(tag, use, sessions=tuple(sessions)) == status

    @pytest.mark.parametrize(
        ("sessions", "left"), [([], 10_000), ([ran(4_000), ran(500, stop=NOW)], 5_500), ([ran(99_000)], 0)]
    )
    def test_what_is_left_is_told(self, sessions: list[TagSession], left: int) -> None:
        facts = TagFacts(tag=tag_of(budget_kwh=Decimal(10), budget_period="day"), sessions=tuple(sessions))
        assert authorize(facts, SHOWN, "Invalid").budget_left_wh == left

    def test_of_a_tag_without_a_budget_nothing_is_left(self) -> None:
        tag = tag_of(max_transactions=1)
        assert authorize(TagFacts(tag=tag, sessions=(ran(5),)), SHOWN, "Invalid").budget_left_wh is None

    @pytest.mark.parametrize(
        ("period", "now", "start"),
        [
            ("day", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
            ("day", "2026-03-01T23:59:59.999999Z", "2026-03-01T00:00:00Z"),
            ("week", "2026-03-01T12:00:00Z", "2026-02-23T00:00:00Z"),
            ("week", "2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z"),
            ("week", "2026-01-01T00:00:00Z", "2025-12-29T00:00:00Z"),
            ("month", "2026-02-28T12:00:00Z", "2026-02-01T00:00:00Z"),
            ("month", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        ],
    )
    def test_periods_are_of_the_utc_calendar(self, period: BudgetPeriod, now: str, start: str) -> None:
        assert period_start(period, datetime.fromisoformat(now)) == datetime.fromisoformat(start)

    @given(
        st.lists(st.tuples(st.integers(0, 10**6), st.integers(-2000, 0), st.integers(-2000, 0) | st.none())),
        st.integers(-2000, 0),
    )
    def test_what_came_before_and_after_any_time_is_all(
        self, sessions: list[tuple[int, int, int | None]], at: int
    ) -> None:
        """No energy is counted twice or lost where a period ends."""
        taken = [
            ran(wh, NOW + timedelta(minutes=min(start, stop or 0)), NOW + timedelta(minutes=max(start, stop)) if stop is not None else None)
            for wh, start, stop in sessions
        ]  # fmt: skip
        since = NOW + timedelta(minutes=at)
        after = energy_since(taken, since, NOW)
        total = sum((session.energy_wh for session in taken), Decimal(0))
        assert 0 <= after <= total
        assert energy_since(taken, NOW - timedelta(days=9), NOW) == total
        assert energy_since(taken, NOW + TICK, NOW) == 0

    def test_half_of_a_session_counts_where_half_of_it_was_in_the_period(self) -> None:
        midnight = NOW.replace(hour=0)
        assert energy_since([ran(50_000, midnight - HOUR, midnight + HOUR)], midnight, NOW) == 25_000


class TestStopping:
    """A group may stop each other's sessions (§3.10); limits are limits of starting."""

    @pytest.mark.parametrize(
        ("running", "status"),
        [
            ([], "NoCredit"),
            ([("TAG", None)], "Accepted"),
            ([("tag", "GROUP")], "Accepted"),
            ([("OTHER", None)], "NoCredit"),
            ([("OTHER", "ELSE")], "NoCredit"),
            ([("OTHER", "group")], "Accepted"),
            ([("GROUP", None)], "Accepted"),
            ([("OTHER", "ELSE"), ("THIRD", "GROUP")], "Accepted"),
        ],
    )
    def test_a_used_up_budget_locks_nobody_in(self, running: list[tuple[str, str | None]], status: TagStatus) -> None:
        tag = tag_of(parent_id_tag="GROUP", budget_kwh=Decimal(0), budget_period="day")
        assert judged(tag, running_here=tuple(running)) == status
        assert judged(tag, start_of(7), running_here=tuple(running)) == "NoCredit"

    def test_a_tag_without_a_group_is_not_in_one_with_others(self) -> None:
        tag = tag_of(charge_points=("CP9",))
        assert judged(tag, running_here=(("OTHER", None), ("THIRD", None))) == "NotAtThisLocation"

    @pytest.mark.parametrize("tag", [tag_of("Blocked"), tag_of(expiry_date=NOW)])
    def test_a_blocked_or_expired_tag_stays_so(self, tag: IdTag) -> None:
        assert judged(tag, running_here=(("TAG", None),)) != "Accepted"


@pytest.mark.parametrize(
    ("limits", "limited", "since"),
    [
        ({}, False, None),
        ({"charge_points": ("CP1",)}, True, None),
        ({"evses": (1,)}, True, None),
        ({"max_transactions": 1}, True, NOW),
        ({"budget_kwh": Decimal(1), "budget_period": "month"}, True, NOW.replace(hour=0)),
        ({"max_transactions": 1, "budget_kwh": Decimal(1), "budget_period": "day"}, True, NOW.replace(hour=0)),
    ],
)
def test_only_limits_ask_for_more(limits: dict[str, Any], limited: bool, since: datetime | None) -> None:
    tag = tag_of(**limits)
    assert is_limited(tag) == limited
    assert sessions_since(tag, NOW) == since


@pytest.mark.parametrize(("one", "other"), [("abc12", "ABC12"), ("Straße", "STRASSE"), ("#Aa", "#aA")])
def test_tags_compare_without_case(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@given(st.text(st.characters(max_codepoint=127), max_size=20))
def test_any_case_of_a_tag_is_the_same_tag(text: str) -> None:
    assert fold(text.upper()) == fold(text.lower()) == fold(fold(text))


def test_different_tags_stay_different() -> None:
    assert len({fold(tag) for tag in ("A", "B", "A ", " A", "#A", "")}) == 6


OPTIONS = st.sampled_from
TAGS = st.builds(
    tag_of,
    OPTIONS(["Accepted", "Blocked"]),
    expiry_date=OPTIONS([None, NOW - HOUR, NOW, NOW + HOUR]),
    parent_id_tag=OPTIONS([None, "GROUP"]),
    charge_points=OPTIONS([None, ("CP1",), ("CP2",)]),
    max_transactions=OPTIONS([None, 1, 2]),
    budget_kwh=OPTIONS([None, Decimal(0), Decimal(5)]),
    budget_period=OPTIONS(["day", "week", "month"]),
)
PARENTS = st.none() | st.builds(
    parent_of, OPTIONS(["Accepted", "Blocked"]), expiry_date=OPTIONS([None, NOW, NOW + HOUR])
)


@given(TAGS, PARENTS, OPTIONS([SHOWN, start_of(1)]), st.lists(st.builds(ran, st.integers(0, 9_000)), max_size=3))
def test_whatever_the_tag(tag: IdTag, parent: IdTag | None, use: Use, sessions: list[TagSession]) -> None:
    """Blocked and Expired are told as they are; Accepted is never told with an expiry that has passed."""
    info = authorize(TagFacts(tag=tag, parent=parent, sessions=tuple(sessions)), use, "Invalid")
    expired = tag.expiry_date is not None and tag.expiry_date <= NOW
    assert info.parent_id_tag == tag.parent_id_tag
    if tag.status == "Blocked" or expired:
        assert info.status == ("Blocked" if tag.status == "Blocked" else "Expired")
    elif parent is not None and parent.status == "Blocked":
        assert info.status == "Blocked"
    if info.status == "Accepted":
        assert info.expiry_date is None or info.expiry_date > NOW
    if info.status == "ConcurrentTx":
        assert use.starts is not None
