"""What a charge point is told about an id tag (1.6 §4.1, §4.8, §4.10, §7.2)."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from csms.handlers.request import Policy
from csms.handlers.tags import Tags
from csms.ledger.authorization import IdTag, TagInfo
from tests.fakes import NOW, FakeAuthority, FakeLedger
from tests.handlers.station import START, Station

TAGS = {
    "good": IdTag(id_tag="Good", status="Accepted", parent_id_tag="FAMILY", expiry_date=NOW + timedelta(days=1)),
    "plain": IdTag(id_tag="Plain", status="Accepted"),
    "old": IdTag(id_tag="Old", status="Accepted", expiry_date=NOW - timedelta(seconds=1)),
    "blocked": IdTag(id_tag="Blocked", status="Blocked"),
    "blockedold": IdTag(id_tag="BlockedOld", status="Blocked", expiry_date=NOW - timedelta(days=1)),
}
GOOD = {"status": "Accepted", "expiryDate": "2026-03-02T12:00:00.000Z", "parentIdTag": "FAMILY"}
OLD = {"status": "Expired", "expiryDate": "2026-03-01T11:59:59.000Z"}
BLOCKED_OLD = {"status": "Blocked", "expiryDate": "2026-02-28T12:00:00.000Z"}
EXPECTED = [
    ("GOOD", "Accepted", GOOD),
    ("good", "Invalid", GOOD),
    ("Plain", "Invalid", {"status": "Accepted"}),
    ("Old", "Accepted", OLD),
    ("Blocked", "Accepted", {"status": "Blocked"}),
    ("BlockedOld", "Invalid", BLOCKED_OLD),
    ("Unknown", "Accepted", {"status": "Accepted"}),
    ("Unknown", "Blocked", {"status": "Blocked"}),
    ("Unknown", "Expired", {"status": "Expired"}),
    ("Unknown", "Invalid", {"status": "Invalid"}),
]


def _station(unknown):
    station = Station(policy=Policy(unknown_tags=unknown))
    station.ledger.tags.update(TAGS)
    return station


@pytest.mark.parametrize(("tag", "unknown", "info"), EXPECTED)
class TestTag:
    def test_authorize(self, tag, unknown, info):
        """Nothing is stored for an Authorize, whatever its answer."""
        answer = _station(unknown).ask("Authorize", {"idTag": tag})
        assert answer.payload == {"idTagInfo": info}
        assert answer.changes == []

    def test_start(self, tag, unknown, info):
        """Stored under a real id whatever the tag, and answered with the tag's true status (steve#25)."""
        answer = _station(unknown).ask("StartTransaction", {**START, "idTag": tag})
        assert answer.payload == {"transactionId": 1, "idTagInfo": info}
        assert answer.event_types == ["started"]
        assert answer.changes[0].id_tag == tag

    def test_stop(self, tag, unknown, info):
        station = _station(unknown)
        stop = {"transactionId": station.start(), "meterStop": 2000, "timestamp": "2026-03-01T11:30:00Z", "idTag": tag}
        answer = station.ask("StopTransaction", stop)
        assert answer.payload == {"idTagInfo": info}
        assert answer.event_types == ["completed", "session_cost"]
        assert answer.changes[-1].stop_id_tag == tag


def test_a_tag_may_start_with_a_hash():
    """steve#1322."""
    station = _station("Invalid")
    station.ledger.tags["#1f"] = IdTag(id_tag="#1F", status="Accepted")
    assert station.ask("Authorize", {"idTag": "#1F"}, "strict").payload == {"idTagInfo": {"status": "Accepted"}}
    assert station.ask("StartTransaction", {**START, "idTag": "#1F"}, "strict").payload["transactionId"] == 1


@pytest.mark.parametrize(
    ("action", "request_"),
    [
        ("Authorize", {"idTag": "T" * 21}),
        ("StartTransaction", {**START, "idTag": "T" * 21}),
        (
            "StopTransaction",
            {"transactionId": 1, "meterStop": 2000, "timestamp": "2026-03-01T11:30:00Z", "idTag": "T" * 21},
        ),
    ],
)
def test_an_overlong_tag(action, request_):
    """Tolerated and named (lbbrhzn#1803); refused in strict mode."""
    station = _station("Invalid")
    station.start()
    answer = station.ask(action, request_)
    assert answer.payload["idTagInfo"] == {"status": "Invalid"}
    assert len(answer.deviations) == 1
    assert "idTag" in answer.deviations[0]
    strict = _station("Invalid")
    strict.start()
    assert strict.ask(action, request_, "strict").code == "PropertyConstraintViolation"


def _status(answer):
    return answer.payload["idTagInfo"]["status"]


def _with(*tags, **members):
    station = Station(policy=Policy(unknown_tags="Invalid"), **members)
    station.ledger.tags.update({tag.id_tag.casefold(): tag for tag in tags})
    return station


def _shown(station, tag):
    return _status(station.ask("Authorize", {"idTag": tag}))


def _started(station, tag, **members):
    answer = station.ask("StartTransaction", {**START, "idTag": tag, **members})
    assert answer.event_types[-1:] in (["started"], [])
    return _status(answer)


def _stopped(station, tag, number=1, meter_stop=2000):
    stop = {"transactionId": number, "meterStop": meter_stop, "timestamp": "2026-03-01T12:30:00Z", "idTag": tag}
    return _status(station.ask("StopTransaction", stop))


STOP = {"meterStop": 2000, "timestamp": "2026-03-01T11:30:00Z"}


class TestLimits:
    """What is refused is stored all the same: it may have been started offline."""

    def test_charge_points(self):
        tag = IdTag(id_tag="A", status="Accepted", charge_points=("CP2",))
        here, there = _with(tag), _with(tag, client_id="CP2")
        assert (_shown(here, "A"), _started(here, "A"), _stopped(here, "A")) == ("Invalid",) * 3
        assert (_shown(there, "A"), _started(there, "A"), _stopped(there, "A")) == ("Accepted",) * 3

    def test_concurrent_transactions(self):
        """ConcurrentTx is for StartTransaction only (1.6 §7.2)."""
        here = _with(IdTag(id_tag="A", status="Accepted", max_transactions=1))
        there = Station("CP2", ledger=here.ledger)
        assert _started(here, "A") == "Accepted"
        assert _started(here, "a", connectorId=2) == "ConcurrentTx"
        assert _started(there, "A") == "ConcurrentTx"
        assert _shown(there, "A") == "Accepted"
        assert _stopped(there, "A", 3) == "Accepted"
        assert len(here.ledger.transactions) == 3

    def test_a_start_that_comes_again_is_not_concurrent_with_itself(self):
        station = _with(IdTag(id_tag="A", status="Accepted", max_transactions=1))
        for _ in range(2):
            assert _started(station, "A") == "Accepted"
        anew = Station(ledger=station.ledger).state
        station.state = replace(anew, latest_start=station.state.latest_start)
        assert _started(station, "A") == "Accepted"
        assert len(station.ledger.transactions) == 1

    def test_a_start_on_a_connector_whose_stop_was_forgotten_is_not_concurrent(self):
        station = _with(IdTag(id_tag="A", status="Accepted", max_transactions=1))
        assert _started(station, "A") == "Accepted"
        assert _started(station, "A", timestamp="2026-03-01T11:10:00Z") == "Accepted"
        assert list(station.state.running) == [2]

    def test_a_budget(self):
        budget = {"budget_kwh": Decimal(2), "budget_period": "day"}
        station = _with(IdTag(id_tag="A", status="Accepted", **budget))
        station.start(idTag="A", meterStart=0)
        assert _stopped(station, "A", meter_stop=1999) == "Accepted"
        assert _shown(station, "A") == "Accepted"
        assert _started(station, "A", timestamp="2026-03-01T12:40:00Z") == "Accepted"
        station.ask("StopTransaction", {**STOP, "transactionId": 2, "meterStop": 1001})
        assert _shown(station, "A") == "Blocked"
        assert _started(station, "A", timestamp="2026-03-01T12:50:00Z") == "Blocked"
        assert _stopped(station, "A", 3, 1000) == "Blocked"
        station.now += timedelta(days=1)
        assert _shown(station, "A") == "Accepted"

    def test_a_used_up_budget_keeps_nobody_from_stopping(self):
        """Many charge points ask by Authorize before they stop."""
        budget = {"budget_kwh": Decimal(0), "budget_period": "day"}
        station = _with(
            IdTag(id_tag="A", status="Accepted", parent_id_tag="GROUP", **budget),
            IdTag(id_tag="B", status="Accepted", parent_id_tag="group", **budget),
            IdTag(id_tag="C", status="Accepted", **budget),
        )
        assert _started(station, "A") == "Blocked"
        assert [_shown(station, tag) for tag in "aBC"] == ["Accepted", "Accepted", "Blocked"]
        assert _started(station, "B", connectorId=2) == "Blocked"


class TestGroup:
    def test_a_group_is_told_by_its_parent_so_that_its_tags_can_stop_each_other(self):
        """The charge point compares the parents (1.6 §3.10)."""
        station = _with(*(IdTag(id_tag=name, status="Accepted", parent_id_tag="FAMILY") for name in "AB"))
        started = station.ask("StartTransaction", {**START, "idTag": "A"})
        shown = station.ask("Authorize", {"idTag": "B"})
        assert (
            started.payload["idTagInfo"]
            == shown.payload["idTagInfo"]
            == {"status": "Accepted", "parentIdTag": "FAMILY"}
        )
        stopped = station.ask("StopTransaction", {**STOP, "transactionId": 1, "idTag": "B"})
        assert _status(stopped) == "Accepted"
        assert (stopped.changes[-1].id_tag, stopped.changes[-1].stop_id_tag) == ("A", "B")

    @pytest.mark.parametrize(
        ("parent", "status"),
        [
            (IdTag(id_tag="Family", status="Blocked"), "Blocked"),
            (IdTag(id_tag="Family", status="Accepted", expiry_date=NOW), "Expired"),
            (IdTag(id_tag="Family", status="Accepted"), "Accepted"),
        ],
    )
    def test_a_parent_that_is_refused_takes_its_children_with_it(self, parent, status):
        station = _with(parent, IdTag(id_tag="A", status="Accepted", parent_id_tag="FAMILY"))
        assert (_shown(station, "A"), _started(station, "A"), _stopped(station, "A")) == (status,) * 3

    def test_a_parent_that_is_too_long_for_ocpp_1_6_is_not_told(self):
        station = _with(
            *(IdTag(id_tag=size, status="Accepted", parent_id_tag="P" * int(size)) for size in ("20", "21"))
        )
        assert station.ask("Authorize", {"idTag": "20"}).payload["idTagInfo"]["parentIdTag"] == "P" * 20
        assert station.ask("Authorize", {"idTag": "21"}).payload["idTagInfo"] == {"status": "Accepted"}


REQUESTS = [
    ("Authorize", {"idTag": "X"}),
    ("StartTransaction", {**START, "idTag": "X", "connectorId": 2}),
    ("StopTransaction", {**STOP, "transactionId": 1, "idTag": "X"}),
]


@pytest.mark.parametrize(("action", "payload"), REQUESTS, ids=[action for action, _ in REQUESTS])
class TestAuthority:
    @pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
    def test_it_is_asked_about_unknown_tags(self, action, payload, status):
        authority = FakeAuthority(TAG1=TagInfo("Accepted"), X=TagInfo(status, NOW + timedelta(days=1), "GROUP"))
        station = _with(authority=authority)
        station.start()
        info = {"status": status, "expiryDate": "2026-03-02T12:00:00.000Z", "parentIdTag": "GROUP"}
        assert station.ask(action, payload).payload["idTagInfo"] == info
        assert authority.asked[-1] == ("X", "CP1")

    def test_it_is_not_asked_about_known_ones(self, action, payload):
        tags = IdTag(id_tag="x", status="Blocked"), IdTag(id_tag="TAG1", status="Accepted")
        station = _with(*tags, authority=FakeAuthority())
        station.start()
        assert _status(station.ask(action, payload)) == "Blocked"
        assert station.authority.asked == []

    @pytest.mark.parametrize(
        ("parent", "status"),
        [
            (IdTag(id_tag="Group", status="Blocked"), "Blocked"),
            (IdTag(id_tag="Group", status="Accepted", expiry_date=NOW), "Expired"),
            (IdTag(id_tag="Group", status="Accepted", charge_points=("CP9",)), "Accepted"),
        ],
    )
    def test_the_operator_may_block_a_parent_that_it_names(self, action, payload, parent, status):
        authority = FakeAuthority(TAG1=TagInfo("Accepted"), X=TagInfo("Accepted", None, "GROUP"))
        station = _with(parent, authority=authority)
        station.start()
        assert _status(station.ask(action, payload)) == status

    def test_the_charge_point_waits_for_it_and_nothing_else_does(self, action, payload):
        authority = FakeAuthority(TAG1=TagInfo("Accepted"))
        station = _with(authority=authority)
        station.start()
        waiting = station.send(action, payload)
        assert waiting.answer is None
        other = _with(authority=authority, client_id="CP2")
        assert other.start() > 0
        authority.say(TagInfo("Blocked"))
        assert _status(waiting.answer) == "Blocked"


def test_a_tag_that_starts_nothing_yet_is_judged_by_the_same_rule():
    ledger = FakeLedger()
    ledger.tags["a"] = IdTag(id_tag="A", status="Accepted", charge_points=("CP2",), max_transactions=1)
    tags = Tags(ledger, "Invalid", FakeAuthority(X=TagInfo("Blocked")))
    done = []
    for tag, client_id in (("A", "CP1"), ("A", "CP2"), ("X", "CP1")):
        tags.judge(tag, client_id, NOW).addCallback(done.append)
    assert [info.status for info in done] == ["NotAtThisLocation", "Accepted", "Blocked"]
