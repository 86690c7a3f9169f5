"""The rotation of passwords by HTTP."""

import pytest
from pytest_twisted import ensureDeferred

from csms.chargepoint import outcomes

TARGET = "/api/v1/chargepoints/CP%2F1/password/rotate"


@pytest.mark.parametrize(
    ("word", "taken"), [("Accepted", True), ("RebootRequired", True), ("Rejected", False), ("NotSupported", False)]
)
@ensureDeferred
async def test_the_charge_points_word(desk, word, taken):
    desk.commands.answers.append({"status": word})
    reply = await desk.http.post(TARGET)
    assert (reply.status, reply.json) == (200, {"status": word, "taken": taken})
    assert desk.commands.sent[0][0] == "CP/1"


@pytest.mark.parametrize(
    ("outcome", "status", "words"),
    [
        (outcomes.UnknownChargePoint(), 404, "no such charge point"),
        (outcomes.NotConnected("CP/1 is not connected"), 503, "nothing was sent"),
        (outcomes.TooManyCommands("3 new passwords"), 503, "3 new passwords"),
        (outcomes.CallRefused("SecurityError", "", {}), 502, "SecurityError"),
        (outcomes.CallTimedOut("m0"), 504, "both passwords are taken"),
        (outcomes.ConnectionLost("m0"), 504, "both passwords are taken"),
    ],
)
@ensureDeferred
async def test_what_can_go_wrong(desk, outcome, status, words):
    desk.commands.answers.append(outcome)
    reply = await desk.http.post(TARGET)
    assert (reply.status, reply.is_problem) == (status, True)
    assert words in reply.json["detail"]
    assert reply.json["outcome"] == outcome.status
