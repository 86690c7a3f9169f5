"""A tiny server on a real loopback socket, and charge points for it."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred

from csms.simulator.behaviour import Behaviour
from csms.simulator.charge_point import ChargePoint
from csms.simulator.client import Target

from .fake_server import Server

QUICK = {
    "duration_s": 600,
    "interval_s": 60,
    "pause_s": 0,
    "speed": 36_000,
    "reconnect_min_s": 0.002,
    "reconnect_max_s": 0.02,
    "retry_interval_s": 0.001,
    "boot_retry_s": 0.01,
}
"""Behaviour that is over in a sixtieth of a second."""


@pytest.fixture
def server():
    server = Server(reactor)
    server.listen()
    yield server
    pytest_twisted.blockon(maybeDeferred(server.close))


@pytest.fixture
def make(server):
    """Make a charge point of the server, hung up when the test is over."""
    made = []

    def make(client_id="CP1", seed=1, on_session=lambda _: None, password=None, url=None, tls=None, **behaviour):
        charge_point = ChargePoint(
            reactor,
            Target(url or f"{server.url}{client_id}", client_id, password, tls),
            Behaviour(**{**QUICK, **behaviour}),
            wall_clock=lambda: datetime.now(UTC),
            random=Random(seed),
            on_session=on_session,
        )
        made.append(charge_point)
        return charge_point

    yield make
    for charge_point in made:
        pytest_twisted.blockon(charge_point.stop().addErrback(lambda _: None))
