"""What a charge point is told about an id tag (1.6 §4.1, §4.8, §4.10, §7.2)."""

from datetime import timedelta

import pytest

from csms.handlers.request import Policy
from csms.ledger.authorization import IdTag
from tests.fakes import NOW
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
