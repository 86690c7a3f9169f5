"""What stands before every route: paths, tokens, hosts, bodies, and problems for whatever is unknown."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred

from csms.api.routes import MOST_JSON_BYTES

POINTS = "/api/v1/chargepoints"


@ensureDeferred
async def test_health_and_the_api_are_served_by_one_port(desk):
    assert (await desk.http.get("/health")).json == {"status": "ok"}
    assert (await desk.http.get("/ready")).status == 200
    assert (await desk.http.get("/metrics")).headers["content-type"].startswith("text/plain; version=0.0.4")
    assert (await desk.http.get(POINTS)).json == {"items": []}


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/nothing", 404),
        ("GET", "/api", 404),
        ("GET", "/api/v1", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", POINTS + "/", 404),
        ("GET", "//api/v1/chargepoints", 404),
        ("GET", "/api/v1//chargepoints", 404),
        ("POST", "/health", 405),
        ("PATCH", POINTS, 405),
        ("BREW", POINTS, 405),
        ("GET", POINTS + "/CP1/commands/Reset", 405),
        ("GET", "/api/v1/chargepoints/%FF", 400),
        ("GET", "/%FF", 400),
        ("GET", POINTS + "?limit=%FF", 400),
        ("GET", POINTS + "?limit=0", 400),
        ("GET", POINTS + "?limit=501", 400),
        ("GET", POINTS + "?limit=1&limit=2", 400),
        ("GET", POINTS + "?unknown=1", 400),
        ("GET", POINTS + "?cursor=%00", 400),
        ("GET", POINTS + "?cursor=abc", 400),
        ("GET", POINTS + "?connected=perhaps", 400),
        ("GET", POINTS + "?" + "&".join(f"a{n}=" for n in range(60)), 400),
        ("GET", "/api/v1/events?" + "&".join(["type=a"] * 21), 400),
        ("GET", POINTS + "/%00", 404),
        ("GET", POINTS + "/" + "x" * 256, 404),
        ("GET", "/api/v1/transactions/0", 404),
        ("GET", "/api/v1/transactions/abc", 404),
        ("GET", "/api/v1/transactions/99999999999999999999", 404),
    ],
)
@ensureDeferred
async def test_whatever_is_wrong_is_told_as_a_problem(desk, method, target, status):
    reply = await desk.http.ask(method, target)
    assert (reply.status, reply.is_problem) == (status, True), reply
    if status == 405:
        assert reply.headers["allow"]


@ensureDeferred
async def test_a_host_that_is_no_host_is_no_fault_of_ours(desk, logged):
    for host in ("a..b", "x" * 300, "[::1", "127.0.0.1:99999999", "\xff"):
        reply = await desk.http.ask("GET", "/health", Host=host)
        assert reply.status in {200, 400}, host
    assert not logged.failures


@ensureDeferred
async def test_an_identity_may_hold_what_a_path_may_not(desk):
    for client_id, quoted in [
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        ("a+b", "a+b"),
        ("ä ☂", "%C3%A4%20%E2%98%82"),
        ("..", "%2E%2E"),
        ("a?b#c", "a%3Fb%23c"),
    ]:
        assert (await desk.http.put(f"{POINTS}/{quoted}", {})).status == 201, client_id
        assert (await desk.http.get(f"{POINTS}/{quoted}")).json["clientId"] == client_id
        await desk.http.post(f"{POINTS}/{quoted}/commands/ClearCache", {})
        assert desk.commands.sent[-1][:2] == (client_id, "ClearCache")
    assert (await desk.http.get(f"{POINTS}/a/b")).status == 404


@ensureDeferred
async def test_a_token_is_asked_for(guarded):
    for header in (None, "Bearer", "Bearer wrong", "Basic s3cret", "s3cret", "Bearer s3cret2", "Bearer \xff"):
        headers = {} if header is None else {"Authorization": header}
        for target in (POINTS, "/api/v1/nothing", "/api/v1/openapi.json", "/metrics"):
            reply = await guarded.http.get(target, **headers)
            assert (reply.status, reply.is_problem, reply.headers["www-authenticate"]) == (401, True, "Bearer")
    for header in ("Bearer s3cret", "bearer s3cret"):
        assert (await guarded.http.get(POINTS, Authorization=header)).status == 200
    assert (await guarded.http.get("/health")).status == 200
    # With a token any name will do: there may be a proxy in front.
    assert (await guarded.http.get(POINTS, Authorization="Bearer s3cret", Host="csms.example")).status == 200


@ensureDeferred
async def test_without_a_token_pages_of_other_sites_are_refused(desk):
    for host in (
        "csms.example",
        "csms.example:8081",
        "127.0.0.1.example",
        "localhost.example",
        "10.0.0.1",
        "[2001:db8::1]",
    ):
        assert (await desk.http.get(POINTS, Host=host)).status == 421, host
    for host in ("localhost", "localhost:8081", "127.0.0.1", "127.8.8.8:1", "[::1]:8081", "app.localhost"):
        assert (await desk.http.get(POINTS, Host=host)).status == 200, host
    assert (await desk.http.post("/api/v1/transactions/1/close", Origin="http://evil.example")).status == 403
    assert (await desk.http.post("/api/v1/transactions/1/close", Origin="null")).status == 403
    assert (await desk.http.post("/api/v1/transactions/1/close", Origin=f"http://127.0.0.1:{desk.port}")).status == 404


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        ("application/json", b"", 400),
        ("application/json", b"{", 400),
        ("application/json", b'{"a": NaN}', 400),
        ("application/json", b'{"a": 1, "a": 2}', 400),
        ("application/json", b'{"a": "\\u0000"}', 400),
        ("application/json", b'{"a": "\\ud800"}', 400),
        ("application/json", b'{"a": "\xff"}', 400),
        ("application/json", b"[" * 100 + b"]" * 100, 400),
        ("application/json", b"[]", 422),
        ("application/json; charset=UTF-8", b"[]", 422),
        ("application/json; charset=latin-1", b"{}", 415),
        ("application/x-www-form-urlencoded", b"{}", 415),
        ("multipart/form-data; boundary=x", b"{}", 415),
        ("text/plain", b"{}", 415),
        ("", b"{}", 415),
    ],
)
@ensureDeferred
async def test_a_body_is_json_that_may_enter(desk, media, body, status):
    reply = await desk.http.post(f"{POINTS}/CP1/commands/Reset", body, **{"Content-Type": media})
    assert (reply.status, reply.is_problem) == (status, True)
    assert not desk.commands.sent


@ensureDeferred
async def test_a_body_without_a_type_is_refused(desk):
    assert (await desk.http.post(f"{POINTS}/CP1/commands/Reset", b"{}")).status == 415


@ensureDeferred
async def test_a_body_is_bounded(desk):
    body = b'{"a": "' + b"x" * MOST_JSON_BYTES + b'"}'
    reply = await desk.http.post(f"{POINTS}/CP1/commands/Reset", body, **{"Content-Type": "application/json"})
    assert (reply.status, reply.is_problem) == (413, True)
    chunk = b"%x\r\n%b\r\n" % (len(body), body)
    head = (
        f"POST {POINTS}/CP1/commands/Reset HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    assert (await desk.http.raw(head + chunk + b"0\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
    assert not desk.commands.sent


@ensureDeferred
async def test_what_is_answered_is_what_is_asked_for(desk):
    for accept in ("*/*", "application/*", "application/json", "text/html, */*;q=0.1", "application/json;q=0.5"):
        assert (await desk.http.get(POINTS, Accept=accept)).status == 200, accept
    for accept in ("text/html", "application/json;q=0", "text/*", "text/event-stream"):
        reply = await desk.http.get(POINTS, Accept=accept)
        assert (reply.status, reply.is_problem) == (406, True), accept


@ensureDeferred
async def test_head_is_get_without_the_body(desk):
    reply = await desk.http.ask("HEAD", POINTS)
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) == len((await desk.http.get(POINTS)).body)


@ensureDeferred
async def test_a_ledger_that_is_away_is_told(desk):
    desk.store.close()
    reply = await desk.http.delete("/api/v1/idtags/TAG1")
    assert (reply.status, reply.is_problem, reply.headers["retry-after"]) == (503, True, "5")
