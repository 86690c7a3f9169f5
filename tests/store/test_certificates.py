"""Which certificates end soon, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest_twisted

from csms.ledger import certificates, chargepoints
from csms.ledger.certificates import OWN, Certificate
from csms.ledger.decision import Context
from csms.store.certificates import ending
from tests.fakes import GATEWAY, NOW, EventIds

IDS = EventIds()
MONTH = timedelta(days=30)


def _context(gateway_id=GATEWAY):
    return Context(NOW, None, gateway_id, IDS)


def _certificate(serial_number, days):
    return Certificate(serial_number, NOW, NOW + timedelta(days=days))


async def _has(store, client_id, certificate):
    await store.decide(client_id, "Accepted", lambda state: certificates.install(state, _context(), certificate, None))


@pytest_twisted.ensureDeferred
async def test_what_ends_and_was_not_announced(store):
    for client_id in ("SOON", "LATER", "RENEWED", "ELSEWHERE"):
        await store.decide(
            client_id,
            "Accepted",
            lambda state: chargepoints.boot(
                state, _context(), vendor="V", model="M", serial_number=None, firmware_version=None
            ),
        )
    soon = _certificate("a1", 10)
    await _has(store, "SOON", soon)
    await _has(store, "LATER", _certificate("a2", 90))
    await _has(store, "RENEWED", _certificate("a3", 10))
    await _has(store, "RENEWED", _certificate("a4", 90))
    await _has(store, "ELSEWHERE", _certificate("a5", 10))
    await store.decide(
        "ELSEWHERE",
        "Accepted",
        lambda state: chargepoints.connect(state, _context("gw2"), version="1.6", remote_address=None),
    )
    assert await store.read(ending, GATEWAY, NOW + MONTH) == [("SOON", OWN, soon)]
    await store.decide("SOON", "Accepted", lambda state: certificates.announce(state, _context(), soon, OWN))
    assert await store.read(ending, GATEWAY, NOW + MONTH) == []
    # The next one is another.
    await _has(store, "SOON", _certificate("a6", 20))
    assert [found[0] for found in await store.read(ending, GATEWAY, NOW + MONTH)] == ["SOON"]
