"""Every action of OCPP 2.0.1 and 2.1 from HTTP, MQTT and the command line to stations on real sockets.

What is sent and answered is made from the schemas. All outcomes: for a few actions, as they do not depend on the action
(tests/end_to_end/test_commands.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random

import pytest

from csms.handlers.families import COMMAND_SETS
from csms.ocppj.versions import V21, V201
from tests.end_to_end.commanded import keeps_silent, loses_its_socket, refuses, says
from tests.end_to_end.faces import Faces, Outcome, commanding
from tests.ocppj.instances import instance, schema_of

VERSIONS = {"2.0.1": V201, "2.1": V21}
RESET = {"type": "OnIdle"}


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def faces(version: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    with commanding(tmp_path_factory.mktemp("commands"), version) as faces:
        yield faces


def made(version: str, message: str, seed: int) -> dict:
    return instance(schema_of(VERSIONS[version], message), Random(f"{message} {seed}"))


def test_every_action_is_sent_as_given_and_answered_as_it_came(faces, version):
    actions = sorted(COMMAND_SETS[VERSIONS[version]].actions)
    assert len(actions) == {"2.0.1": 40, "2.1": 55}[version]
    for action in actions:
        for seed in range(2):
            request, response = made(version, action, seed), made(version, f"{action}Response", seed)
            outcomes = faces.send(says(response), action, request)
            assert outcomes == faces.all(Outcome("ok", response)), (action, request)
            assert set(faces.last_calls()) == {json.dumps([2, action, request])}
    assert [line for line in faces.daemon.log_lines() if line["level"] in {"error", "critical"}] == []


def test_refused(faces):
    response = {"status": "Rejected", "statusInfo": {"reasonCode": "InUse"}}
    assert faces.send(says(response), "Reset", RESET) == faces.all(Outcome("ok", response))


def test_call_error(faces):
    outcomes = faces.send(refuses("FormatViolation", "what?"), "Reset", RESET)
    assert outcomes == faces.all(Outcome("CallError", "FormatViolation: what?"))


def test_silence(faces):
    assert faces.send(keeps_silent, "Reset", RESET, timeout_s=0.05) == faces.all(Outcome("Timeout"))


def test_socket_lost_in_the_middle(faces):
    assert faces.send(loses_its_socket, "Reset", RESET) == faces.all(Outcome("ConnectionLost"))
    for station in faces.stations.values():
        station.come()
    faces.settle()
    assert faces.send(says({"status": "Accepted"}), "Reset", RESET) == faces.all(Outcome("ok", {"status": "Accepted"}))


def test_what_is_not_sent(faces):
    got = [len(station.calls) for station in faces.stations.values()]
    assert faces.send(says({}), "RemoteStartTransaction", {}) == faces.all(Outcome("UnknownAction"))
    assert faces.send(says({}), "BootNotification", {}) == faces.all(Outcome("UnknownAction"))
    assert faces.send(says({}), "Reset", {"type": "Hard"}) == faces.all(Outcome("BadPayload"))
    assert got == [len(station.calls) for station in faces.stations.values()]
