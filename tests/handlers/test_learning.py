"""What the ledger learns from answers about local lists and tariffs, whatever a station answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from csms.handlers.families import COMMAND_SETS
from csms.ledger.decision import Context
from csms.ledger.state import StationTariff
from csms.ocppj.versions import V16, V21, V201
from tests.fakes import GATEWAY, NOW, EventIds, state_of

CONTEXT = Context(NOW, "m1", GATEWAY, EventIds())
LATER = NOW + timedelta(days=1)
OLD = NOW - timedelta(days=1)


def learn(version, action, request, response, known=None, state=None):
    learner = COMMAND_SETS[version].learners[action]
    return learner.rule(state or state_of(), CONTEXT, request, response, known)


@pytest.mark.parametrize(
    ("version", "sent", "told"), [(V16, "listVersion", "listVersion"), (V201, "versionNumber", "versionNumber"), (V21, "versionNumber", "versionNumber")]
)  # fmt: skip
class TestLocalList:
    def test_a_list_that_was_taken(self, version, sent, told):
        del told
        request = {sent: 7, "updateType": "Full"}
        decision = learn(version, "SendLocalList", request, {"status": "Accepted"})
        point = decision.state.charge_point
        assert (point.local_list_version, point.local_list_seen_at) == (7, NOW)
        assert point in decision.changes

    @pytest.mark.parametrize("response", [{"status": "Failed"}, {"status": "VersionMismatch"}, {"status": 1}, {}])
    def test_or_not(self, version, sent, told, response):
        del told
        decision = learn(version, "SendLocalList", {sent: 7, "updateType": "Full"}, response)
        assert decision.state.charge_point.local_list_version is None

    @pytest.mark.parametrize("number", [-1, 0, 12, 2**31])
    def test_a_version_that_was_told(self, version, sent, told, number):
        del sent
        point = learn(version, "GetLocalListVersion", {}, {told: number}).state.charge_point
        assert point.local_list_version == number

    @pytest.mark.parametrize("response", [{}, {"x": 1}, *({"told": bad} for bad in ("1", None, 1.5, True, -2, 2**70))])
    def test_what_is_no_version(self, version, sent, told, response):
        del sent
        response = {told if name == "told" else name: value for name, value in response.items()}
        assert not learn(version, "GetLocalListVersion", {}, response).is_durable


def row(evse_id, tariff_id, **members):
    return StationTariff(
        **{
            "client_id": "CP1",
            "evse_id": evse_id,
            "tariff_id": tariff_id,
            "kind": "DefaultTariff",
            "seen_at": OLD,
            **members,
        }
    )


def seen(decision):
    return {(change.evse_id, change.tariff_id): change.is_installed for change in decision.changes}


def set_tariff(evse_id, tariff_id, known, response=None, **members):
    request = {"evseId": evse_id, "tariff": {"tariffId": tariff_id, "currency": "EUR", **members}}
    return learn(V21, "SetDefaultTariff", request, response or {"status": "Accepted"}, known)


class TestTariffs:
    def test_the_first(self):
        (change,) = set_tariff(1, "a", []).changes
        assert change == row(1, "a", seen_at=NOW)

    def test_another_replaces_that_of_its_evse(self):
        known = [row(1, "a"), row(2, "b"), row(0, "c")]
        assert seen(set_tariff(1, "d", known)) == {(1, "a"): False, (1, "d"): True}

    def test_that_of_all_evses_replaces_all(self):
        known = [row(1, "a"), row(2, "b"), row(0, "c"), row(1, "e", kind="DriverTariff")]
        assert seen(set_tariff(0, "c", known)) == {(1, "a"): False, (2, "b"): False, (0, "c"): True}

    def test_one_for_later_replaces_none_yet(self):
        decision = set_tariff(1, "b", [row(1, "a")], validFrom="2026-03-02T12:00:00Z")
        assert seen(decision) == {(1, "b"): True}
        assert decision.changes[0].valid_from == LATER

    def test_one_that_waits_for_its_time_stays(self):
        """I07.FR.23."""
        assert seen(set_tariff(1, "b", [row(1, "a", valid_from=LATER)])) == {(1, "b"): True}

    @pytest.mark.parametrize("status", ["Rejected", "TooManyElements", "DuplicateTariffId", None])
    def test_what_is_refused_changes_nothing(self, status):
        assert not set_tariff(1, "b", [row(1, "a")], {"status": status}).is_durable

    def test_what_a_station_tells_is_what_it_has(self):
        known = [row(1, "a"), row(2, "b"), row(0, "c")]
        told = {
            "status": "Accepted",
            "tariffAssignments": [
                {"tariffId": "a", "tariffKind": "DefaultTariff", "evseIds": [1, 2]},
                {"tariffId": "d", "tariffKind": "DriverTariff", "idTokens": ["X"], "validFrom": "2026-03-02T12:00:00Z"},
            ],
        }
        decision = learn(V21, "GetTariffs", {"evseId": 0}, told, known)
        assert seen(decision) == {(2, "b"): False, (0, "c"): False, (1, "a"): True, (2, "a"): True, (0, "d"): True}
        assert [change.kind for change in decision.changes if change.tariff_id == "d"] == ["DriverTariff"]

    def test_it_has_none(self):
        known = [row(1, "a"), row(2, "b")]
        assert seen(learn(V21, "GetTariffs", {"evseId": 2}, {"status": "NoTariff"}, known)) == {(2, "b"): False}
        assert not learn(V21, "GetTariffs", {"evseId": 2}, {"status": "Rejected"}, known).is_durable

    @pytest.mark.parametrize(
        ("request_", "results", "gone"),
        [
            ({}, [{"tariffId": "a", "status": "Accepted"}], {(1, "a"), (2, "a")}),
            ({"evseId": 2}, [{"tariffId": "a", "status": "Accepted"}], {(2, "a")}),
            ({}, [{"status": "Accepted"}], {(1, "a"), (2, "a"), (2, "b")}),
            ({"tariffIds": ["b"]}, [{"status": "NoTariff"}], {(2, "b")}),
            ({}, [{"tariffId": "a", "status": "Rejected"}, {"tariffId": "b", "status": "Accepted"}], {(2, "b")}),
        ],
        ids=["one", "one of an EVSE", "all", "none that was meant", "some"],
    )
    def test_they_are_cleared(self, request_, results, gone):
        known = [row(1, "a"), row(2, "a"), row(2, "b")]
        decision = learn(V21, "ClearTariffs", request_, {"clearTariffsResult": results}, known)
        assert seen(decision) == dict.fromkeys(gone, False)

    @pytest.mark.parametrize(
        "response",
        [
            {},
            {"status": "Accepted", "tariffAssignments": None},
            {"status": "Accepted", "tariffAssignments": [None, 5, {}, {"tariffId": 3}, {"tariffId": ""}]},
            {"status": "Accepted", "tariffAssignments": [{"tariffId": "x" * 61, "evseIds": "no"}]},
            {"clearTariffsResult": None},
            {"clearTariffsResult": [1, None, {}, {"status": []}]},
        ],
    )
    def test_any_response_is_borne(self, response):
        learn(V21, "GetTariffs", {"evseId": 0}, response, [])
        assert not learn(V21, "ClearTariffs", {}, response, [row(1, "a")]).is_durable


def test_another_value_of_a_charge_point_stays():
    decision = learn(V201, "GetLocalListVersion", {}, {"versionNumber": 3}, state=state_of(vendor="Acme"))
    assert decision.state.charge_point.vendor == "Acme"
