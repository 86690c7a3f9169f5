"""Reservations and id tags: one rule for the tag that is reserved for and the one that starts; and no refusal of ours."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import orjson
import pytest
from msgspec import UNSET
from twisted.internet.defer import fail

from csms.chargepoint.outcomes import NotConnected
from csms.ledger.authorization import IdTag, TagInfo, fold
from csms.ledger.state import Reservation
from csms.ocppj.versions import V21, V201
from csms.store.errors import StoreUnavailable
from tests.chargepoint.control import Control
from tests.fakes import NOW, FakeAuthority

RESERVE = {"connectorId": 1, "expiryDate": "2026-03-01T13:00:00Z", "idTag": "TAG1", "reservationId": 7}
START = {"connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": "2026-03-01T12:00:00Z"}


@pytest.fixture
def control():
    return Control()


def _know(control, *tags):
    control.ledger.tags.update({fold(tag.id_tag): tag for tag in tags})


def _tag(id_tag="TAG1", status="Accepted", **members):
    return IdTag(id_tag=id_tag, status=status, **members)


def _say(control, charger, action, payload):
    charger.say(action, payload)
    control.settle()
    return next(frame[2] for text in reversed(charger.sent) if (frame := orjson.loads(text))[0] == 3)


def _statuses(control):
    return [(event.status, event.id_tag_status) for event in control.events("reservation_changed")]


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        (_tag(), "Accepted"),
        (_tag("tag1"), "Accepted"),
        (_tag("OTHER"), "Accepted"),  # so the setting says of tags that nobody knows
        (_tag(status="Blocked"), "Blocked"),
        (_tag(expiry_date=NOW), "Expired"),
        (_tag(expiry_date=NOW + timedelta(seconds=1)), "Accepted"),
        (_tag(charge_points=("CP2",)), "NotAtThisLocation"),
        (_tag(budget_kwh=Decimal(0), budget_period="day"), "NoCredit"),
        (_tag(max_transactions=0), "Accepted"),  # ConcurrentTx is for a start (§7.2)
    ],
)
def test_it_goes_as_it_is_given_and_the_verdict_is_kept(control, tag, status):
    _know(control, tag)
    charger = control.connect()
    assert control.send("ReserveNow", RESERVE) == {"status": "Accepted"}
    assert charger.calls == [("ReserveNow", RESERVE)]
    (row,) = control.changes(Reservation)
    assert (row.status, row.id_tag_status) == ("ACTIVE", status)
    assert _statuses(control) == [("ACTIVE", status)]


def test_it_is_the_rule_of_authorize(control):
    _know(control, _tag(parent_id_tag="GROUP"), _tag("GROUP", status="Blocked"))
    charger = control.connect()
    told = _say(control, charger, "Authorize", {"idTag": "TAG1"})["idTagInfo"]["status"]
    control.send("ReserveNow", RESERVE)
    assert _statuses(control) == [("ACTIVE", told)] == [("ACTIVE", "Blocked")]


def test_a_session_that_runs_here_excuses_nothing_that_is_to_start(control):
    """Authorize before a stop is not about a start (see `csms.ledger.authorization`); a reservation is."""
    _know(control, _tag(charge_points=("CP2",)))
    charger = control.connect()
    _say(control, charger, "StartTransaction", {**START, "connectorId": 2})
    assert _say(control, charger, "Authorize", {"idTag": "TAG1"})["idTagInfo"]["status"] == "Accepted"
    control.send("ReserveNow", RESERVE)
    assert _statuses(control) == [("ACTIVE", "NotAtThisLocation")]


def test_the_verdict_stays_with_it(control):
    _know(control, _tag())
    control.connect()
    control.send("ReserveNow", RESERVE)
    _know(control, _tag(status="Blocked"))
    control.send("CancelReservation", {"reservationId": 7})
    assert _statuses(control) == [("ACTIVE", "Accepted"), ("CANCELLED", "Accepted")]
    control.send("ReserveNow", RESERVE)
    assert _statuses(control)[-1] == ("ACTIVE", "Blocked")


def test_also_with_one_that_the_charge_point_refuses(control):
    _know(control, _tag(status="Blocked"))
    control.connect().answers["ReserveNow"] = {"status": "Rejected"}
    control.send("ReserveNow", RESERVE)
    assert _statuses(control) == [("REJECTED", "Blocked")]


@pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid"])
def test_the_start_is_judged_by_the_same_rule_and_uses_it_up(control, status):
    expired = NOW if status == "Expired" else None
    places = ("CP2",) if status == "Invalid" else None
    _know(
        control,
        _tag(status="Blocked" if status == "Blocked" else "Accepted", expiry_date=expired, charge_points=places),
    )
    charger = control.connect()
    control.send("ReserveNow", RESERVE)
    answer = _say(control, charger, "StartTransaction", {**START, "reservationId": 7})
    assert answer["idTagInfo"]["status"] == status
    kept = "NotAtThisLocation" if status == "Invalid" else status
    assert _statuses(control) == [("ACTIVE", kept), ("USED", kept)]


def test_a_parent_id_tag_lets_the_group_use_it(control):
    """The charge point compares the parents (§5.13): it is told the parent of whoever comes."""
    _know(control, _tag(parent_id_tag="GROUP"), _tag("TAG2", parent_id_tag="GROUP"), _tag("TAG3"))
    charger = control.connect()
    control.send("ReserveNow", {**RESERVE, "parentIdTag": "GROUP"})
    parents = {
        tag: _say(control, charger, "Authorize", {"idTag": tag})["idTagInfo"].get("parentIdTag")
        for tag in ("TAG1", "TAG2", "TAG3")
    }
    assert parents == {"TAG1": "GROUP", "TAG2": "GROUP", "TAG3": None}
    answer = _say(control, charger, "StartTransaction", {**START, "idTag": "TAG2", "reservationId": 7})
    assert answer["idTagInfo"] == {"status": "Accepted", "parentIdTag": "GROUP"}
    used = control.events("reservation_changed")[-1]
    assert (used.status, used.id_tag, used.parent_id_tag, used.transaction_id) == (
        "USED",
        "TAG1",
        "GROUP",
        answer["transactionId"],
    )


def test_whoevers_tag_it_is(control):
    _know(control, _tag(), _tag("TAG3", status="Blocked"))
    charger = control.connect()
    control.send("ReserveNow", RESERVE)
    answer = _say(control, charger, "StartTransaction", {**START, "idTag": "TAG3", "reservationId": 7})
    assert answer["idTagInfo"]["status"] == "Blocked"
    assert _statuses(control) == [("ACTIVE", "Accepted"), ("USED", "Accepted")]


@pytest.mark.parametrize("number", [0, -3, 3_000_000_000])
def test_a_number_that_no_transaction_has_is_one_for_a_reservation(control, number):
    charger = control.connect()
    control.send("ReserveNow", {**RESERVE, "reservationId": number})
    answer = _say(control, charger, "StartTransaction", {**START, "reservationId": number})
    used = control.events("reservation_changed")[-1]
    assert (used.status, used.reservation_id, used.transaction_id) == ("USED", number, answer["transactionId"])
    # Nobody has reserved by it any more: it means none.
    _say(control, charger, "StartTransaction", {**START, "connectorId": 2, "reservationId": number})
    assert len(control.events("reservation_changed")) == 2


# OCPP 2.x.


RESERVE_2 = {"id": 7, "expiryDateTime": "2026-03-01T13:00:00Z", "idToken": {"idToken": "TAG1", "type": "ISO14443"}}


@pytest.mark.parametrize("version", [V201, V21])
@pytest.mark.parametrize(
    ("tag", "status"),
    [
        (_tag(), "Accepted"),
        (_tag("OTHER"), "Accepted"),
        (_tag(status="Blocked"), "Blocked"),
        (_tag(expiry_date=NOW), "Expired"),
        (_tag(charge_points=("CP2",)), "NotAtThisLocation"),
        (_tag(budget_kwh=Decimal(0), budget_period="day"), "NoCredit"),
        (_tag(type="eMAID"), "Invalid"),  # one of another type is another token (C01.FR.25)
    ],
)
def test_in_2x_it_is_the_same_rule(control, version, tag, status):
    _know(control, tag)
    charger = control.connect(version=version)
    charger.answers["ReserveNow"] = {"status": "Accepted"}
    request = {**RESERVE_2, "groupIdToken": {"idToken": "GROUP", "type": "Central"}}
    assert control.send("ReserveNow", request) == {"status": "Accepted"}
    assert charger.calls == [("ReserveNow", request)]
    assert _statuses(control) == [("ACTIVE", status)]
    assert control.events("reservation_changed")[0].parent_id_tag == "GROUP"


def test_in_2x_a_blocked_group_is_blocked(control):
    _know(control, _tag(parent_id_tag="GROUP"), _tag("GROUP", status="Blocked"))
    charger = control.connect(version=V21)
    charger.answers["ReserveNow"] = {"status": "Occupied"}
    control.send("ReserveNow", RESERVE_2)
    assert _statuses(control) == [("REJECTED", "Blocked")]


def test_in_2x_a_token_that_is_no_tag_is_not_judged(control):
    charger = control.connect(version=V201)
    charger.answers["ReserveNow"] = {"status": "Accepted"}
    control.send("ReserveNow", {**RESERVE_2, "idToken": {"idToken": "", "type": "NoAuthorization"}})
    assert _statuses(control) == [("ACTIVE", UNSET)]


# The external authority.


def test_what_an_authority_says_of_an_unknown_tag():
    control = Control(authority=FakeAuthority(TAG1=TagInfo("Expired")))
    control.connect()
    control.send("ReserveNow", RESERVE)
    assert control.authority.asked == [("TAG1", "CP1")]
    assert _statuses(control) == [("ACTIVE", "Expired")]


def test_it_is_asked_before_the_charge_point_so_that_no_start_comes_between():
    control = Control(authority=FakeAuthority())
    charger = control.connect()
    results = control.start(control.commands.send("CP1", "ReserveNow", RESERVE))
    control.settle()
    assert (charger.calls, results) == ([], [])
    control.authority.say(TagInfo("Accepted"))
    control.settle()
    assert results == [{"status": "Accepted"}]
    assert _statuses(control) == [("ACTIVE", "Accepted")]


def test_a_charge_point_that_is_gone_before_the_authority_has_answered():
    control = Control(authority=FakeAuthority())
    charger = control.connect()
    results = control.start(control.commands.send("CP1", "ReserveNow", RESERVE))
    control.lose(charger)
    control.authority.say(TagInfo("Accepted"))
    control.settle()
    assert results[0].check(NotConnected)
    assert charger.calls == []
    with pytest.raises(NotConnected):
        control.send("ReserveNow", RESERVE)
    assert len(control.authority.asked) == 1


def test_a_tag_that_cannot_be_looked_up_keeps_no_reservation_from_its_charge_point(control):
    charger = control.connect()
    control.ledger.tag_facts = lambda *_arguments: fail(StoreUnavailable("away"))
    control.send("ReserveNow", RESERVE)
    assert charger.calls == [("ReserveNow", RESERVE)]
    assert _statuses(control) == [("ACTIVE", UNSET)]
