"""Every command of every version is answered as its schema wants it, and whatever follows fits its schema too."""

from __future__ import annotations

from random import Random

import pytest

from csms.handlers.families import COMMAND_SETS
from csms.ocppj import codec
from csms.ocppj.frames import Call
from csms.ocppj.versions import SUPPORTED
from csms.simulator.behaviour import Behaviour
from csms.simulator.client import Target
from csms.simulator.languages import commands_of
from csms.simulator.station import Station
from tests.ocppj.instances import instance, schema_of

from .controls import Controls, charge_point
from .fake_server import SCHEMAS_OF

COMMANDS = [(version, action) for version in SUPPORTED for action in sorted(COMMAND_SETS[version].actions)]


@pytest.mark.parametrize(("version", "action"), COMMANDS, ids=lambda value: getattr(value, "name", value))
def test_whatever_is_asked_the_answer_fits(version, action):
    schema, random = schema_of(version, action), Random(f"{version.name} {action}")
    for _ in range(20):
        _, ask = charge_point(version, busy=random.random() < 0.5)
        for _ in range(3):
            # 1.6 wants multiples of 0.1, which numbers at random are not.
            ask(action, instance(schema, random), "tolerant")


@pytest.mark.parametrize("version", SUPPORTED, ids=lambda version: version.name)
def test_what_only_a_charge_point_sends_is_refused(version):
    behaviour = Behaviour(version=version)
    answers = commands_of(behaviour, Station(behaviour), Controls(False), Target("ws://h/CP1", "CP1"))
    schemas = SCHEMAS_OF[version]
    commands = COMMAND_SETS[version].actions
    codes = {
        action: codec.parse(answers.answer(Call("m", action, {}, b""))[0])[2] for action in schemas.actions - commands
    }
    assert set(codes.values()) == {"NotSupported"}
    unknown, _ = answers.answer(Call("m", "Dance", {}, b""))
    assert codec.parse(unknown)[:3] == [4, "m", "NotImplemented"]
