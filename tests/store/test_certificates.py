"""Which certificates end soon and which are asked for, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest_twisted
from msgspec.structs import replace

from csms.ledger import certificates, chargepoints, configuration, device_model
from csms.ledger.certificates import OWN, Certificate, SigningRequest
from csms.ledger.configuration import Observed
from csms.ledger.decision import Context
from csms.ledger.device_model import Answered, Known
from csms.ledger.variables import parse
from csms.store.certificates import chains_to_send, ending, longest_chain, signing_request, unanswered_requests
from tests.fakes import GATEWAY, NOW, EventIds

IDS = EventIds()
MONTH = timedelta(days=30)


def _context(gateway_id=GATEWAY):
    return Context(NOW, None, gateway_id, IDS)


def _certificate(serial_number, days):
    return Certificate(serial_number, NOW, NOW + timedelta(days=days))


async def _connect(store, client_id, gateway_id=GATEWAY):
    """Have a charge point be held by a daemon."""

    def connect(state):
        return chargepoints.connect(state, _context(gateway_id), version="1.6", remote_address=None)

    await store.decide(client_id, "Accepted", connect)


async def _ask(store, client_id, wanted):
    def ask(state):
        return certificates.request(
            state, _context(), kind="SignCertificate", body={"csr": wanted.csr}, wanted=wanted, is_elsewhere=True
        )

    await store.decide(client_id, "Accepted", ask)


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


WANTED = SigningRequest(csr="PEM", asked_at=NOW, certificate_type=OWN, request_id=42)


@pytest_twisted.ensureDeferred
async def test_a_request_is_open_until_it_is_settled(store):
    assert await store.read(signing_request, "CP1") is None
    await _ask(store, "CP1", WANTED)
    assert await store.read(signing_request, "CP1") == WANTED
    assert await store.read(signing_request, "CP2") is None
    # A newer one takes its place.
    newer = replace(WANTED, csr="PEM 2", request_id=None)
    await _ask(store, "CP1", newer)
    assert await store.read(signing_request, "CP1") == newer
    signed = _certificate("a1", 90)
    answered = replace(newer, is_answered=True, chain="CHAIN")
    await store.decide("CP1", "Accepted", lambda state: certificates.answer(state, _context(), answered, signed))
    assert await store.read(signing_request, "CP1") == answered
    await store.decide("CP1", "Accepted", lambda state: certificates.settle(state, _context(), newer))
    assert await store.read(signing_request, "CP1") is None


@pytest_twisted.ensureDeferred
async def test_what_is_not_answered_of_the_charge_points_of_this_daemon(store):
    for client_id, gateway_id in (("OPEN", GATEWAY), ("ANSWERED", GATEWAY), ("SETTLED", GATEWAY), ("ELSEWHERE", "gw2")):
        await _connect(store, client_id, gateway_id)
        await _ask(store, client_id, WANTED)
    signed = _certificate("a1", 90)
    answered = replace(WANTED, is_answered=True, chain="CHAIN")
    for client_id in ("ANSWERED", "SETTLED"):
        await store.decide(
            client_id, "Accepted", lambda state: certificates.answer(state, _context(), answered, signed)
        )
    await store.decide("SETTLED", "Accepted", lambda state: certificates.settle(state, _context(), answered))
    assert await store.read(chains_to_send, GATEWAY) == [("ANSWERED", answered)]
    assert await store.read(chains_to_send, "gw2") == []
    assert await store.read(unanswered_requests, GATEWAY) == [("OPEN", WANTED)]
    assert await store.read(unanswered_requests, "gw2") == [("ELSEWHERE", WANTED)]
    # It is this daemon's after the charge point has gone, too.
    await store.decide("OPEN", "Accepted", lambda state: chargepoints.disconnect(state, _context(), reason="lost"))
    assert await store.read(unanswered_requests, GATEWAY) == [("OPEN", WANTED)]


@pytest_twisted.ensureDeferred
async def test_how_long_a_chain_may_be(store):
    assert await store.read(longest_chain, "CP1") is None
    for told, expected in (("5600", 5600), ("none", None), (None, None), ("0", None)):
        observed = [Observed("certificateSignedMaxChainSize", told, readonly=True)]
        await store.decide(
            "CP1",
            "Accepted",
            lambda state, observed=observed: configuration.observe(state, _context(), observed=observed, known={}),
        )
        assert await store.read(longest_chain, "CP1") == expected
    answers = [Answered(parse("securityCtrlr.maxCertificateChainSize"), "Actual", "Accepted", "6000")]
    await store.decide(
        "CP1", "Accepted", lambda state: device_model.got(state, _context(), answers=answers, known=Known({}, 0))
    )
    assert await store.read(longest_chain, "CP1") == 6000
