"""Many charge points."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import pytest_twisted
from twisted.internet import reactor

from csms.ocppj.versions import V16, V21, V201
from csms.simulator.behaviour import Behaviour
from csms.simulator.fleet import Fleet

from .conftest import QUICK


@pytest.fixture
def make_fleet(server):
    made = []

    def make_fleet(count, url=None, behaviour=None, **options):
        fleet = Fleet(
            reactor,
            url or server.url,
            count,
            Behaviour(**{**QUICK, **(behaviour or {})}),
            wall_clock=lambda: datetime.now(UTC),
            **options,
        )
        made.append(fleet)
        return fleet

    yield make_fleet
    for fleet in made:
        pytest_twisted.blockon(fleet.stop())


@pytest_twisted.ensureDeferred
async def test_every_charge_point_has_its_own_name_tag_and_phases(server, make_fleet):
    fleet = make_fleet(4, behaviour={"id_tag": "TAG{n}"}, phases="mixed", seed=3, ramp_s=0.02)
    fleet.start()
    await fleet.when_done()
    names = [f"SIM000{number}" for number in range(1, 5)]
    assert sorted({message.client_id for message in server.messages}) == names
    assert [record.id_tag for record in fleet.sessions] == [f"TAG000{number}" for number in range(1, 5)]
    lines = {name: len(server.sent("MeterValues", name)[0].payload["meterValue"][0]["sampledValue"]) for name in names}
    assert lines == {"SIM0001": 9, "SIM0002": 5, "SIM0003": 9, "SIM0004": 5}


@pytest_twisted.ensureDeferred
async def test_versions_are_dealt_out_in_turn(server, make_fleet):
    fleet = make_fleet(4, versions=[V16, V201, V21])
    fleet.start()
    await fleet.when_done()
    spoken = [(point.version, point.sessions[0].version) for point in fleet.charge_points]
    assert spoken == [(V16, "1.6"), (V201, "2.0.1"), (V21, "2.1"), (V16, "1.6")]
    assert fleet.statistics().perfect
    started = {message.client_id for message in server.sent("StartTransaction")}
    assert started == {"SIM0001", "SIM0004"}


@pytest_twisted.ensureDeferred
async def test_the_statistics_add_up(server, make_fleet):
    finished = []
    fleet = make_fleet(5, behaviour={"sessions": 2}, on_session=finished.append)
    fleet.start()
    await fleet.when_done()
    statistics = fleet.statistics()
    assert statistics.perfect
    assert (statistics.sessions, statistics.ended, statistics.settled, len(finished)) == (10, 10, 10, 10)
    assert (statistics.charge_points, statistics.connections, statistics.online) == (5, 5, 0)
    assert statistics.calls == len(server.messages)
    assert statistics.energy_wh == sum(record.energy_wh for record in fleet.sessions) > 0


@pytest_twisted.ensureDeferred
async def test_endless_sessions_until_finish(server, make_fleet):
    fleet = make_fleet(5, behaviour={"sessions": None})
    fleet.start()
    await server.until_sent("StopTransaction", 10)
    server.misbehave["StopTransaction"] = ["lose"] * 5
    await fleet.finish()
    assert fleet.statistics().perfect
    ids = {(m.client_id, m.payload["transactionId"]) for m in server.sent("StopTransaction")}
    assert ids == {(record.client_id, record.transaction_id) for record in fleet.sessions}


@pytest_twisted.ensureDeferred
async def test_what_failed_is_counted_and_named(make_fleet):
    fleet = make_fleet(3, url="ws://127.0.0.1:1/", behaviour={"patience_s": 0.0})
    fleet.start()
    await fleet.when_done()
    assert fleet.statistics().failed == 3
    assert not fleet.statistics().perfect
    assert len(fleet.problems) == 1


def test_one_charge_point_takes_the_name_that_the_url_has(make_fleet):
    names = [
        [point.client_id for point in make_fleet(count, url=url).charge_points]
        for count, url in [(1, "ws://h/ocpp/Box%201"), (1, "ws://h/ocpp/"), (2, "ws://h/ocpp")]
    ]
    assert names == [["Box 1"], ["SIM0001"], ["SIM0001", "SIM0002"]]
