"""The webhook against a real server on a loopback port; what takes time is on a clock of the test."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.ssl import trustRootFromCertificates
from twisted.internet.task import Clock
from twisted.web.client import BrowserLikePolicyForHTTPS

from csms.authority import webhook as module
from csms.authority.exchange import BadAnswer
from csms.authority.question import MAX_ANSWER_BYTES, parse
from csms.authority.webhook import Terms, webhook
from csms.ledger.authorization import TagInfo
from csms.metrics import Counters
from tests.authority.server import AuthorityServer, certificate_for
from tests.fakes import logged

__all__ = ["logged"]
ACCEPTED = TagInfo("Accepted")
ABSENT = TagInfo("Blocked")


class Asker:
    """A webhook whose timers are on a clock, and whose connections are real."""

    def __init__(self, url, policy=None, **terms):
        self.clock = Clock()
        self.counters = Counters()
        self.webhook = webhook(reactor, Terms(url=url, absent="Blocked", **terms), self.counters, policy)
        self.webhook._clock = self.clock
        self.webhook._known._now = self.clock.seconds
        self.pool = self.webhook.close_connections

    def ask(self, tag="A", client_id="CP1"):
        return maybeDeferred(self.webhook.ask, tag, client_id)

    @property
    def counted(self):
        return dict(self.counters.values["authority_questions"])


@pytest_twisted.async_yield_fixture
async def server():
    server = AuthorityServer()
    yield server
    await server.stop()


@pytest_twisted.async_yield_fixture
async def asker(server):
    asker = Asker(server.url, token="secret", cache_s=60)
    yield asker
    asker.webhook.close()
    await asker.pool()


@pytest_twisted.ensureDeferred
async def test_a_question_and_its_answer(server, asker):
    server.answer = {
        "status": "Accepted",
        "expiryDate": "2030-01-31T14:00:00+02:00",
        "parentIdTag": "GROUP",
        "more": [1],
    }
    expiry = datetime(2030, 1, 31, 12, tzinfo=UTC)
    assert await asker.ask('Ä"1') == TagInfo("Accepted", expiry, "GROUP")
    assert server.asked == [{"idTag": 'Ä"1', "clientId": "CP1"}]
    headers = server.headers[0]
    assert headers["authorization"] == "Bearer secret"
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("csms/")


@pytest.mark.parametrize("status", ["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"])
@pytest_twisted.ensureDeferred
async def test_every_status_of_ocpp_1_6(server, asker, status):
    server.answer = {"status": status, "expiryDate": None, "parentIdTag": ""}
    assert await asker.ask() == TagInfo(status)


@pytest_twisted.ensureDeferred
async def test_an_answer_is_believed_for_a_time_for_its_charge_point_in_any_case(server, asker):
    assert await asker.ask("Tag") == ACCEPTED
    server.answer = {"status": "Blocked"}
    assert asker.webhook.ask("TAG", "CP1") == ACCEPTED
    assert await asker.ask("Tag", "CP2") == TagInfo("Blocked")
    asker.clock.advance(60)
    assert await asker.ask("TAG") == TagInfo("Blocked")
    assert len(server.asked) == 3
    assert asker.counted == {"answered": 3, "cached": 1}


@pytest_twisted.ensureDeferred
async def test_the_same_question_is_asked_once_at_a_time(server, asker):
    server.answer = None
    arrived = server.next_question()
    waiting = [asker.ask(tag) for tag in ("A", "a", "A")]
    await arrived
    server.release({"status": "Accepted"})
    assert await gatherResults(waiting) == [ACCEPTED] * 3
    assert server.asked == [{"idTag": "A", "clientId": "CP1"}]


@pytest_twisted.ensureDeferred
async def test_a_slow_authority_delays_only_who_asked_and_only_for_so_long(server, asker, logged):
    server.answer = None
    arrived = server.next_question()
    slow = asker.ask("slow")
    await arrived
    server.answer = {"status": "Accepted"}
    assert await asker.ask("A") == ACCEPTED
    asker.clock.advance(4.9)
    assert not slow.called
    asker.clock.advance(0.1)
    assert await slow == ABSENT
    assert [event["reason"] for event in logged.events if "reason" in event] == ["no answer within 5 s"]


@pytest_twisted.ensureDeferred
async def test_a_body_that_never_ends_is_cut_off(server, asker):
    def begin(request):
        request.write(b'{"status": "Acc')

    server.answer = begin
    arrived = server.next_question()
    slow = asker.ask()
    await arrived
    asker.clock.advance(5)
    assert await slow == ABSENT


@pytest_twisted.ensureDeferred
async def test_a_failure_is_believed_briefly_and_logged_once(server, asker, logged):
    server.status = 500
    for tag in ("A", "B"):
        assert await asker.ask(tag) == ABSENT
    assert asker.webhook.ask("A", "CP1") == ABSENT
    asker.clock.advance(5)
    server.status = 200
    assert await asker.ask("A") == ACCEPTED
    texts = [event["log_format"] for event in logged.events]
    assert texts == [
        "the authority does not answer, its tags are {absent}: {reason}",
        "the authority answers again",
    ]
    assert asker.counted == {"failed": 2, "cached": 1, "answered": 1}


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (201, {"status": "Accepted"}),
        (302, {"status": "Accepted"}),
        (404, {"status": "Accepted"}),
        (200, b""),
        (200, b"<html>"),
        (200, b"\xff"),
        (200, []),
        (200, {}),
        (200, {"status": "accepted"}),
        (200, {"status": "Accepted", "expiryDate": "soon"}),
        (200, {"status": "Accepted", "expiryDate": "2030-01-31T12:00:00"}),
        (200, {"status": "Accepted", "expiryDate": "0001-01-01T00:00:00+10:00"}),
        (200, {"status": "Accepted", "parentIdTag": 5}),
        (200, {"status": "Accepted", "parentIdTag": "x" * 256}),
        (200, {"status": "Accepted", "parentIdTag": "a\u0000"}),
        (200, {"status": "Accepted", "filler": "x" * MAX_ANSWER_BYTES}),
        (500, b"x" * 1_000_000),
    ],
)
@pytest_twisted.ensureDeferred
async def test_anything_else_is_no_answer(server, asker, status, answer):
    server.status, server.answer = status, answer
    assert await asker.ask() == ABSENT


@pytest_twisted.ensureDeferred
async def test_an_authority_that_is_not_there(server, asker):
    await server.stop()
    assert await asker.ask() == ABSENT


@pytest_twisted.ensureDeferred
async def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_is_made_again(server, asker):
    for tag in ("A", "B"):
        assert await asker.ask(tag) == ACCEPTED
    assert server.connections == 1

    def hang_up(request):
        server.answer = {"status": "Expired"}
        request.channel.transport.abortConnection()

    server.answer = hang_up
    assert await asker.ask("C") == TagInfo("Expired")
    assert [question["idTag"] for question in server.asked] == ["A", "B", "C", "C"]
    assert server.connections == 2


@pytest_twisted.ensureDeferred
async def test_one_that_hangs_up_on_everybody_is_asked_twice(server, asker):
    server.answer = lambda request: request.channel.transport.abortConnection()
    assert await asker.ask() == ABSENT
    assert len(server.asked) == 2


@pytest_twisted.ensureDeferred
async def test_a_text_that_no_tag_can_be_is_not_asked_about(server, asker):
    assert asker.webhook.ask("x" * 256, "CP1") == TagInfo("Invalid")
    assert await asker.ask("x" * 255) == ACCEPTED
    assert len(server.asked) == 1


@pytest_twisted.ensureDeferred
async def test_more_questions_than_may_be_asked_at_once_wait_no_longer_than_the_others(server, asker):
    server.answer = None
    waiting = [asker.ask(f"T{number}") for number in range(module._AT_ONCE + 5)]
    asker.clock.advance(5)
    assert await gatherResults(waiting) == [ABSENT] * len(waiting)
    server.answer = {"status": "Accepted"}
    assert await asker.ask("A") == ACCEPTED


@pytest_twisted.ensureDeferred
async def test_to_close_it_lets_go_of_who_waits(server, asker, logged):
    server.answer = None
    arrived = server.next_question()
    waiting = asker.ask("A")
    await arrived
    asker.webhook.close()
    assert await waiting == ABSENT
    assert asker.webhook.ask("B", "CP1") == ABSENT
    assert logged.events == []


@pytest_twisted.ensureDeferred
async def test_without_a_token_none_is_shown_and_without_a_cache_every_question_is_asked(server):
    asker = Asker(server.url, cache_s=0)
    for _ in range(2):
        assert await asker.ask() == ACCEPTED
    server.status = 500
    assert await asker.ask() == ABSENT
    server.status = 200
    assert await asker.ask() == ACCEPTED
    assert all("authorization" not in headers for headers in server.headers)
    await asker.pool()


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
@pytest_twisted.ensureDeferred
async def test_over_https_its_certificate_has_to_be_trusted_and_to_be_its_own(logged):
    mine, other = certificate_for("127.0.0.1"), certificate_for("127.0.0.2")
    for certificate, trusted, expected in ((mine, mine, ACCEPTED), (mine, other, ABSENT), (other, other, ABSENT)):
        server = AuthorityServer(certificate)
        asker = Asker(server.url, BrowserLikePolicyForHTTPS(trustRootFromCertificates([trusted])), token="secret")
        assert await asker.ask() == expected
        assert bool(server.asked) == (expected == ACCEPTED)
        await asker.pool()
        await server.stop()
    assert all("secret" not in repr(event) for event in logged.events)


def test_the_token_is_not_shown():
    assert "secret" not in repr(Terms(url="https://h/", token="secret"))


def test_an_answer_that_is_none_says_why():
    with pytest.raises(BadAnswer, match="status"):
        parse(b'{"status": 1}')
    with pytest.raises(BadAnswer, match="is not understood"):
        parse(b'{"status": "\xff"}')
