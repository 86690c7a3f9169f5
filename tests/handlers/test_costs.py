"""What a driver is told of costs and tariffs (OCPP 2.x E16, I02, I03, I07, I08)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from csms.handlers.request import Policy
from csms.handlers.v2.costs import total_cost, transaction_limit
from csms.handlers.v2.tariffs import on_wire, tariff_type
from csms.ledger import energy
from csms.ledger.authorization import IdTag, TagFacts, TagInfo, TagSession
from csms.ledger.cost import Tariff
from csms.ledger.state import Transaction
from csms.ocppj.schemas import schemas_of
from csms.ocppj.versions import V21, V201
from tests.fakes import NOW, state_of
from tests.handlers.station import Station

SCHEMAS = schemas_of(V21)
PRICED = Tariff("EUR", Decimal("0.29"), Decimal("0.05"), Decimal("0.5"))
FREE = Tariff()
RATES = st.decimals(0, 1000, places=6)


def transaction_of(**members):
    meter = energy.read(energy.begin(Decimal(1000), NOW), Decimal("3500.5"), NOW + timedelta(minutes=10))
    return Transaction(
        **{
            "transaction_id": 7,
            "client_id": "CP1",
            "connector_id": 1,
            "id_tag": "TAG",
            "status": "active",
            "start_time": NOW,
            "station_start": "",
            "meter_start_wh": Decimal(1000),
            "meter": meter,
            **members,
        }
    )


ENDED = transaction_of(status="completed", cost=Decimal("1.73"), currency="EUR")
GIFT = transaction_of(status="completed", cost=Decimal("0.00"), currency="EUR")


class TestTotalCost:
    @pytest.mark.parametrize(
        ("own", "default", "transaction", "running", "told"),
        [
            (None, PRICED, ENDED, False, 1.73),
            (PRICED, FREE, ENDED, False, 1.73),
            (None, FREE, GIFT, True, None),
            (FREE, FREE, GIFT, False, 0),
            (None, PRICED, transaction_of(), False, None),
            (None, PRICED, transaction_of(), True, 1.98),
            (FREE, PRICED, transaction_of(), True, 0),
            (None, FREE, transaction_of(), True, None),
        ],
        ids=[
            "in the end",
            "by its own tariff",
            "nobody has entered a price",
            "its own tariff is free (I03.FR.04)",
            "so far, unasked",
            "so far",
            "so far, its own tariff is free",
            "so far, nobody has entered a price",
        ],
    )
    def test_what_is_told(self, own, default, transaction, running, told):
        """10 minutes and 2.5005 kWh later: 0.725145 + 0.5 + 0.5 in the end; so far 15 minutes have passed."""
        state = replace(state_of(), tariff=own)
        policy = Policy(tariff=default, tells_running_cost=running)
        assert total_cost(state, policy, transaction, NOW + timedelta(minutes=15)) == told


class TestTransactionLimit:
    INFO = TagInfo("Accepted", budget_left_wh=Decimal("1500.5"))

    @pytest.mark.parametrize(
        ("info", "transaction", "limit"),
        [
            (INFO, transaction_of(), {"max_energy": 1500.5}),
            (replace(INFO, status="NoCredit"), transaction_of(), None),
            (TagInfo("Accepted"), transaction_of(), None),
            (INFO, ENDED, None),
        ],
        ids=["what is left", "nothing is left", "no budget", "in the end"],
    )
    def test_a_budget_limits_what_is_taken(self, info, transaction, limit):
        assert transaction_limit(info, TagFacts(), transaction) == limit

    def test_what_it_has_taken_is_not_lost_to_it(self):
        sessions = tuple(TagSession("CP1", number, NOW, None, Decimal(wh)) for number, wh in ((7, 400), (8, 900)))
        assert transaction_limit(self.INFO, TagFacts(sessions=sessions), transaction_of()) == {"max_energy": 1900.5}


class TestTariffType:
    def test_all_of_it(self):
        described = on_wire(tariff_type("night", PRICED))
        per_minute = {"prices": [{"priceMinute": 0.05}]}
        assert described == {
            "tariffId": described["tariffId"],
            "currency": "EUR",
            "energy": {"prices": [{"priceKwh": 0.29}]},
            "chargingTime": per_minute,
            "idleTime": per_minute,
            "fixedFee": {"prices": [{"priceFixed": 0.5}]},
        }
        assert described["tariffId"].startswith("night-")

    def test_a_price_that_is_none_is_left_out_but_a_free_tariff_says_so(self):
        assert set(tariff_type("x", Tariff(time_rate=Decimal(1)))) == {
            "tariff_id",
            "currency",
            "charging_time",
            "idle_time",
        }
        assert tariff_type("x", FREE)["energy"] == {"prices": [{"price_kwh": 0}]}

    @given(RATES, RATES, RATES, st.sampled_from(["EUR", "JPY"]), st.text(min_size=1, max_size=100))
    def test_of_any_record_it_fits_the_schema(self, energy_rate, time_rate, session_fee, currency, name):
        described = on_wire(tariff_type(name, Tariff(currency, energy_rate, time_rate, session_fee)))
        SCHEMAS.check_request("SetDefaultTariff", {"evseId": 0, "tariff": described}, "strict")
        SCHEMAS.check_request("ChangeTransactionTariff", {"transactionId": "t", "tariff": described}, "strict")

    def test_another_content_has_another_id(self):
        """I08.FR.08."""
        tariffs = [PRICED, *(replace(PRICED, **change) for change in (
            {"currency": "USD"}, {"energy_rate": Decimal("0.3")}, {"time_rate": Decimal(0)}, {"session_fee": Decimal(0)}
        ))]  # fmt: skip
        ids = {tariff_type(name, tariff)["tariff_id"] for name in ("a", "b", "n" * 100, "n" * 99) for tariff in tariffs}
        assert len(ids) == 4 * len(tariffs)
        assert tariff_type("a", PRICED) == tariff_type("a", replace(PRICED, energy_rate=Decimal("0.290")))


class TestTariffInAuthorize:
    def _told(self, version=V21, status="Accepted", own=PRICED, tells=True):
        station = Station(version=version, policy=Policy(tells_tariff=tells, tariff=PRICED))
        station.state = state_of(tariff_id="night" if own is not None else None)
        station.state = replace(station.state, tariff=own)
        station.ledger.tags["tag"] = IdTag(id_tag="TAG", status=status)
        payload = {"idToken": {"idToken": "TAG", "type": "ISO14443"}}
        return station.ask("Authorize", payload, "strict").payload.get("tariff")

    def test_it_is_the_charge_points(self):
        assert self._told() == on_wire(tariff_type("night", PRICED))

    @pytest.mark.parametrize("member", [{"version": V201}, {"status": "Blocked"}, {"own": None}, {"tells": False}])
    def test_or_none(self, member):
        assert self._told(**member) is None


class TestTransactionEvent:
    """The answers to a whole transaction."""

    def _session(self, version, tariff=PRICED, running=False, **tag):
        station = Station(version=version, policy=Policy(tariff=tariff, tells_running_cost=running))
        station.ledger.tags["tag"] = IdTag(id_tag="TAG", status="Accepted", **tag)
        answers = []
        for number, (kind, minute, wh, members) in enumerate(
            [
                ("Started", 0, 0, {"idToken": {"idToken": "TAG", "type": "ISO14443"}, "evse": {"id": 1}}),
                ("Updated", 5, 500, {}),
                ("Ended", 10, 1000, {}),
            ]
        ):
            at = (NOW + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
            sampled = [{"value": wh, "measurand": "Energy.Active.Import.Register"}]
            payload = {
                "eventType": kind,
                "timestamp": at,
                "triggerReason": "MeterValuePeriodic",
                "seqNo": number,
                "transactionInfo": {"transactionId": "abc"},
                "meterValue": [{"timestamp": at, "sampledValue": sampled}],
                **members,
            }
            station.now = NOW + timedelta(minutes=minute)
            answers.append(station.ask("TransactionEvent", payload, "strict").payload)
        return answers

    @pytest.mark.parametrize("version", [V201, V21])
    def test_what_it_cost_is_told_in_the_end(self, version):
        """1 kWh, 10 minutes, the fee."""
        assert [answer.get("totalCost") for answer in self._session(version)] == [None, None, 1.29]

    def test_what_it_costs_so_far_where_that_is_wanted(self):
        assert [answer["totalCost"] for answer in self._session(V201, running=True)] == [0.5, 0.9, 1.29]

    def test_nothing_where_nobody_has_entered_a_price(self):
        assert [answer.get("totalCost") for answer in self._session(V21, FREE, running=True)] == [None] * 3

    @pytest.mark.parametrize(("version", "limit"), [(V201, None), (V21, {"maxEnergy": 2000})])
    def test_what_a_budget_leaves_is_told_once(self, version, limit):
        answers = self._session(version, budget_kwh=Decimal(2), budget_period="day")
        assert [answer.get("transactionLimit") for answer in answers] == [limit, None, None]
        assert answers[0]["idTokenInfo"]["status"] == "Accepted"
