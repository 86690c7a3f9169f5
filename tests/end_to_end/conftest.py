"""A daemon with a real broker, and a subscriber beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.daemon import Daemon, ForkedDaemon
from tests.end_to_end.subscriber import Subscriber
from tests.mosquitto import Mosquitto

TARIFF = {
    "CSMS_BILLING_ENERGY_RATE": "0.35",
    "CSMS_BILLING_TIME_RATE": "0.02",
    "CSMS_BILLING_SESSION_FEE": "0.5",
}


@pytest.fixture
def with_broker(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Makes daemons that know the broker; each is killed at the end."""
    daemons: list[Daemon] = []

    def make(broker: Mosquitto, **environment: str) -> Daemon:
        settings = {"MQTT_ENABLED": "true", "MQTT_HOST": "127.0.0.1", "MQTT_PORT": str(broker.port), **TARIFF}
        daemon = ForkedDaemon(tmp_path / f"daemon{len(daemons)}", **{**settings, **environment})
        daemons.append(daemon)
        return daemon

    yield make
    for daemon in daemons:
        daemon.__exit__()


@pytest.fixture
def daemon(with_broker: Callable[..., Daemon], mosquitto: Mosquitto) -> Daemon:
    """A running daemon, connected to a running broker."""
    daemon = with_broker(mosquitto)
    daemon.start()
    return daemon


@pytest.fixture
def subscriber(mosquitto: Mosquitto) -> Iterator[Subscriber]:
    """A subscriber to both streams."""
    with Subscriber(mosquitto.port) as subscriber:
        yield subscriber
