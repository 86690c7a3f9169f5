"""What came of the wanted configuration."""

from __future__ import annotations

from pytest_twisted import ensureDeferred

from csms.ledger import configuration
from csms.ledger.configuration import Outcome
from tests.api.test_resources import V1, commit
from tests.store.decisions import connected, context


@ensureDeferred
async def test_what_came_of_the_wanted_configuration(desk):
    state = await commit(desk, connected("CP1"))
    target = f"{V1}/chargepoints/CP1/configuration/wanted"
    await desk.http.put(f"{V1}/chargepoints/CP1", {"groupName": "depot"})
    await desk.http.put(f"{V1}/groups/depot/configuration/wanted", {"B": "2", "A": "0"})
    await desk.http.put(target, {"a": "1", "C": "3"})
    outcomes = {"a": Outcome("Accepted", "9"), "B": Outcome("NotSupported")}
    decision = configuration.arrive(state, context(), wanted={"a": "1", "B": "2"}, outcomes=outcomes)
    await desk.store.commit(decision)
    at = "2026-03-01T12:00:00Z"
    assert (await desk.http.get(f"{target}?results=true")).json == {
        "a": {"value": "1", "source": "chargepoint", "status": "Accepted", "readValue": "9", "at": at},
        "B": {"value": "2", "source": "group", "group": "depot", "status": "NotSupported", "at": at},
        "C": {"value": "3", "source": "chargepoint"},
    }
    # Without, it is what was put: the two go together.
    assert (await desk.http.get(target)).json == {"a": "1", "C": "3"}
    assert (await desk.http.get(f"{target}?results=false")).json == {"a": "1", "C": "3"}
    assert (await desk.http.get(f"{target}?results=maybe")).status == 400
    assert (await desk.http.get(f"{V1}/chargepoints/CP2/configuration/wanted?results=true")).status == 404
