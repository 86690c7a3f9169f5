"""What every answer says to browsers, whatever it is, and what none says."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred

from tests.api.client import Reply, follow

EXPECTED = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
POINTS = "/api/v1/chargepoints"


def is_secured(reply):
    assert {name: reply.headers.get(name) for name in EXPECTED} == EXPECTED
    assert "server" not in reply.headers
    assert not any("twisted" in value.lower() for value in reply.headers.values())
    return True


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", POINTS, 200),
        ("HEAD", POINTS, 200),
        ("GET", "/api/v1/openapi.json", 200),
        ("GET", "/api/v1/idtags/export", 200),
        ("GET", "/health", 200),
        ("GET", "/ready", 200),
        ("GET", "/metrics", 200),
        ("GET", "/", 404),
        ("GET", "/%FF", 400),
        ("GET", POINTS + "/CP1", 404),
        ("PATCH", POINTS, 405),
        ("DELETE", "/health", 405),
        ("OPTIONS", "*", 200),
        ("GET", "*", 405),
    ],
)
@ensureDeferred
async def test_every_answer_has_them(desk, method, target, status):
    reply = await desk.http.ask(method, target)
    assert reply.status == status
    assert is_secured(reply)


@ensureDeferred
async def test_an_answer_without_a_body_has_them(desk):
    assert (await desk.http.put("/api/v1/idtags/TAG1", {"status": "Accepted"})).status == 201
    reply = await desk.http.delete("/api/v1/idtags/TAG1")
    assert (reply.status, reply.body) == (204, b"")
    assert is_secured(reply)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nA: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    ],
)
@ensureDeferred
async def test_a_refusal_of_what_is_not_http_has_them(desk, request_, status):
    reply = Reply.parse(await desk.http.raw(request_))
    assert (reply.status, reply.is_problem) == (status, True)
    assert is_secured(reply)


@ensureDeferred
async def test_who_brings_no_token_gets_them(guarded):
    for reply in (await guarded.http.get(POINTS), await guarded.http.get("/metrics")):
        assert reply.status == 401
        assert is_secured(reply)


@ensureDeferred
async def test_who_names_another_host_gets_them(desk):
    reply = await desk.http.get(POINTS, Host="csms.example")
    assert reply.status == 421
    assert is_secured(reply)


@ensureDeferred
async def test_a_stream_of_events_has_them(desk):
    begun = Deferred()
    source = await follow(desk.port, on_block=lambda: begun.called or begun.callback(None))
    await begun
    assert is_secured(Reply.parse(source.head.encode() + b"\r\n\r\n"))
    source.transport.loseConnection()
    await source.lost
