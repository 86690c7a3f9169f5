"""What a station of OCPP 2.0.1 or 2.1 is told about an id token (C01 to C07, C09, C17)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from csms.handlers.contracts import Contract, OcspData
from csms.handlers.request import Policy
from csms.ledger.authorization import IdTag, TagInfo
from csms.ocppj.versions import V16, V21, V201
from tests.fakes import NOW, FakeAuthority, FakeContracts
from tests.handlers.station import Station

both = pytest.mark.parametrize("version", [V201, V21], ids=["2.0.1", "2.1"])
TYPES = ["Central", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress"]
HASH = {
    "hashAlgorithm": "SHA256",
    "issuerNameHash": "0a",
    "issuerKeyHash": "0b",
    "serialNumber": "1f",
    "responderURL": "http://ocsp.example.org",
}


def station_of(version, *tags, unknown="Invalid", **members):
    station = Station(policy=Policy(unknown_tags=unknown), version=version, **members)
    station.ledger.tags.update({tag.id_tag.casefold(): tag for tag in tags})
    return station


def authorize(station, id_token="TAG", kind="ISO14443", mode="strict", **members):
    answer = station.ask("Authorize", {"idToken": {"idToken": id_token, "type": kind}, **members}, mode)
    assert answer.changes == []
    return answer.payload


def told(station, *arguments, **members):
    return authorize(station, *arguments, **members)["idTokenInfo"]


def tag_of(status="Accepted", **members):
    return IdTag(id_tag="Tag", status=status, **members)


BUDGET = {"budget_kwh": Decimal(5), "budget_period": "day"}


@both
class TestWords:
    @pytest.mark.parametrize(
        ("tag", "info"),
        [
            (tag_of(), {"status": "Accepted"}),
            (tag_of("Blocked"), {"status": "Blocked"}),
            (tag_of(expiry_date=NOW), {"status": "Expired", "cacheExpiryDateTime": "2026-03-01T12:00:00.000Z"}),
            (
                tag_of(expiry_date=NOW + timedelta(days=1), parent_id_tag="FAMILY"),
                {
                    "status": "Accepted",
                    "cacheExpiryDateTime": "2026-03-02T12:00:00.000Z",
                    "groupIdToken": {"idToken": "FAMILY", "type": "Central"},
                },
            ),
            (tag_of(charge_points=("CP9",)), {"status": "NotAtThisLocation"}),
            (tag_of(evses=(2, 1)), {"status": "Accepted", "evseId": [2, 1]}),
            (tag_of(**BUDGET), {"status": "Accepted", "cacheExpiryDateTime": "2026-03-01T12:00:01.000Z"}),
            (
                tag_of(budget_kwh=Decimal(0), budget_period="day"),
                {"status": "NoCredit", "cacheExpiryDateTime": "2026-03-01T12:00:01.000Z"},
            ),
        ],
        ids=["plain", "blocked", "expired", "in a group", "elsewhere", "some EVSEs", "with credit", "without credit"],
    )
    def test_a_known_tag(self, version, tag, info):
        assert told(station_of(version, tag)) == info

    @pytest.mark.parametrize("unknown", ["Accepted", "Blocked", "Expired", "Invalid", "Unknown"])
    @pytest.mark.parametrize("kind", TYPES)
    def test_an_unknown_token(self, version, kind, unknown):
        """What the operator wants; a key code that is not valid is Invalid (C04.FR.01)."""
        status = "Invalid" if (kind, unknown) == ("KeyCode", "Unknown") else unknown
        assert told(station_of(version, unknown=unknown), "X", kind) == {"status": status}

    def test_in_1_6_there_are_fewer_words(self, version):
        del version
        for tag, status in (
            (tag_of(charge_points=("CP9",)), "Invalid"),
            (tag_of(budget_kwh=Decimal(0), budget_period="day"), "Blocked"),
        ):
            answer = station_of(V16, tag).ask("Authorize", {"idTag": "TAG"}, "strict")
            assert answer.payload == {"idTagInfo": {"status": status}}
        answer = station_of(V16, unknown="Unknown").ask("Authorize", {"idTag": "TAG"}, "strict")
        assert answer.payload == {"idTagInfo": {"status": "Invalid"}}

    def test_the_authority_is_asked(self, version):
        authority = FakeAuthority(X=TagInfo("NotAtThisLocation", None, "GROUP"))
        group = {"idToken": "GROUP", "type": "Central"}
        assert told(station_of(version, authority=authority), "X") == {
            "status": "NotAtThisLocation",
            "groupIdToken": group,
        }

    def test_a_group_that_is_too_long_for_the_version_is_not_told(self, version):
        longest = 36 if version is V201 else 255
        for length in (longest, longest + 1):
            info = told(station_of(version, tag_of(parent_id_tag="G" * length)))
            assert ("groupIdToken" in info) == (length == longest)


@both
class TestTypes:
    @pytest.mark.parametrize("kind", TYPES)
    def test_of_any_type(self, version, kind):
        assert told(station_of(version, tag_of()), "tAG", kind) == {"status": "Accepted"}

    def test_of_another_type_than_the_operator_entered(self, version):
        station = station_of(version, tag_of(type="eMAID"), unknown="Unknown")
        assert [told(station, "TAG", kind)["status"] for kind in ("eMAID", "ISO14443")] == ["Accepted", "Unknown"]

    def test_nobody_is_judged_where_nobody_was_asked(self, version):
        """C02.FR.02."""
        station = station_of(version, tag_of("Blocked"), authority=FakeAuthority())
        assert told(station, "", "NoAuthorization") == {"status": "Accepted"}
        assert told(station, "TAG", "NoAuthorization") == {"status": "Accepted"}
        assert station.authority.asked == []

    def test_a_token_without_a_text_is_nobody(self, version):
        station = station_of(version, authority=FakeAuthority())
        assert told(station, "", "ISO14443") == {"status": "Invalid"}
        assert station.authority.asked == []


def test_types_are_texts_in_2_1():
    station = station_of(V21, tag_of())
    assert [told(station, "TAG", kind)["status"] for kind in ("VIN", "EVCCID", "acme's")] == ["Accepted"] * 3


@both
class TestContract:
    @pytest.mark.parametrize(
        ("tag", "status", "certificate"),
        [
            (tag_of(), "Accepted", "Accepted"),
            (tag_of("Blocked"), "Blocked", "ContractCancelled"),
            (tag_of(expiry_date=NOW), "Expired", "ContractCancelled"),
            (None, "Invalid", "ContractCancelled"),
            (tag_of(charge_points=("CP9",)), "NotAtThisLocation", "Accepted"),
            (tag_of(budget_kwh=Decimal(0), budget_period="day"), "NoCredit", "Accepted"),
        ],
        ids=["accepted", "blocked", "expired", "unknown", "elsewhere", "without credit"],
    )
    def test_a_valid_one_of_an_emaid(self, version, tag, status, certificate):
        """C07.FR.13, FR.14."""
        station = station_of(version, *([tag] if tag else []), contracts=FakeContracts())
        answer = authorize(station, "TAG", "eMAID", certificate="-----BEGIN")
        assert (answer["idTokenInfo"]["status"], answer["certificateStatus"]) == (status, certificate)
        assert station.contracts.asked == [(Contract("TAG", "-----BEGIN"), station.now)]

    @pytest.mark.parametrize(
        ("certificate", "status"),
        [("CertificateExpired", "Expired"), ("CertificateRevoked", "Invalid"), ("CertChainError", "Invalid")],
    )
    def test_one_that_is_not(self, version, certificate, status):
        """C07.FR.15 to FR.17: whatever is known of the EMAID."""
        station = station_of(version, tag_of("Blocked"), contracts=FakeContracts(certificate))
        answer = authorize(station, "TAG", "eMAID", certificate="-----BEGIN")
        assert answer == {"idTokenInfo": {"status": status}, "certificateStatus": certificate}

    def test_only_its_hashes(self, version):
        station = station_of(version, tag_of(), contracts=FakeContracts())
        answer = authorize(station, "TAG", "eMAID", iso15118CertificateHashData=[HASH, HASH])
        assert answer == {"idTokenInfo": {"status": "Accepted"}, "certificateStatus": "Accepted"}
        data = OcspData("SHA256", "0a", "0b", "1f", "http://ocsp.example.org")
        assert station.contracts.asked[0][0] == Contract("TAG", None, (data, data))

    def test_without_roots_none_can_be_verified(self, version):
        answer = authorize(station_of(version, tag_of()), "TAG", "eMAID", certificate="-----BEGIN")
        assert answer == {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"}

    def test_the_answer_waits_for_it(self, version):
        station = station_of(version, tag_of(), contracts=FakeContracts(waits=True))
        payload = {"idToken": {"idToken": "TAG", "type": "eMAID"}, "certificate": "-----BEGIN"}
        waiting = station.send("Authorize", payload)
        assert waiting.answer is None
        station.contracts.say("Accepted")
        assert waiting.answer.payload["certificateStatus"] == "Accepted"
