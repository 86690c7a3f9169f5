"""Commands over HTTP: every outcome, once for each key, waiting or not."""

from __future__ import annotations

import attrs
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from sqlalchemy import select
from twisted.internet.defer import Deferred, gatherResults

from csms.chargepoint import outcomes
from csms.chargepoint.commands import LONGEST
from csms.events.redaction import REDACTED
from csms.store.errors import StoreUnavailable
from csms.store.tables import seen_requests
from tests.api.client import Http
from tests.api.conftest import listen
from tests.api.fakes import FakeCommands, offline
from tests.api.test_events import until
from tests.fakes import NOW, Outage

RESET = "/api/v1/chargepoints/CP1/commands/Reset"
LATER = "2026-03-01T12:10:00Z"


@ensureDeferred
async def test_the_answer_of_the_charge_point_is_given(desk):
    desk.commands.answers.append({"status": "Accepted", "vendor": {"b": 1, "a": 2}})
    reply = await desk.http.post(
        RESET + "?timeout=1.5", b'{"type": "Soft","z":1, "a":1.5}', **{"Content-Type": "application/json"}
    )
    assert reply.status == 200
    assert reply.body == b'{"messageId":"m1","response":{"status":"Accepted","vendor":{"b":1,"a":2}}}'
    (sent,) = desk.commands.sent
    assert sent == ("CP1", "Reset", {"type": "Soft", "z": 1, "a": 1.5}, 1.5, "m1")
    assert list(sent[2]) == ["type", "z", "a"]


@pytest.mark.parametrize(
    ("outcome", "status", "members"),
    [
        (outcomes.UnknownChargePoint("CP1"), 404, {"outcome": "UnknownChargePoint"}),
        (outcomes.UnknownAction("Reset"), 404, {"outcome": "UnknownAction"}),
        (
            outcomes.InvalidPayload("type", "'x' is not one of …"),
            422,
            {"outcome": "BadPayload", "path": "type", "detail": "type: 'x' is not one of …"},
        ),
        (
            outcomes.CallRefused("InternalError", "no", {"why": "because"}),
            502,
            {
                "outcome": "CallError",
                "errorCode": "InternalError",
                "errorDescription": "no",
                "errorDetails": {"why": "because"},
                "messageId": "m1",
            },
        ),
        (offline(), 503, {"outcome": "NotConnected"}),
        (outcomes.TooManyCommands("too many wait"), 503, {"outcome": "Busy"}),
        (outcomes.CallTimedOut("m1"), 504, {"outcome": "Timeout", "messageId": "m1"}),
        (outcomes.ConnectionLost("m1"), 504, {"outcome": "ConnectionLost", "messageId": "m1"}),
    ],
    ids=lambda value: type(value).__name__,
)
@ensureDeferred
async def test_every_other_outcome_is_a_problem(desk, outcome, status, members):
    desk.commands.answers.append(outcome)
    reply = await desk.http.post(RESET, {"type": "Soft"})
    assert (reply.status, reply.is_problem) == (status, True)
    assert members.items() <= reply.json.items()


@pytest.mark.parametrize(
    "query",
    [
        "timeout=0",
        "timeout=-1",
        "timeout=601",
        "timeout=nan",
        "timeout=x",
        "expiresAt=x",
        "expiresAt=2026-03-01T12:10:00",
        "expiresAt=0001-01-01T00:00:00%2B14:00",
        "wait=1",
    ],
)
@ensureDeferred
async def test_a_query_is_checked(desk, query):
    assert (await desk.http.post(f"{RESET}?{query}", {"type": "Soft"})).status == 400
    assert not desk.commands.sent


@ensureDeferred
async def test_who_does_not_want_to_wait_hears_that_it_is_on_the_wire(desk):
    answer = Deferred()
    desk.commands.answers.append(answer)
    reply = await desk.http.post(RESET, {"type": "Soft"}, Prefer="respond-async")
    assert (reply.status, reply.json) == (202, {"messageId": "m1"})
    assert reply.headers["preference-applied"] == "respond-async"
    answer.errback(outcomes.CallTimedOut("m1"))
    desk.commands.answers.append(offline())
    assert (await desk.http.post(RESET, {"type": "Soft"}, Prefer="wait=5, respond-async")).status == 503


@ensureDeferred
async def test_a_command_waits_for_a_charge_point_only_where_that_is_asked_for(desk):
    desk.commands.answers += [offline(), offline(), offline()]
    assert (await desk.http.post(RESET, {"type": "Soft"})).status == 503
    assert not desk.commands.queued
    reply = await desk.http.post(f"{RESET}?expiresAt={LATER}", {"type": "Soft"})
    assert (reply.status, list(reply.json)) == (202, ["messageId"])
    assert (await desk.http.post(f"{RESET}?expiresAt={LATER}", {"type": "Soft"}, Prefer="respond-async")).status == 202
    assert desk.commands.queued == [("CP1", "Reset", {"type": "Soft"}, NOW.replace(minute=10))] * 2
    # A charge point that is there gets it at once.
    assert (await desk.http.post(f"{RESET}?expiresAt={LATER}", {"type": "Soft"})).status == 200
    reply = await desk.http.post(f"{RESET}?expiresAt=2026-03-01T12:00:00Z", {"type": "Soft"})
    assert (reply.status, reply.json["path"]) == (422, "expiresAt")
    assert len(desk.commands.sent) == 4


@ensureDeferred
async def test_a_key_makes_a_command_happen_once(desk):
    first = await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")
    again = await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")
    assert (first.status, first.body) == (again.status, again.body)
    assert len(desk.commands.sent) == 1
    for other in (
        await desk.http.post(RESET, {"type": "Hard"}, Idempotency_Key="k1"),
        await desk.http.post(RESET.replace("CP1", "CP2"), {"type": "Soft"}, Idempotency_Key="k1"),
        await desk.http.post(RESET + "?timeout=5", {"type": "Soft"}, Idempotency_Key="k1"),
    ):
        assert (other.status, other.is_problem) == (422, True)
    assert (await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k2")).status == 200
    desk.now.advance(3601)
    assert (await desk.http.post(RESET, {"type": "Hard"}, Idempotency_Key="k1")).status == 200
    assert len(desk.commands.sent) == 3


@ensureDeferred
async def test_a_key_remembers_failures_after_something_was_sent(desk):
    desk.commands.answers.append(outcomes.CallRefused("GenericError", "", {}))
    first = await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")
    again = await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")
    assert first.status == again.status == 502
    assert first.json == again.json
    assert len(desk.commands.sent) == 1


@ensureDeferred
async def test_a_key_may_be_used_again_where_nothing_was_sent(desk):
    desk.commands.answers.append(offline())
    assert (await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")).status == 503
    assert (await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")).status == 200


@ensureDeferred
async def test_a_key_whose_command_still_runs_is_a_conflict(desk):
    answer = Deferred()
    desk.commands.answers.append(answer)
    first = Deferred.fromCoroutine(desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1"))
    await until(lambda: desk.commands.sent)
    reply = await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")
    assert (reply.status, reply.is_problem, reply.headers["retry-after"]) == (409, True, "1")
    answer.callback({"status": "Accepted"})
    assert (await first).status == 200


@ensureDeferred
async def test_a_key_of_a_command_that_has_expired_meanwhile_gets_the_first_answer(desk):
    target = f"{RESET}?expiresAt={LATER}"
    first = await desk.http.post(target, {"type": "Soft"}, Idempotency_Key="k1")
    desk.now.advance(601)
    again = await desk.http.post(target, {"type": "Soft"}, Idempotency_Key="k1")
    assert (again.status, again.body) == (first.status, first.body) == (200, first.body)
    assert (await desk.http.post(target, {"type": "Soft"}, Idempotency_Key="k2")).status == 422
    assert len(desk.commands.sent) == 1


@ensureDeferred
async def test_a_key_may_be_used_again_after_a_fault_before_anything_was_sent(desk, logged):
    for fault, status in ((RuntimeError("a bug"), 500), (StoreUnavailable("away"), 503)):
        desk.commands.fault = fault
        assert (await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")).status == status
    assert not desk.commands.sent
    assert (await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")).status == 200
    assert len(logged.failures) == 1


@ensureDeferred
async def test_a_command_that_was_sent_before_a_fault_is_not_sent_again(desk, logged):
    desk.commands.answers.append(RuntimeError("a bug"))
    first = await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")
    again = await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")
    assert (first.status, first.is_problem, first.json["messageId"]) == (500, True, "m1")
    assert (again.status, again.json) == (500, first.json)
    assert len(desk.commands.sent) == 1
    assert len(logged.failures) == 1


@pytest_twisted.async_yield_fixture
async def daemons(desk):
    """What makes further daemons on the desk's ledger."""
    ports = []

    async def make(gateway_id):
        commands = FakeCommands()
        ports.append(await listen(attrs.evolve(desk.parts, commands=commands, gateway_id=gateway_id)))
        return Http(ports[-1].getHost().port), commands

    yield make
    for port in ports:
        await port.stopListening()


async def abandoned(desk):
    """Begin a command that its daemon will not end, and return what would end it."""
    answer = Deferred()
    desk.commands.answers.append(answer)
    first = Deferred.fromCoroutine(desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1"))
    await until(lambda: desk.commands.sent)

    async def end():
        answer.callback({"status": "Accepted"})
        await first

    return end


@ensureDeferred
async def test_of_a_command_whose_daemon_died_nobody_knows_what_became_of_it(desk, daemons):
    end = await abandoned(desk)
    http, commands = await daemons("gw1")
    assert (await http.post(RESET, {"type": "Hard"}, Idempotency_Key="k1")).status == 422
    for _ in range(2):
        reply = await http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")
        assert (reply.status, reply.is_problem, reply.json["outcome"]) == (504, True, "ConnectionLost")
        assert "not known" in reply.json["detail"]
    assert not commands.sent
    desk.now.advance(3601)
    assert (await http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")).status == 200
    await end()


@ensureDeferred
async def test_a_command_of_another_daemon_runs_until_it_must_be_over(desk, daemons):
    end = await abandoned(desk)
    http, commands = await daemons("gw2")
    assert (await http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")).status == 409
    desk.now.advance(LONGEST.total_seconds())
    assert (await http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")).status == 504
    assert not commands.sent
    await end()


@ensureDeferred
async def test_of_requests_that_come_at_once_one_is_done(desk):
    posts = [Deferred.fromCoroutine(desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1")) for _ in range(20)]
    statuses = [reply.status for reply in await gatherResults(posts)]
    assert statuses.count(200) >= 1
    assert set(statuses) <= {200, 409}
    assert len(desk.commands.sent) == 1


@pytest.mark.parametrize(
    ("outcome", "statuses", "sent"),
    [({"status": "Accepted"}, [200, 503, 200], 1), (offline(), [503, 503, 200], 2)],
    ids=["done", "not done"],
)
@ensureDeferred
async def test_what_the_ledger_could_not_take_is_made_up_for(desk, outcome, statuses, sent):
    ledger = Outage(desk.store)
    port = await listen(attrs.evolve(desk.parts, ledger=ledger))
    http = Http(port.getHost().port)
    answer = Deferred()
    desk.commands.answers.append(answer)
    first = Deferred.fromCoroutine(http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1"))
    await until(lambda: desk.commands.sent)
    ledger.away = True
    (answer.errback if isinstance(outcome, Exception) else answer.callback)(outcome)
    replies = [await first]
    replies.append(await http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1"))
    ledger.away = False
    replies.append(await http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1"))
    assert [reply.status for reply in replies] == statuses
    assert len(desk.commands.sent) == sent
    await port.stopListening()


@ensureDeferred
async def test_a_client_that_goes_away_does_not_lose_the_answer_of_its_key(desk):
    answer = Deferred()
    desk.commands.answers.append(answer)
    body = b'{"type":"Soft"}'
    head = f"POST {RESET} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nIdempotency-Key: k1\r\n\r\n"
    client = await desk.http.open(head.encode() + body)
    await until(lambda: desk.commands.sent)
    client.transport.abortConnection()
    await client.done
    answer.callback({"status": "Accepted"})
    replies = []

    async def ask():
        replies.append(await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key="k1"))

    await ask()
    while replies[-1].status == 409:
        await ask()
    assert replies[-1].json == {"messageId": "m1", "response": {"status": "Accepted"}}
    assert len(desk.commands.sent) == 1


SECRET = "16f0b1e2a3c4d5e6"
CONFIGURATION = {"configurationKey": [{"key": "AuthorizationKey", "readonly": False, "value": SECRET}]}


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("GetConfiguration", {}, CONFIGURATION),
        (
            "ChangeConfiguration",
            {"key": "AuthorizationKey", "value": SECRET},
            outcomes.CallRefused("GenericError", f"not {SECRET}", {"value": SECRET}),
        ),
        ("DataTransfer", {"vendorId": "v"}, {"status": "Accepted", "data": f'{{"password": "{SECRET}"}}'}),
    ],
)
@ensureDeferred
async def test_no_secret_lies_in_the_ledger_for_a_key(desk, action, payload, answer):
    target = RESET.replace("Reset", action)
    desk.commands.answers.append(answer)
    first = await desk.http.post(target, payload, Idempotency_Key="k1")
    assert SECRET in first.body.decode()
    # By the thread that writes: after what nobody waited for.
    rows = await desk.store.write(lambda connection: connection.execute(select(seen_requests)).all())
    assert [row.status for row in rows] == [first.status]
    assert SECRET not in repr(rows)
    again = await desk.http.post(target, payload, Idempotency_Key="k1")
    assert (again.status, again.json.keys()) == (first.status, first.json.keys())
    assert REDACTED in again.body.decode()
    assert SECRET not in again.body.decode()
    assert len(desk.commands.sent) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ä"])
@ensureDeferred
async def test_a_key_is_checked(desk, key):
    assert (await desk.http.post(RESET, {"type": "Soft"}, Idempotency_Key=key)).status == 400
    assert not desk.commands.sent
