"""Another authority over HTTPS, on a loopback port; what takes time is on a clock of the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.ssl import trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS

from csms import certificates
from csms.authority.external import MOST_ANSWER_BYTES, ExternalAuthority, Service
from csms.handlers.certificate_requests import AuthorityAway, SigningFailed
from csms.ledger.certificates import SigningRequest
from tests.authority.server import AuthorityServer, certificate_for
from tests.signing_requests import ORGANIZATION, names, pem, request

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
CSR, KEY = request()
WANTED = SigningRequest(csr=pem(CSR), asked_at=NOW, certificate_type="ChargingStationCertificate", request_id=42)
MINE, OTHER = certificate_for("127.0.0.1"), certificate_for("127.0.0.1")


def new_root():
    key = certificates.new_key("ecdsa")
    return certificates.new_authority(certificates.name_of("CA", ORGANIZATION), key, NOW - DAY, 400 * DAY)


ROOT = new_root()


def chain(root=ROOT):
    made = certificates.issue(root, names(), KEY.public_key(), "charger", NOW, 30 * DAY)
    return certificates.certificate_pem(made).decode()


class Asker:
    """The asker of a server, with a clock of the test."""

    def __init__(self, server, trusted=MINE):
        self.clock = Clock()
        policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([trusted]))
        service = Service(self.clock, Agent(reactor, policy), server.url, 10, "s3cret")
        self.authority = ExternalAuthority(deferToThread, ORGANIZATION, None, service, [ROOT.certificate])

    def ask(self):
        return self.authority.ask("CP1", WANTED)


@pytest_twisted.async_yield_fixture
async def server():
    server = AuthorityServer(MINE)
    yield server
    await server.stop()


@pytest_twisted.ensureDeferred
async def test_a_question_and_its_answer(server):
    asker = Asker(server)
    signed = chain()
    server.answer = {"certificateChain": signed}
    assert await asker.ask() == signed
    assert server.asked == [
        {"csr": WANTED.csr, "clientId": "CP1", "certificateType": WANTED.certificate_type, "requestId": 42}
    ]
    [headers] = server.headers
    assert (headers["authorization"], headers["content-type"]) == ("Bearer s3cret", "application/json")
    found = await asker.authority.check(signed, WANTED, frozenset({"CP1"}), NOW)
    assert found.not_after == (NOW + 30 * DAY).replace(microsecond=0)


@pytest_twisted.ensureDeferred
async def test_with_202_it_comes_later(server):
    server.status = 202
    for server.answer in ({}, b"", {"certificateChain": "early"}):
        assert await Asker(server).ask() is None


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest_twisted.ensureDeferred
async def test_one_that_is_busy_may_be_asked_again(server, status):
    asker = Asker(server)
    server.status, server.answer = status, b"<html>"
    with pytest.raises(AuthorityAway, match=f"it answered with status {status}"):
        await asker.ask()
    server.status, server.answer = 200, {"certificateChain": "PEM"}
    assert await asker.ask() == "PEM"


@pytest.mark.parametrize(
    ("status", "answer", "reason"),
    [
        (201, {"certificateChain": "PEM"}, "it answered with status 201"),
        (302, b"", "it answered with status 302"),
        (403, b"", "it answered with status 403"),
        (200, b"x" * (MOST_ANSWER_BYTES + 1), f"its answer is longer than {MOST_ANSWER_BYTES} bytes"),
        (200, b"x" * 1_000_000, f"its answer is longer than {MOST_ANSWER_BYTES} bytes"),
        (200, {"certificate": "PEM"}, "is not understood"),
        (200, b"\xff", "is not understood"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_anything_else_is_a_no(server, status, answer, reason):
    server.status, server.answer = status, answer
    with pytest.raises(SigningFailed, match=reason):
        await Asker(server).ask()


@pytest.mark.parametrize("begins", [False, True])
@pytest_twisted.ensureDeferred
async def test_one_that_hangs_holds_no_thread_and_is_let_go_in_time(server, begins):
    asker = Asker(server)

    def begin(request):
        request.write(b'{"certificateChain": "')

    server.answer = begin if begins else None
    arrived = server.next_question()
    outcomes = []
    asker.ask().addBoth(outcomes.append)
    await arrived
    # The daemon's stop waits for the threads of the reactor, and for nothing else that an authority could hold.
    assert reactor.getThreadPool().working == []
    asker.clock.advance(9.9)
    assert outcomes == []
    asker.clock.advance(0.1)
    [failure] = outcomes
    assert str(failure.trap(AuthorityAway) and failure.value) == "no answer within 10 s"


@pytest_twisted.ensureDeferred
async def test_one_that_hangs_keeps_nobody_from_being_checked(server):
    asker = Asker(server)
    server.answer = None
    outcomes = []
    for _ in range(20):
        asker.ask().addBoth(outcomes.append)
    assert await asker.authority.fault(WANTED.csr, frozenset({"CP1"}), NOW) is None
    assert outcomes == []
    for _ in range(3):
        asker.clock.advance(10)
    assert len([failure for failure in outcomes if failure.check(AuthorityAway)]) == 20


@pytest_twisted.ensureDeferred
async def test_one_that_is_not_there_or_is_another(server):
    with pytest.raises(AuthorityAway, match="certificate verify failed"):
        await Asker(server, OTHER).ask()
    assert server.asked == []
    await server.stop()
    with pytest.raises(AuthorityAway, match="refused"):
        await Asker(server).ask()


@pytest_twisted.ensureDeferred
async def test_a_chain_of_another_root_is_not_passed_on(server):
    asker = Asker(server)
    server.answer = {"certificateChain": chain(new_root())}
    with pytest.raises(SigningFailed, match=r"does not lead to a certificate of pki\.roots"):
        await asker.authority.check(await asker.ask(), WANTED, frozenset({"CP1"}), NOW)


def test_url_and_token_are_not_shown():
    shown = repr(Service(Clock(), Agent(reactor), "https://ca.example.org/?key=s3cret", 10, "s3cret"))
    assert "s3cret" not in shown
