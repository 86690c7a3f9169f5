"""Every action of OCPP 1.6 from HTTP, MQTT and the command line to charge points on real sockets: one table, one outcome."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.command_table import ACCEPTED, every_action
from tests.end_to_end.commanded import (
    keeps_silent,
    loses_its_socket,
    refuses,
    says,
    starts_again,
    starts_again_unnoticed,
)
from tests.end_to_end.faces import Faces, Outcome, by_process, commanding

HARD = {"type": "Hard"}
LOST = Outcome("ConnectionLost")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    with commanding(tmp_path_factory.mktemp("commands")) as faces:
        yield faces


@every_action
def test_accepted(faces, action, request_, accepted, refused):
    assert faces.send(says(accepted), action, request_) == faces.all(Outcome("ok", accepted))
    # The order of the members is theirs, too.
    assert set(faces.last_calls()) == {json.dumps([2, action, request_])}


@every_action
def test_refused(faces, action, request_, accepted, refused):
    assert faces.send(says(refused), action, request_) == faces.all(Outcome("ok", refused))


@every_action
def test_call_error(faces, action, request_, accepted, refused):
    outcomes = faces.send(refuses("InternalError", "out of order"), action, request_)
    assert outcomes == faces.all(Outcome("CallError", "InternalError: out of order"))


@every_action
def test_silence(faces, action, request_, accepted, refused):
    assert faces.send(keeps_silent, action, request_, timeout_s=0.05) == faces.all(Outcome("Timeout"))


@every_action
def test_socket_lost_in_the_middle(faces, action, request_, accepted, refused):
    assert faces.send(loses_its_socket, action, request_) == faces.all(LOST)
    for station in faces.stations.values():
        station.come()
    faces.settle()


@every_action
def test_hard_reset_with_an_instant_reconnect(faces, action, request_, accepted, refused):
    assert faces.send(starts_again, "Reset", HARD) == faces.all(LOST)
    faces.settle()
    assert faces.send(says(accepted), action, request_) == faces.all(Outcome("ok", accepted))


def test_hard_reset_that_leaves_a_dead_socket_behind(faces, tmp_path):
    as_users_do = {"cli": by_process(faces.daemon, tmp_path)}
    assert faces.send(starts_again_unnoticed, "Reset", HARD, by=as_users_do) == faces.all(LOST)
    faces.settle()
    assert faces.send(says(ACCEPTED), "Reset", HARD, by=as_users_do) == faces.all(Outcome("ok", ACCEPTED))


def test_what_is_not_sent(faces):
    got = [len(station.calls) for station in faces.stations.values()]
    assert faces.send(says(ACCEPTED), "Explode", {}) == faces.all(Outcome("UnknownAction"))
    assert faces.send(says(ACCEPTED), "Reset", {"type": "Warm"}) == faces.all(Outcome("BadPayload"))
    assert got == [len(station.calls) for station in faces.stations.values()]
