"""What is no request, or too large for one: answered with a problem, and then the connection ends."""

from __future__ import annotations

import pytest
import pytest_twisted
from klein import Klein
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, serverFromString, wrapClientTLS
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from csms.api.access import Access
from csms.api.channel import MOST_HEADERS, MOST_LINE_BYTES
from csms.api.health import Health
from csms.api.root import Root, make_site
from csms.metrics import Counters
from tests.api.client import Reply, Whole
from tests.certificates import write_certificate

LONG = b"x" * MOST_LINE_BYTES
GET = b"GET /api/v1/chargepoints HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/chargepoints/CP1/commands/Reset HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

CASES = {
    "a request line without an end": (b"GET /" + LONG * 3, 414),
    "a request line that is too long": (b"GET /" + LONG + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "a query that is too long": (b"GET /api/v1/events?type=" + LONG + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "much more than that": (b"GET /" + LONG * 100 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "a header without an end": (GET + b"A: " + LONG * 3, 431),
    "a header that is too long": (GET + b"A: " + LONG + b"\r\n\r\n", 431),
    "headers that are too long together": (GET + b"".join(b"A%d: %b\r\n" % (n, LONG[:1000]) for n in range(40)), 431),
    "a header in too many lines": (GET + b"A: a\r\n" + (b" " + LONG[:1000] + b"\r\n") * 40, 431),
    "too many headers": (GET + b"A: a\r\n" * (MOST_HEADERS + 1) + b"\r\n", 431),
    "no request line": (b"hello\r\n\r\n", 400),
    "a method that is none": (b"G(T / HTTP/1.1\r\n\r\n", 400),
    "another version": (b"GET / HTTP/3.0\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
    "a header without a colon": (GET + b"nothing\r\n\r\n", 400),
    "a header without a name": (GET + b": a\r\nB: b\r\n\r\n", 400),
    "a header with a space in its name": (GET + b"a b: c\r\n\r\n", 400),
    "a header with a NUL": (GET + b"A: \x00\r\n\r\n", 400),
    "a length that is none": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400),
    "a length and chunks": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400),
    "an encoding that is not known": (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
    "a chunk without a size": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n", 400),
}


@pytest.mark.parametrize("case", CASES)
@ensureDeferred
async def test_what_is_no_request_gets_a_problem_and_the_connection_ends(desk, logged, case):
    request, status = CASES[case]
    data = await desk.http.raw(request)
    reply = Reply.parse(data)
    assert (reply.status, reply.is_problem) == (status, True)
    assert data.count(b"HTTP/1.1") == 1 + (status == 400 and b"HTTP/1.1" in reply.body)
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert reply.headers["connection"] == "close"
    assert not desk.commands.sent
    assert not logged.failures


@ensureDeferred
async def test_as_much_as_may_be_is_taken(desk):
    target = b"/api/v1/" + LONG
    line = b"GET " + target[: MOST_LINE_BYTES - len("GET  HTTP/1.1")] + b" HTTP/1.1\r\n"
    assert len(line) == MOST_LINE_BYTES + 2
    headers = b"Host: localhost\r\nConnection: close\r\nA: " + LONG[: MOST_LINE_BYTES - 100] + b"\r\n\r\n"
    assert Reply.parse(await desk.http.raw(line + headers)).status == 404


@ensureDeferred
async def test_requests_before_it_are_answered_and_none_after_it(desk):
    good = GET + b"\r\n"
    data = await desk.http.raw(good + b"GET /" + LONG + b" HTTP/1.1\r\n\r\n" + good)
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (data.count(b"HTTP/1.1 200"), data.count(b"HTTP/1.1 414")) == (1, 1)


@ensureDeferred
async def test_head_gets_no_body(desk):
    for request, status in (
        (b"HEAD /" + LONG + b" HTTP/1.1\r\n\r\n", 414),
        (b"HEAD / HTTP/1.1\r\nA: " + LONG + b"\r\n\r\n", 431),
    ):
        head, _, body = (await desk.http.raw(request)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert not body


@pytest_twisted.async_yield_fixture
async def tls_port(tmp_path):
    """A port with TLS, as an endpoint string can ask for one."""
    certificate, key = write_certificate(tmp_path, "localhost")
    endpoint = serverFromString(reactor, f"ssl:0:interface=127.0.0.1:certKey={certificate}:privateKey={key}")
    port = await endpoint.listen(_site())
    yield port.getHost().port
    await port.stopListening()


@ensureDeferred
async def test_over_tls_as_well(tls_port):
    plain = TCP4ClientEndpoint(reactor, "127.0.0.1", tls_port)
    for request, status in ((b"GET /" + LONG * 20, 414), (GET + b"A: " + LONG + b"\r\n\r\n", 431)):
        client = await connectProtocol(wrapClientTLS(CertificateOptions(), plain), Whole(request))
        reply = Reply.parse(await client.done)
        assert (reply.status, reply.is_problem) == (status, True)


class _HalfClosing(StringTransport):
    """A transport of which one side can be closed."""

    is_half_closed = False

    def loseWriteConnection(self):
        self.is_half_closed = True


def _site():
    return make_site(Root(Klein(), Health(Counters(), dict, dict).app, Access(None, None)))


@pytest.fixture
def refused():
    """A client that was refused, and does not go."""
    clock, transport = Clock(), _HalfClosing()
    channel = _site().buildProtocol(None)
    channel.callLater = clock.callLater
    channel.makeConnection(transport)
    channel.dataReceived(b"hello\r\n\r\n")
    assert transport.value().startswith(b"HTTP/1.1 400 ")
    assert transport.is_half_closed
    yield channel, transport, clock
    channel.connectionLost(None)
    assert not clock.getDelayedCalls()


def test_a_client_that_does_not_go_is_cut_off(refused):
    channel, transport, clock = refused
    answer = transport.value()
    channel.dataReceived(b"GET / HTTP/1.1\r\n\r\n")
    assert transport.value() == answer
    assert not transport.disconnected
    clock.advance(10)
    assert transport.disconnected


def test_a_client_that_sends_on_and_on_is_cut_off(refused):
    channel, transport, _ = refused
    for _ in range(3):
        channel.dataReceived(b"x" * 1024 * 1024)
        assert not transport.disconnected
    channel.dataReceived(b"x" * 1024 * 1025)
    assert transport.disconnected
