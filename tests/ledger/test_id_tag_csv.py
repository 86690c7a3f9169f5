"""Id tags as CSV: good lines are taken, bad ones are told with their number and what is wrong with them."""

from __future__ import annotations

import string
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csms.ledger import id_tag_csv
from csms.ledger.authorization import IdTag, fold
from csms.ledger.id_tag_csv import MAX_CHARACTERS, MAX_LINES, MAX_REPORTED, TooLarge, lines, parse
from csms.ledger.id_tags import BadTag, check

FULL = IdTag(
    id_tag="#1F,2",
    status="Blocked",
    expiry_date=datetime(2030, 1, 31, 12, tzinfo=UTC),
    parent_id_tag='GR"OUP',
    type="RFID",
    charge_points=("CP 1", "a/b+c%|é", "CP2"),
    max_transactions=2,
    budget_kwh=Decimal("12.50"),
    budget_period="week",
    evses=(2, 1),
)
FULL_LINE = '"#1F,2",Blocked,2030-01-31T12:00:00Z,"GR""OUP",RFID,CP%201 a/b+c%25%7C%C3%A9 CP2,2,12.50,week,2 1'
HEADER = "idTag,status,expiryDate,parentIdTag,type,chargePoints,maxTransactions,budgetKwh,budgetPeriod,evses"


def test_every_field() -> None:
    assert list(lines([FULL])) == [HEADER + "\r\n", FULL_LINE + "\r\n"]
    assert parse(f"{HEADER}\r\n{FULL_LINE}\r\n") == id_tag_csv.Parsed([FULL], [])


@pytest.mark.parametrize(
    "text",
    [
        "idTag\nA\nB",
        "idTag\r\nA\r\nB\r\n",
        "\ufeffidTag\rA\rB\r",
        "status,idTag\n,A\nAccepted,B\n\n\n",
        " idTag , status \nA,\nB,Accepted\n,\n",
        "idTag;status\nA;\nB;Accepted",
        'idTag\n"A"\n"B"',
    ],
    ids=["plain", "CRLF", "BOM and CR", "order", "blanks", "semicolons", "quotes"],
)
def test_dialects(text: str) -> None:
    assert parse(text).tags == [IdTag(id_tag=name, status="Accepted") for name in "AB"]
    assert parse(text).bad == []


@pytest.mark.parametrize(
    ("header", "line", "reason"),
    [
        ("idTag,status", "A", "1 columns are not allowed: the first line names 2"),
        ("idTag,status", "A,Accepted,", "3 columns are not allowed"),
        ("idTag,status", ",Accepted", "idTag: 0 characters"),
        ("idTag", "A" * 256, "idTag: 256 characters"),
        ("idTag", "A\x00B", "idTag: control characters"),
        ("idTag", "A\ud800", "idTag: control characters"),
        ("idTag,status", "A,Invalid", "status: 'Invalid' is not allowed: Accepted and Blocked are"),
        ("idTag,status", "A,accepted", "status: 'accepted'"),
        ("idTag,expiryDate", "A,2030-01-31", "expiryDate: '2030-01-31' is no time"),
        ("idTag,expiryDate", "A,2030-01-31T12:00:00", "expiryDate"),
        ("idTag,expiryDate", "A,2030-02-31T12:00:00Z", "expiryDate"),
        ("idTag,expiryDate", "A,0001-01-01T00:00:00+10:00", "expiryDate"),
        ("idTag,expiryDate", "A,٢٠٣٠-01-31T12:00:00Z", "expiryDate"),
        ("idTag,parentIdTag", "A,\x1b[31m", "parentIdTag: control characters"),
        ("idTag,type", f"A,{'x' * 51}", "type: 51 characters"),
        ("idTag,evses", "A,1 x", "evses: 'x' is no number of an EVSE"),
        ("idTag,evses", "A,0", "evses: allowed are 1 to 256 numbers"),
        ("idTag,evses", "A," + "1 " * 257, "evses: allowed are 1 to 256 numbers"),
        ("idTag,chargePoints", f"A,{'x' * 256}", "chargePoints: 256 characters"),
        ("idTag,chargePoints", "A,CP%00", "chargePoints: control characters"),
        ("idTag,chargePoints", f"A,{'x ' * 1001}", "chargePoints: 1001 are not allowed"),
        ("idTag,chargePoints", "A, ", "chargePoints: 0 are not allowed"),
        ("idTag,maxTransactions", "A,0", "maxTransactions: 0 is not allowed"),
        ("idTag,maxTransactions", "A,-1", "maxTransactions: '-1' is no number"),
        ("idTag,maxTransactions", "A,1.5", "maxTransactions: '1.5' is no number"),
        ("idTag,maxTransactions", "A,²", "maxTransactions: '²' is no number"),
        ("idTag,maxTransactions", "A,9999999999", "maxTransactions"),
        ("idTag,budgetKwh", "A,5", "budgetKwh, budgetPeriod: one of them is missing"),
        ("idTag,budgetPeriod", "A,day", "budgetKwh, budgetPeriod: one of them is missing"),
        ("idTag,budgetKwh,budgetPeriod", "A,5,year", "budgetPeriod: 'year' is not allowed: day, week, month are"),
        ("idTag,budgetKwh,budgetPeriod", "A,-5,day", "budgetKwh: '-5' is not allowed"),
        ("idTag,budgetKwh,budgetPeriod", "A,NaN,day", "budgetKwh: 'NaN' is not allowed"),
        ("idTag,budgetKwh,budgetPeriod", "A,1e99,day", "budgetKwh: '1E+99' is not allowed"),
        ("idTag,budgetKwh,budgetPeriod", "A,1e-99,day", "budgetKwh"),
        ("idTag,budgetKwh,budgetPeriod", 'A,"1,5",day', "budgetKwh: '1,5' is no number"),
        ("idTag", '"A', "no CSV"),
        ("idTag", '"A"B', "no CSV"),
        ("idTag", "B" * 200_000, "no CSV: field larger"),
        ("idTag", "first", "idTag: 'first' is on line 2 already"),
        ("idTag", "FIRST", "idTag: 'FIRST' is on line 2 already"),
    ],
)  # fmt: skip
def test_a_bad_line_is_told_and_its_neighbours_are_taken(header: str, line: str, reason: str) -> None:
    columns = header.count(",")
    first, last = "first" + "," * columns, "last" + "," * columns
    parsed = parse(f"{header}\n{first}\n{line}\n{last}\n")
    assert [tag.id_tag for tag in parsed.tags] == ["first", "last"]
    ((line_number, told),) = parsed.bad
    assert line_number == 3
    assert reason in told
    assert len(told) < 200
    assert told.isprintable()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "the first line has to name the columns"),
        ("A,Accepted", "the first line has to name the columns"),
        ("idTag,pin", "column 'pin' is not known: allowed are idTag, status"),
        ("idTag,status,idTag", "column idTag is there twice"),
        ('"idTag', "no CSV"),
    ],
)
def test_of_a_file_without_right_columns_nothing_is_taken(header: str, reason: str) -> None:
    parsed = parse(f"{header}\nA\nB\n")
    assert parsed.tags == []
    ((line_number, told),) = parsed.bad
    assert line_number == 1
    assert reason in told


def test_a_quote_that_is_never_closed_swallows_no_other_line() -> None:
    assert [tag.id_tag for tag in parse('idTag,type\nA,"x\nB,y\n').tags] == ["B"]


def test_a_large_file_is_not_read() -> None:
    with pytest.raises(TooLarge, match="characters"):
        parse("x" * (MAX_CHARACTERS + 1))
    with pytest.raises(TooLarge, match="lines"):
        parse("\n" * MAX_LINES)


def test_the_report_is_bounded() -> None:
    parsed = parse("idTag,status\n" + "A,no\n" * 5000)
    assert len(parsed.bad) == MAX_REPORTED + 1
    assert parsed.bad[-1].line_number == MAX_REPORTED + 2
    assert "not told" in parsed.bad[-1].reason


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
TAGS = st.builds(
    IdTag,
    id_tag=TEXT,
    status=st.sampled_from(["Accepted", "Blocked"]),
    expiry_date=st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001
    parent_id_tag=st.none() | TEXT,
    type=st.none() | TEXT,
    charge_points=st.none() | st.lists(TEXT, min_size=1, max_size=3).map(tuple),
    max_transactions=st.none() | st.integers(1, 1_000_000),
    evses=st.none() | st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
)
BUDGETS = st.none() | st.tuples(st.decimals(0, 10**9, places=6), st.sampled_from(["day", "week", "month"]))


@given(st.lists(st.tuples(TAGS, BUDGETS), max_size=5, unique_by=lambda pair: fold(pair[0].id_tag)))
def test_what_is_exported_is_imported_as_it_was(pairs: list[Any]) -> None:
    tags = [
        IdTag(**{**{name: getattr(tag, name) for name in tag.__struct_fields__}, "budget_kwh": kwh, "budget_period": period})
        for tag, (kwh, period) in ((tag, budget or (None, None)) for tag, budget in pairs)
    ]  # fmt: skip
    assert parse("".join(lines(tags))) == id_tag_csv.Parsed(tags, [])


@given(st.text(st.sampled_from(string.printable + '";\ufeff')) | st.text())
def test_any_text_is_read_without_harm(text: str) -> None:
    for tag in parse(text).tags:
        check(tag)
    for tag in parse("idTag,budgetKwh,budgetPeriod\n" + text).tags:
        check(tag)


def test_an_expiry_without_a_zone_is_refused() -> None:
    with pytest.raises(BadTag, match="time zone"):
        check(IdTag(id_tag="A", status="Accepted", expiry_date=datetime(2030, 1, 1)))  # noqa: DTZ001


def test_times_are_kept_in_utc() -> None:
    (tag,) = parse("idTag,expiryDate\nA,2030-01-31T12:00:00.5+02:00").tags
    assert tag.expiry_date == datetime(2030, 1, 31, 10, 0, 0, 500_000, tzinfo=UTC)
    assert tag.expiry_date.tzinfo is UTC
    local = IdTag(id_tag="A", status="Accepted", expiry_date=datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=5))))
    assert "2029-12-31T19:00:00Z" in list(lines([local]))[1]
