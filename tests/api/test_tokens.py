"""Tokens and their roles: who may ask for what, how tokens are kept, and when a change holds."""

from __future__ import annotations

import json

import attrs
import pytest
from pytest_twisted import ensureDeferred
from sqlalchemy import select
from twisted.internet.defer import Deferred

from csms.api.access import LIFE_S, Access, digest
from csms.api.api import make_routes
from csms.store import tokens
from csms.store.errors import StoreUnavailable
from tests.api.client import follow, request_bytes
from tests.api.conftest import listen

ADMIN = {"Authorization": "Bearer s3cret"}
POINTS = "/api/v1/chargepoints"
TOKENS = "/api/v1/tokens"
OPERATE = {"sendCommand", "sendTariff", "closeTransaction"}


async def new_token(desk, name, role):
    """Make a token; return the header that carries it."""
    reply = await desk.http.post(TOKENS, {"name": name, "role": role}, **ADMIN)
    assert reply.status == 201, reply
    return {"Authorization": f"Bearer {reply.json['token']}"}


@attrs.define(eq=False)
class Counted:
    """A store that counts how often the tokens are read, and fails or waits when it is told to."""

    store: object
    reads: int = 0
    fault: Exception | None = None
    gate: Deferred | None = None

    async def _read(self, query, arguments):
        self.reads += 1
        if self.fault is not None:
            raise self.fault
        found = await self.store.read(query, *arguments)
        if self.gate is not None:
            await self.gate
        return found

    def read(self, query, *arguments):
        return Deferred.fromCoroutine(self._read(query, arguments))


@ensureDeferred
async def test_each_role_may_do_what_it_is_for(guarded):
    bearers = {role: await new_token(guarded, f"of-{role}", role) for role in ("read", "operate", "admin")}
    asked = [
        ("GET", POINTS, None, {"read": 200, "operate": 200, "admin": 200}),
        ("HEAD", POINTS, None, {"read": 200, "operate": 200, "admin": 200}),
        ("GET", "/metrics", None, {"read": 200, "operate": 200, "admin": 200}),
        ("POST", f"{POINTS}/CP1/commands/ClearCache", {}, {"read": 403, "operate": 200, "admin": 200}),
        ("POST", "/api/v1/transactions/1/close", None, {"read": 403, "operate": 404, "admin": 404}),
        ("PUT", f"{POINTS}/CP1", {}, {"read": 403, "operate": 403, "admin": 201}),
        ("PUT", "/api/v1/idtags/T", {"status": "Blocked"}, {"read": 403, "operate": 403, "admin": 201}),
        ("DELETE", "/api/v1/tariffs/T", None, {"read": 403, "operate": 403, "admin": 404}),
        ("GET", TOKENS, None, {"read": 403, "operate": 403, "admin": 200}),
        ("POST", TOKENS, {"name": "x", "role": "admin"}, {"read": 403, "operate": 403, "admin": 201}),
        ("DELETE", TOKENS + "/nobody", None, {"read": 403, "operate": 403, "admin": 404}),
        ("GET", "/api/v1/nothing", None, {"read": 404, "operate": 404, "admin": 404}),
    ]
    for method, target, body, statuses in asked:
        for role, status in statuses.items():
            reply = await guarded.http.ask(method, target, body, **bearers[role])
            assert reply.status == status, (method, target, role, reply)
            if status == 403:
                assert reply.is_problem
                assert f"yours has {role}" in reply.json["detail"]
    assert len(guarded.commands.sent) == 2


@ensureDeferred
async def test_every_route_names_its_role_and_the_description_says_it(desk):
    described = (await desk.http.get("/api/v1/openapi.json")).json["paths"]
    for route in make_routes(desk.parts):
        expected = "operate" if route.name in OPERATE else "read" if route.method == "GET" else "admin"
        expected = "admin" if route.path.startswith("/tokens") else expected
        assert route.role == expected, route.name
        operation = described["/api/v1" + route.path][route.method.lower()]
        assert operation["security"] == [{"bearer": [expected]}, {}]


@ensureDeferred
async def test_a_token_is_told_once_and_kept_as_a_hash(guarded):
    bearer = await new_token(guarded, "grafana", "read")
    text = bearer["Authorization"].removeprefix("Bearer ")
    assert text.startswith("csms_")
    assert len(text) >= 48
    listed = await guarded.http.get(TOKENS, **ADMIN)
    assert listed.json == {"items": [{"name": "grafana", "role": "read", "createdAt": "2026-03-01T12:00:00Z"}]}
    rows = await guarded.store.read(lambda connection: connection.execute(select(tokens.tokens)).all())
    assert [(row.name, row.digest) for row in rows] == [("grafana", digest(text.encode()))]
    assert text not in repr(rows)


@ensureDeferred
async def test_a_name_is_taken_once_and_harmless(guarded):
    await new_token(guarded, "a", "read")
    reply = await guarded.http.post(TOKENS, {"name": "a", "role": "admin"}, **ADMIN)
    assert (reply.status, reply.is_problem) == (409, True)
    for body in (
        {"name": "", "role": "read"},
        {"name": "a\nb", "role": "read"},
        {"name": "a/b", "role": "read"},
        {"name": "b\n", "role": "read"},
        {"name": "x" * 65, "role": "read"},
        {"name": "b", "role": "root"},
        {"name": "b"},
    ):
        assert (await guarded.http.post(TOKENS, body, **ADMIN)).status == 422, body
    assert [token["name"] for token in (await guarded.http.get(TOKENS, **ADMIN)).json["items"]] == ["a"]


@ensureDeferred
async def test_the_number_of_tokens_is_bounded(guarded, monkeypatch):
    monkeypatch.setattr(tokens, "MOST_TOKENS", 2)
    await new_token(guarded, "a", "read")
    await new_token(guarded, "b", "read")
    assert (await guarded.http.post(TOKENS, {"name": "c", "role": "read"}, **ADMIN)).status == 409


@pytest.mark.parametrize("role", ["read", "admin"])
@ensureDeferred
async def test_a_token_that_is_deleted_is_refused_at_once(guarded, role):
    bearer = await new_token(guarded, "a", role)
    assert (await guarded.http.get(POINTS, **bearer)).status == 200
    assert (await guarded.http.delete(TOKENS + "/a", **ADMIN)).status == 204
    assert (await guarded.http.get(POINTS, **bearer)).status == 401
    again = await new_token(guarded, "a", role)
    assert again != bearer
    assert (await guarded.http.get(POINTS, **again)).status == 200
    assert (await guarded.http.get(POINTS, **bearer)).status == 401


@ensureDeferred
async def test_the_streams_of_a_deleted_token_end(guarded):
    opened = {name: Deferred() for name in ("a", "b")}
    streams = {}
    for name, begun in opened.items():
        bearer = await new_token(guarded, name, "read")

        def heard(begun=begun):
            return begun.called or begun.callback(None)

        streams[name] = await follow(guarded.port, on_block=heard, headers=bearer)
        await begun
    assert len(guarded.feed) == 2
    await guarded.http.delete(TOKENS + "/a", **ADMIN)
    await streams["a"].lost
    assert len(guarded.feed) == 1
    streams["b"].transport.loseConnection()
    await streams["b"].lost


@ensureDeferred
async def test_requests_read_the_tokens_once_in_a_while(guarded):
    bearer = await new_token(guarded, "a", "read")
    counted = Counted(guarded.store)
    access = Access(counted, guarded.clock.seconds, "s3cret")
    port = await listen(attrs.evolve(guarded.parts, access=access))
    guarded.http.port = port.getHost().port
    for _ in range(5):
        assert (await guarded.http.get(POINTS, **bearer)).status == 200
        # Strangers cost nothing either.
        assert (await guarded.http.get(POINTS, Authorization="Bearer csms_wrong")).status == 401
        assert (await guarded.http.get(POINTS, Authorization="Bearer wrong")).status == 401
        assert (await guarded.http.get(POINTS, **ADMIN)).status == 200
    assert counted.reads == 1
    # What another daemon does to them is noticed once they were held for long enough.
    await guarded.store.write(lambda connection: tokens.remove(connection, "a"))
    assert (await guarded.http.get(POINTS, **bearer)).status == 200
    guarded.clock.advance(LIFE_S)
    assert (await guarded.http.get(POINTS, **bearer)).status == 401
    assert counted.reads == 2
    await port.stopListening()


@ensureDeferred
async def test_while_the_ledger_is_away_the_tokens_that_were_known_hold(guarded):
    bearer = await new_token(guarded, "a", "read")
    counted = Counted(guarded.store, fault=StoreUnavailable("away"))
    access = Access(counted, guarded.clock.seconds, "s3cret")
    port = await listen(attrs.evolve(guarded.parts, access=access))
    guarded.http.port = port.getHost().port
    reply = await guarded.http.get(POINTS, **bearer)
    assert (reply.status, reply.is_problem, reply.headers["retry-after"]) == (503, True, "5")
    assert (await guarded.http.get("/metrics", **bearer)).status == 503
    assert (await guarded.http.get(POINTS, **ADMIN)).status == 200
    assert (await guarded.http.get("/health")).status == 200
    counted.fault = None
    assert (await guarded.http.get(POINTS, **bearer)).status == 200
    counted.fault = StoreUnavailable("away")
    guarded.clock.advance(2 * LIFE_S)
    assert (await guarded.http.get(POINTS, **bearer)).status == 200
    access.changed()
    assert (await guarded.http.get(POINTS, **bearer)).status == 503
    await port.stopListening()


@ensureDeferred
async def test_the_body_is_kept_until_it_is_known_whose_it_is(guarded):
    bearer = await new_token(guarded, "a", "admin")
    gate = Deferred()
    access = Access(Counted(guarded.store, gate=gate), guarded.clock.seconds, "s3cret")
    port = await listen(attrs.evolve(guarded.parts, access=access))
    body = json.dumps({"status": "Accepted"}).encode()
    headers = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body))}
    guarded.http.port = port.getHost().port
    known = await guarded.http.open(request_bytes("PUT", "/api/v1/idtags/T1", {**headers, **bearer}, body))
    stranger = {**headers, "Authorization": "Bearer csms_no"}
    strange = await guarded.http.open(request_bytes("PUT", "/api/v1/idtags/T2", stranger, body))
    gone = await guarded.http.open(request_bytes("PUT", "/api/v1/idtags/T3", {**headers, **bearer}, body))
    # Health is asked for after them, and answered while they wait.
    assert (await guarded.http.get("/health")).status == 200
    gone.transport.abortConnection()
    await gone.done
    assert (await guarded.http.get("/health")).status == 200
    gate.callback(None)
    assert (await known.done).split()[1] == b"201"
    assert (await strange.done).split()[1] == b"401"
    assert (await guarded.http.get("/api/v1/idtags/T2", **bearer)).status == 404
    await port.stopListening()


@ensureDeferred
async def test_a_change_during_a_read_has_the_tokens_read_again(guarded):
    bearer = await new_token(guarded, "a", "read")
    counted = Counted(guarded.store, gate=Deferred())
    access = Access(counted, guarded.clock.seconds, "s3cret")
    port = await listen(attrs.evolve(guarded.parts, access=access))
    guarded.http.port = port.getHost().port
    waiting = await guarded.http.open(request_bytes("GET", POINTS, {"Host": "127.0.0.1", **bearer}, b""))
    assert (await guarded.http.get("/health")).status == 200
    assert (await guarded.http.delete(TOKENS + "/a", **ADMIN)).status == 204
    gate, counted.gate = counted.gate, None
    gate.callback(None)
    assert (await waiting.done).split()[1] == b"401"
    assert counted.reads == 2
    await port.stopListening()


@ensureDeferred
async def test_without_a_token_of_the_settings_everybody_here_is_admin(desk):
    assert (await desk.http.post(TOKENS, {"name": "a", "role": "read"})).status == 201
    assert (await desk.http.get(TOKENS, Authorization="Bearer csms_wrong")).status == 200
