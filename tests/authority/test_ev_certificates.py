"""The provider of contract certificates on a loopback port; what takes time is on a clock of the test."""

from __future__ import annotations

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.error import TimeoutError as ConnectedTooLate
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import Agent

from csms.authority.ev_certificates import EvCertificateProvider, EvCertificateTerms
from csms.authority.exchange import reason_of
from csms.handlers.iso15118 import EvCertificate, NoAnswer
from tests.authority.server import AuthorityServer
from tests.fakes import logged

__all__ = ["logged"]
REQUEST = {"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install", "exiRequest": "AAAA"}
TIMEOUT_S = 5.0


class Asker:
    """A provider whose timers are on a clock, and whose connections are real."""

    def __init__(self, url, token=None):
        self.clock = Clock()
        self._provider = EvCertificateProvider(self.clock, Agent(reactor), EvCertificateTerms(url, token, TIMEOUT_S))

    def ask(self):
        return self._provider.ask("CP1", REQUEST)

    async def fault(self, logged, asked=None):
        """Return what the log says about a question without an answer, of which the station hears nothing."""
        with pytest.raises(NoAnswer) as error:
            await (asked or self.ask())
        assert error.value.status_info == {
            "reason_code": "NoAnswer",
            "additional_info": "the provider of contract certificates does not answer",
        }
        *_, told = [event for event in logged.events if event.get("client_id") == "CP1"]
        return told["reason"]


@pytest_twisted.async_yield_fixture
async def server():
    server = AuthorityServer()
    yield server
    await server.stop()


@pytest_twisted.ensureDeferred
async def test_a_question_and_its_answer(server):
    server.answer = {"status": "Accepted", "exiResponse": "BBBB"}
    assert await Asker(server.url, "secret").ask() == EvCertificate("Accepted", "BBBB")
    assert server.asked == [{**REQUEST, "clientId": "CP1"}]
    headers = server.headers[0]
    assert headers["authorization"] == "Bearer secret"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("csms/")


@pytest_twisted.ensureDeferred
async def test_without_a_token_none_is_sent(server):
    server.answer = {"status": "Failed"}
    await Asker(server.url).ask()
    assert "authorization" not in server.headers[0]


@pytest_twisted.ensureDeferred
async def test_all_that_an_answer_may_hold(server):
    server.answer = {
        "status": "Failed",
        "exiResponse": "B" * 17_000,
        "remainingContracts": 2,
        "statusInfo": {"reasonCode": "NoContract", "additionalInfo": "of this car"},
        "more": [1],
    }
    info = {"reason_code": "NoContract", "additional_info": "of this car"}
    assert await Asker(server.url).ask() == EvCertificate("Failed", "B" * 17_000, 2, info)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "is not understood"),
        (b"{", "is not understood"),
        (b'"Accepted"', "is not understood"),
        (b'{"status": "Accepted", "exiResponse": "\xff"}', "is not understood"),
        ({}, "is not understood"),
        ({"status": "Rejected", "exiResponse": "BBBB"}, "is not understood"),
        ({"status": "Accepted"}, "Accepted without an exiResponse"),
        ({"status": "Failed", "remainingContracts": -1}, "is not understood"),
        ({"status": "Failed", "statusInfo": {"reasonCode": "longer than twenty characters"}}, "is not understood"),
        ({"status": "Accepted", "exiResponse": "B" * 40_000}, "longer than 32768 bytes"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_none(server, logged, answer, words):
    server.answer = answer
    assert words in await Asker(server.url).fault(logged)


@pytest.mark.parametrize("status", [201, 302, 401, 503])
@pytest_twisted.ensureDeferred
async def test_another_status(server, logged, status):
    """It is asked once: a second question would be for the next contract."""
    server.answer, server.status = {"status": "Accepted", "exiResponse": "BBBB"}, status
    assert await Asker(server.url, "secret").fault(logged) == f"it answered with status {status}"
    assert len(server.asked) == 1
    assert not any("secret" in str(event) for event in logged.events)


@pytest_twisted.ensureDeferred
async def test_a_connection_that_is_lost(server, logged):
    server.answer = lambda request: request.transport.abortConnection()
    assert "lost" in await Asker(server.url).fault(logged)
    assert len(server.asked) == 1


@pytest_twisted.ensureDeferred
async def test_a_provider_that_is_not_there(server, logged):
    await server.stop()
    assert "refused" in await Asker(server.url).fault(logged)


@pytest_twisted.ensureDeferred
async def test_one_that_is_silent(server, logged):
    server.answer, asker = None, Asker(server.url)
    arrived = server.next_question()
    asked = asker.ask()
    await arrived
    asker.clock.advance(TIMEOUT_S)
    assert await asker.fault(logged, asked) == "no answer within 5 s"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["a name is looked up", "a connection is made"])
@pytest_twisted.ensureDeferred
async def test_the_time_ends_while(server, logged, host):
    asker = Asker(server.url.replace("127.0.0.1", host))
    asked = asker.ask()
    asker.clock.advance(TIMEOUT_S)
    assert await asker.fault(logged, asked) == "no answer within 5 s"
    assert server.asked == []


def test_the_time_of_the_connection_itself_is_told_alike():
    assert reason_of(Failure(ConnectedTooLate()), TIMEOUT_S) == "no answer within 5 s"
