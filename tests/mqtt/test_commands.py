"""Commands over MQTT on a real store: what is sent, what is answered, and that nothing is done twice."""

from __future__ import annotations

import json
import time

import pytest
import pytest_twisted
from sqlalchemy import func, select
from twisted.internet import reactor
from twisted.internet.task import deferLater

from csms.chargepoint.commands import LONGEST
from csms.chargepoint.outcomes import CallRefused, ConnectionLost, InvalidPayload, NotConnected, TooManyCommands
from csms.events.redaction import REDACTED
from csms.mqtt import commands as module
from csms.mqtt.command_messages import Incoming, ReplyTo
from csms.mqtt.commands import MqttCommands
from csms.mqtt.incoming import Message
from csms.mqtt.request_memory import RequestMemory
from csms.store.errors import StoreUnavailable
from csms.store.seen_requests import REMEMBERED, prune
from csms.store.tables import seen_requests
from tests.fakes import Outage, WallClock
from tests.mqtt.fakes import FakeAnswers, FakeSender

ACCEPTED = {"status": "Accepted"}
SOON, PAST = "2026-03-01T12:00:10Z", "2026-03-01T11:59:59Z"


async def until(condition):
    deadline = time.monotonic() + 8
    while not condition():
        assert time.monotonic() < deadline
        await deferLater(reactor, 0.002)


class Bench:
    """Commands of one daemon; what it is given last is what a test looks at."""

    def __init__(self, store, gateway_id="gw1", now=None):
        self.store = Outage(store)
        self.now = now or WallClock()
        self.sender = FakeSender()
        self.answers = FakeAnswers()
        self.commands = MqttCommands(self.sender, self.answers, RequestMemory(self.store, gateway_id), self.now)

    def give(self, request_id="r1", payload=None, client_id="CP1", action="Reset", *, message=None, **members):
        body = {"requestId": request_id, "payload": payload if payload is not None else {"type": "Soft"}, **members}
        self.give_raw(json.dumps(body).encode(), client_id, action, **(message or {}))

    def give_raw(self, data, client_id="CP1", action="Reset", **message):
        topic = f"csms/commands/{client_id}/{action}"
        self.commands.take([Incoming(client_id, action, Message(topic, data, **message))])

    async def sent(self, count=1):
        await until(lambda: len(self.sender.sent) >= count)

    async def answered(self, count=1):
        await until(lambda: len(self.answers.given) >= count and not self.commands.is_busy)

    async def carry_out(self, *arguments, outcome=ACCEPTED, **members):
        """Give a command, answer it as the charge point, and wait for its result."""
        sent, answered = len(self.sender.sent), len(self.answers.given)
        self.give(*arguments, **members)
        await self.sent(sent + 1)
        self.sender.settle(outcome)
        await self.answered(answered + 1)
        return self.answers.results[-1]

    async def remembered(self):
        return await self.store.read(
            lambda connection: connection.execute(select(func.count()).select_from(seen_requests)).scalar_one()
        )


@pytest_twisted.ensureDeferred
async def test_a_command_is_sent_as_it_is_and_answered(store):
    bench = Bench(store)
    payload = {"b": 1, "a": {"d": [1.5], "c": None}}
    result = await bench.carry_out("r1", payload, "CP/1", "DataTransfer")
    assert bench.sender.sent == [("CP/1", "DataTransfer", payload)]
    assert json.dumps(bench.sender.sent[0][2]) == json.dumps(payload)
    assert bench.answers.given == [("CP/1", "DataTransfer", result, ())]
    assert bench.sender.timeouts == [30]
    assert result == {"requestId": "r1", "status": "ok", "response": ACCEPTED}
    await bench.carry_out("r2", timeout=5)
    assert bench.sender.timeouts == [30, 5]


@pytest_twisted.ensureDeferred
async def test_a_request_that_comes_again_is_not_carried_out_twice(store):
    bench = Bench(store)
    first = await bench.carry_out("r1")
    bench.now.advance(3590)
    bench.give("r1", message={"response_topic": "replies/1", "correlation_data": b"7"})
    await bench.answered(2)
    assert bench.answers.given[1] == ("CP1", "Reset", first, (ReplyTo("replies/1", b"7"),))
    assert len(bench.sender.sent) == 1


@pytest_twisted.ensureDeferred
async def test_after_an_hour_a_request_id_is_free_again_and_the_ledger_forgets_it(store):
    bench = Bench(store)
    await bench.carry_out("r1")
    await bench.carry_out("r2")
    bench.now.advance(3601)
    await bench.carry_out("r1")
    assert len(bench.sender.sent) == 3
    await store.write(lambda connection: prune(connection, bench.now() - REMEMBERED))
    assert await bench.remembered() == 1


@pytest_twisted.ensureDeferred
async def test_a_repetition_while_the_first_runs_waits_for_its_result(store):
    bench = Bench(store)
    bench.give("r1", message={"response_topic": "replies/1"})
    bench.give("r1", message={"response_topic": "replies/2", "correlation_data": b"2"})
    await bench.sent()
    bench.give("r1", message={"response_topic": "replies/1"})
    bench.sender.settle(ACCEPTED)
    await bench.answered()
    assert len(bench.sender.sent) == 1
    ((_, _, _, addresses),) = bench.answers.given
    assert addresses == (ReplyTo("replies/1", None), ReplyTo("replies/2", b"2"))


@pytest_twisted.ensureDeferred
async def test_a_request_id_of_another_command_is_a_bad_request(store):
    bench = Bench(store)
    await bench.carry_out("r1")
    bench.give("r1", {"type": "Hard"})
    await bench.answered(2)
    bench.give("r2")
    await bench.sent(2)
    bench.give("r2", client_id="CP2")
    bench.sender.settle(ACCEPTED)
    await bench.answered(4)
    assert sorted(bench.answers.statuses) == ["BadRequest", "BadRequest", "ok", "ok"]
    assert len(bench.sender.sent) == 2


@pytest_twisted.ensureDeferred
async def test_a_restart_forgets_nothing(store):
    first = await Bench(store).carry_out("r1")
    bench = Bench(store)
    bench.give("r1")
    await bench.answered()
    assert bench.answers.results == [first]
    assert bench.sender.sent == []


@pytest_twisted.ensureDeferred
async def test_what_ran_when_the_daemon_ended_is_not_sent_again_and_nobody_knows_what_became_of_it(store):
    ended = Bench(store)
    ended.give("r1")
    await ended.sent()
    bench = Bench(store)
    for _ in range(2):
        bench.give("r1")
        await bench.answered()
    assert bench.answers.statuses == ["ConnectionLost", "ConnectionLost"]
    assert bench.sender.sent == []


@pytest_twisted.ensureDeferred
async def test_of_two_daemons_that_hear_a_command_one_carries_it_out(store):
    one = Bench(store, "gw1")
    other = Bench(store, "gw2", now=one.now)
    one.give("r1")
    await one.sent()
    other.give("r1")
    await until(lambda: not other.commands.is_busy)
    assert (other.sender.sent, other.answers.given) == ([], [])
    one.now.advance(600)  # the longest that a command may ask for
    other.give("r1")
    await until(lambda: not other.commands.is_busy)
    assert not other.answers.given
    one.now.advance(LONGEST.total_seconds() - 600)
    other.give("r1")
    await other.answered()
    assert other.answers.statuses == ["ConnectionLost"]


@pytest_twisted.ensureDeferred
async def test_an_expired_command_is_not_sent(store):
    bench = Bench(store)
    bench.give("r1", expiresAt=PAST)
    bench.give("r2", expiresAt="2026-03-01T12:00:00Z")
    await bench.answered(2)
    assert bench.answers.statuses == ["Expired", "Expired"]
    assert bench.sender.sent == []
    assert await bench.remembered() == 0
    assert (await bench.carry_out("r3", expiresAt=SOON))["status"] == "ok"


@pytest_twisted.ensureDeferred
async def test_a_repetition_that_has_expired_meanwhile_gets_the_first_result(store):
    bench = Bench(store)
    first = await bench.carry_out("r1", expiresAt=SOON)
    bench.now.advance(60)
    bench.give("r1", expiresAt=SOON)
    await bench.answered(2)
    assert bench.answers.results[1] == first


@pytest_twisted.ensureDeferred
async def test_a_command_that_expires_while_it_waits_for_its_turn_is_not_sent(store):
    bench = Bench(store)
    bench.give("r1")
    bench.give("r2", expiresAt=SOON)
    await bench.sent()
    bench.now.advance(11)
    bench.sender.settle(ACCEPTED)
    await bench.answered(2)
    assert bench.answers.statuses == ["ok", "Expired"]
    assert len(bench.sender.sent) == 1


@pytest_twisted.ensureDeferred
async def test_commands_of_a_charge_point_go_one_after_the_other_and_others_do_not_wait(store):
    bench = Bench(store)
    for number in range(3):
        bench.give(f"r{number}", {"n": number})
    bench.give("other", client_id="CP2")
    await bench.sent(2)
    assert sorted(client_id for client_id, _, _ in bench.sender.sent) == ["CP1", "CP2"]
    assert len(bench.sender.waiting) == 2
    for _ in range(4):
        await until(lambda: bench.sender.waiting)
        bench.sender.settle(ACCEPTED)
    await bench.answered(4)
    assert [payload["n"] for client_id, _, payload in bench.sender.sent if client_id == "CP1"] == [0, 1, 2]
    assert not bench.commands.is_busy


@pytest_twisted.ensureDeferred
async def test_too_many_for_one_charge_point_are_busy_and_may_come_again(store):
    bench = Bench(store)
    for number in range(module._MAX_WAITING + 1):
        bench.give(f"r{number}")
    assert bench.answers.statuses == ["Busy"]
    bench.give("other", client_id="CP2")
    await bench.sent(2)
    for _ in range(2):
        bench.sender.settle(NotConnected("gone"))
    for count in range(3, module._MAX_WAITING + 2):
        await bench.sent(count)
        bench.sender.settle(NotConnected("gone"))
    await bench.answered(module._MAX_WAITING + 2)
    assert (await bench.carry_out(f"r{module._MAX_WAITING}"))["status"] == "ok"
    assert bench.commands._bytes == 0


@pytest_twisted.ensureDeferred
async def test_too_large_commands_together_are_busy(store):
    bench = Bench(store)
    for number in range(40):
        bench.give(f"r{number}", {"a": "x" * 1_000_000}, client_id=f"CP{number}")
    assert bench.answers.statuses == ["Busy"] * 7
    await bench.sent(33)
    for _ in range(33):
        bench.sender.settle(ACCEPTED)
    await bench.answered(40)
    assert bench.commands._bytes == 0


@pytest_twisted.ensureDeferred
async def test_what_is_not_understood_is_a_bad_request(store):
    bench = Bench(store)
    bench.give_raw(b"reboot please")
    bench.give_raw(b'{"requestId":"r1"}')
    bench.give("r1", message={"response_topic": "csms/commands/CP2/Reset"})
    assert [(body["requestId"], body["status"]) for body in bench.answers.results] == [
        (None, "BadRequest"),
        ("r1", "BadRequest"),
        ("r1", "BadRequest"),
    ]
    assert all(body["error"]["description"] for body in bench.answers.results)
    assert not bench.commands.is_busy


@pytest_twisted.ensureDeferred
async def test_a_retained_command_counts_only_until_it_expires(store):
    bench = Bench(store)
    retained = {"message": {"retained": True}}
    bench.give("r1", **retained)
    bench.give("r2", expiresAt=PAST, **retained)
    bench.give_raw(b"rubbish", retained=True)
    assert not bench.commands.is_busy
    assert bench.answers.given == []
    assert (await bench.carry_out("r3", expiresAt="2026-03-03T12:00:00Z", **retained))["status"] == "ok"
    for hours in (2, 45):
        bench.now.advance(hours * 3600)
        await bench.carry_out(f"other{hours}")
        bench.give("r3", expiresAt="2026-03-03T12:00:00Z", **retained)
        await until(lambda: not bench.commands.is_busy)
    assert len(bench.sender.sent) == 3


@pytest_twisted.ensureDeferred
async def test_outcomes_are_results_and_are_remembered(store):
    bench = Bench(store)
    outcomes = [CallRefused("NotSupported", "no", {}), ConnectionLost("m1"), InvalidPayload("type", "bad")]
    for number, outcome in enumerate(outcomes):
        await bench.carry_out(f"r{number}", outcome=outcome)
    await bench.carry_out("gone", outcome=NotConnected("gone"))
    for request_id in ("r0", "r1", "r2", "gone"):
        bench.give(request_id)
    await bench.answered(8)
    assert bench.answers.statuses[:4] == ["CallError", "ConnectionLost", "BadPayload", "NotConnected"]
    assert bench.answers.results[4:] == bench.answers.results[:4]
    assert len(bench.sender.sent) == 4


@pytest_twisted.ensureDeferred
async def test_a_busy_charge_point_may_be_asked_again_under_the_same_request_id(store):
    bench = Bench(store)
    assert (await bench.carry_out("r1", outcome=TooManyCommands("full")))["status"] == "Busy"
    assert (await bench.carry_out("r1"))["status"] == "ok"


@pytest_twisted.ensureDeferred
async def test_a_fault_of_ours_stops_no_other_command(store, logged):
    bench = Bench(store)
    assert (await bench.carry_out("r1", outcome=ZeroDivisionError()))["status"] == "Failed"
    assert (await bench.carry_out("r2"))["status"] == "ok"
    assert len(logged.failures) == 1


@pytest_twisted.ensureDeferred
async def test_while_the_ledger_is_away_nothing_is_sent(store):
    bench = Bench(store)
    bench.store.away = True
    bench.give("r1")
    bench.give("r2", expiresAt=PAST)
    await bench.answered(2)
    assert bench.answers.statuses == ["Busy", "Busy"]
    bench.store.away = False
    assert (await bench.carry_out("r1"))["status"] == "ok"


@pytest_twisted.ensureDeferred
async def test_a_result_that_the_ledger_could_not_take_is_remembered_nonetheless(store):
    bench = Bench(store)
    bench.give("r1")
    await bench.sent()
    bench.store.away = True
    bench.sender.settle(ACCEPTED)
    await bench.answered()
    bench.store.away = False
    bench.give("r1")
    bench.give("r1", {"type": "Hard"}, client_id="CP2")
    await bench.answered(3)
    assert sorted(bench.answers.statuses) == ["BadRequest", "ok", "ok"]
    assert len(bench.sender.sent) == 1


@pytest_twisted.ensureDeferred
async def test_a_command_that_was_not_sent_may_come_again_though_the_ledger_could_not_forget_it(store):
    bench = Bench(store)
    bench.give("r1")
    await bench.sent()
    bench.store.away = True
    bench.sender.settle(TooManyCommands("too many wait"))
    await bench.answered()
    bench.store.away = False
    assert bench.answers.statuses == ["Busy"]
    assert (await bench.carry_out("r1"))["status"] == "ok"


@pytest_twisted.ensureDeferred
async def test_a_result_that_cannot_be_given_stops_no_other_command(store, logged):
    bench = Bench(store)
    bench.answers.fault = ZeroDivisionError()
    bench.give("r1")
    await bench.sent()
    bench.sender.settle(ACCEPTED)
    await until(lambda: not bench.commands.is_busy)
    assert bench.answers.given == []
    assert (await bench.carry_out("r2"))["status"] == "ok"
    assert len(logged.failures) == 1


# Commands that may wait for a charge point.


async def put_off(bench, **members):
    bench.give("r1", expiresAt=SOON, **members)
    await bench.sent()
    bench.sender.settle(NotConnected("not booted yet"))
    await until(lambda: bench.sender.queued and not bench.commands.is_busy)


@pytest_twisted.ensureDeferred
async def test_a_command_that_names_its_end_waits_for_a_charge_point_that_may_not_be_spoken_to(store):
    bench = Bench(store)
    await put_off(bench, message={"response_topic": "replies/1", "correlation_data": b"\xff"})
    assert bench.answers.given == []
    assert bench.sender.queued[0][:3] == ("CP1", "Reset", {"type": "Soft"})
    bench.give("r1", expiresAt=SOON)
    await until(lambda: not bench.commands.is_busy)
    assert bench.answers.given == []
    bench.commands.queued_result("CP1", "Reset", "message-1", ACCEPTED)
    await bench.answered()
    ((client_id, action, result, addresses),) = bench.answers.given
    assert (client_id, action, addresses) == ("CP1", "Reset", (ReplyTo("replies/1", b"\xff"),))
    assert result == {"requestId": "r1", "status": "ok", "response": ACCEPTED}
    bench.give("r1", expiresAt=SOON)
    await bench.answered(2)
    assert bench.answers.results[1] == result
    assert (len(bench.sender.sent), len(bench.sender.queued)) == (1, 1)


@pytest_twisted.ensureDeferred
async def test_a_repetition_of_a_command_that_waits_gets_its_result_where_it_wants_it(store):
    bench = Bench(store)
    await put_off(bench, message={"response_topic": "replies/1"})
    for topic in ("replies/2", "replies/1", None):
        bench.give("r1", expiresAt=SOON, message={"response_topic": topic, "correlation_data": None})
        await until(lambda: not bench.commands.is_busy)
    assert bench.answers.given == []
    bench.commands.queued_result("CP1", "Reset", "message-1", ACCEPTED)
    await bench.answered()
    ((_, _, result, addresses),) = bench.answers.given
    assert result["status"] == "ok"
    assert addresses == (ReplyTo("replies/1", None), ReplyTo("replies/2", None))


@pytest_twisted.ensureDeferred
async def test_where_too_many_wait_already_it_may_be_tried_again(store):
    bench = Bench(store)
    bench.sender.queue_fails_with = TooManyCommands("100 wait")
    bench.give("r1", expiresAt=SOON)
    await bench.sent()
    bench.sender.settle(NotConnected("not booted yet"))
    await bench.answered()
    bench.sender.queue_fails_with = StoreUnavailable("away")
    bench.give("r1", expiresAt=SOON)
    await bench.sent(2)
    bench.sender.settle(NotConnected("not booted yet"))
    await bench.answered(2)
    assert bench.answers.statuses == ["Busy", "Busy"]
    assert (await bench.carry_out("r1", expiresAt=SOON))["status"] == "ok"


@pytest_twisted.ensureDeferred
async def test_a_restart_knows_whose_command_was_queued(store):
    before = Bench(store)
    await put_off(before)
    bench = Bench(store, now=before.now)
    bench.now.advance(11)
    bench.commands.queued_result("CP1", "Reset", "message-1", ConnectionLost("message-1"))
    bench.commands.queued_result("CP1", "Reset", "of another face", ACCEPTED)
    await bench.answered()
    await until(lambda: not bench.commands.is_busy)
    assert [(body["requestId"], body["status"]) for body in bench.answers.results] == [("r1", "ConnectionLost")]
    assert await bench.remembered() == 1


@pytest_twisted.ensureDeferred
async def test_a_queued_command_is_answered_though_the_ledger_could_not_take_that_it_is(store):
    bench = Bench(store)
    bench.give("r1", expiresAt=SOON)
    await bench.sent()
    bench.store.away = True
    bench.sender.settle(NotConnected("not booted yet"))
    await until(lambda: not bench.commands.is_busy)
    assert bench.answers.given == []
    bench.store.away = False
    bench.give("r1", expiresAt=SOON)
    await until(lambda: not bench.commands.is_busy)
    assert bench.answers.given == []
    bench.commands.queued_result("CP1", "Reset", "message-1", ACCEPTED)
    await bench.answered()
    bench.give("r1", expiresAt=SOON)
    await bench.answered(2)
    assert bench.answers.statuses == ["ok", "ok"]
    assert len(bench.sender.sent) == 1


SECRET = "16f0b1e2a3c4d5e6"


@pytest.mark.parametrize(
    ("action", "payload", "outcome"),
    [
        ("GetConfiguration", {}, {"configurationKey": [{"key": "BasicAuthPassword", "value": SECRET}]}),
        (
            "ChangeConfiguration",
            {"key": "AuthorizationKey", "value": SECRET},
            InvalidPayload("value", f'"{SECRET}" is too long'),
        ),
        ("DataTransfer", {"vendorId": "v"}, CallRefused("GenericError", "no", {"password": SECRET})),
    ],
)
@pytest_twisted.ensureDeferred
async def test_no_secret_lies_in_the_ledger_for_a_request_id(store, action, payload, outcome):
    bench = Bench(store)
    first = await bench.carry_out("r1", payload, action=action, outcome=outcome)
    assert SECRET in json.dumps(first)
    rows = await store.read(lambda connection: connection.execute(select(seen_requests)).all())
    assert [row.status for row in rows] == [200]
    assert SECRET not in repr(rows)
    bench.give("r1", payload, action=action)
    await bench.answered(2)
    again = bench.answers.results[-1]
    assert (again["requestId"], again["status"]) == ("r1", first["status"])
    assert SECRET not in json.dumps(again)
    assert REDACTED in json.dumps(again)
    assert len(bench.sender.sent) == 1
