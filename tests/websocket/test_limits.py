"""Bounds of the endpoint: how many come at once, how much one may send, how fast."""

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.task import deferLater

from csms.websocket.limits import MAX_BUDGETS_LEFT, AddressCount, CallBudgets, TokenBucket
from tests.fakes import state_of
from tests.websocket.raw_client import call, frame, request
from tests.websocket.server import run

STOP = {"transactionId": 7, "meterStop": 1, "timestamp": "2026-03-01T11:00:00Z", "idTag": "T" * 100_000}


@pytest_twisted.ensureDeferred
async def test_the_gate_lets_in_no_more_than_its_limit(serve):
    """Ten at once, two between accept and open: the kernel queues the rest."""
    server = await serve(handshakes=2)
    server.ledger.reads_wait = True
    clients = [await server.client() for _ in range(10)]
    opened = [run(client.open(f"/ocpp/CP{number}")) for number, client in enumerate(clients)]
    await server.until(lambda: len(server.ledger.waiting_reads) == 2)
    for number in range(10):
        assert server.sockets.gate._inside <= 2
        server.ledger.read_one()
        still = 9 - number
        await server.until(lambda still=still: len(server.ledger.waiting_reads) == min(2, still))
    assert [await status for status in opened] == [101] * 10


@pytest_twisted.ensureDeferred
async def test_a_third_waits_until_one_is_gone(serve):
    server = await serve(handshakes=2)
    first, second = await server.client(), await server.client()
    await server.until(lambda: server.sockets.gate._inside == 2)
    third = await server.client()
    status = run(third.open())
    await deferLater(reactor, 0.03)
    assert third.status is None
    first.hang_up()
    assert await status == 101
    assert not second.lost


@pytest_twisted.ensureDeferred
async def test_connections_per_address(serve, logged):
    server = await serve(connections_per_address=2)
    first = await server.charge_point("CP1")
    await server.charge_point("CP2")
    third = await server.client()
    third.send(request("/ocpp/CP3"))
    await third.gone()
    assert third.status is None
    first.hang_up()
    await server.until(lambda: server.registry.get("CP1") is None)
    await server.charge_point("CP3")
    assert server.shared.counters.values["refused_handshakes"] == {"address": 1}


def test_address_count_forgets():
    count = AddressCount(0)
    assert all(count.add("a") for _ in range(1000))
    for _ in range(1000):
        count.remove("a")
    assert not count._connections


@pytest_twisted.ensureDeferred
async def test_64_kib_before_the_boot(serve):
    server = await serve()
    client = await server.charge_point()
    assert (await client.ask("1", "DataTransfer", {"vendorId": "v", "data": "x" * 65_000}))[0] == 3
    client.text(call("2", "DataTransfer", {"vendorId": "v", "data": "x" * 65_536}))
    assert await client.close_code() == 1009


@pytest.mark.parametrize("registration", ["Pending", "Rejected"])
@pytest_twisted.ensureDeferred
async def test_64_kib_where_the_boot_was_not_accepted(serve, registration):
    server = await serve(members={"unknown_chargepoints": registration} if registration == "Pending" else {})
    server.ledger.states["CP1"] = state_of(registration=registration, booted=True)
    client = await server.charge_point()
    boot = {"chargePointVendor": "Acme", "chargePointModel": "One"}
    assert (await client.ask("boot", "BootNotification", boot))[2]["status"] == registration
    client.text(call("2", "StopTransaction", STOP))
    assert await client.close_code() == 1009


@pytest.mark.parametrize("fragmented", [False, True])
@pytest_twisted.ensureDeferred
async def test_1_mib_from_the_first_message_after_the_boot(serve, fragmented):
    """A queued stop with eight hours of transactionData may be what comes next."""
    server = await serve()
    client = await server.booted()
    text = call("2", "StopTransaction", STOP)
    client.send(frame(text[:70_000], fin=False) + frame(text[70_000:], 0) if fragmented else frame(text))
    assert (await client.answer("2"))[0] == 3


@pytest_twisted.ensureDeferred
async def test_1_mib_for_one_that_booted_before(serve):
    server = await serve()
    server.ledger.states["CP1"] = state_of(booted=True)
    client = await server.charge_point()
    assert (await client.ask("1", "StopTransaction", STOP))[0] == 3
    client.text(b"[" + b" " * (1 << 20) + b"]")
    assert await client.close_code() == 1009


@pytest_twisted.ensureDeferred
async def test_64_fragments_are_let_pass(serve):
    server = await serve()
    client = await server.charge_point()
    text = call("1")
    pieces = [text, *[b""] * 63]
    for number, piece in enumerate(pieces):
        client.send(frame(piece, 0 if number else 1, fin=number == len(pieces) - 1))
    assert (await client.answer("1"))[0] == 3
    client.send(frame(b"", fin=False) + frame(b"", 0, fin=False) * 63)
    client.send(frame(b"", 9))
    assert (await client.until(lambda: client.status)).closed_with is None
    client.send(frame(b"", 0, fin=False))
    assert await client.close_code() == 1009


class TestTokenBucket:
    def test_a_burst_and_then_a_rate(self):
        bucket = TokenBucket(10, 3)
        assert [bucket.take(0) for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]
        assert bucket.take(0.1) == pytest.approx(0.1)
        assert bucket.take(1000) == 0

    def test_it_holds_no_more_than_the_burst(self):
        bucket = TokenBucket(10, 3)
        bucket.take(0)
        assert [bucket.take(1000) for _ in range(4)] == [0, 0, 0, pytest.approx(0.1)]


class TestCallBudgets:
    def used(self, budgets, client_id, count=1):
        bucket = budgets.take_up(client_id)
        for _ in range(count):
            bucket.take(0)
        return bucket

    def test_who_comes_back_finds_what_he_left(self):
        budgets = CallBudgets(10, 3)
        bucket = self.used(budgets, "CP1", 3)
        budgets.leave("CP1", bucket, 0)
        assert budgets.take_up("CP2") is not bucket
        assert budgets.take_up("CP1").take(0.05) == pytest.approx(0.05)

    def test_it_is_forgotten_when_it_is_full_again(self):
        budgets = CallBudgets(10, 3)
        budgets.leave("CP1", self.used(budgets, "CP1"), 0)
        budgets.leave("CP2", self.used(budgets, "CP2"), 0)
        assert list(budgets._left) == ["CP1", "CP2"]
        budgets.leave("CP3", budgets.take_up("CP3"), 1)
        assert not budgets._left

    def test_there_is_a_bound(self):
        budgets = CallBudgets(10, 3)
        for number in range(MAX_BUDGETS_LEFT + 5):
            budgets.leave(f"CP{number}", self.used(budgets, f"CP{number}"), 0)
        assert len(budgets._left) == MAX_BUDGETS_LEFT
        assert "CP0" not in budgets._left


@pytest.mark.parametrize("leaves", [False, True])
@pytest_twisted.ensureDeferred
async def test_nobody_gets_more_calls_by_reconnecting(serve, leaves):
    """Neither who hangs up and comes again, nor who takes the place of its own silent socket."""
    server = await serve(calls_per_second=0.01, calls_burst=5, takeover_timeout_s=0.05)
    client = await server.charge_point()
    for number in range(5):
        await client.ask(str(number))
    assert not server.socket_of("CP1").held
    bucket = server.socket_of("CP1").bucket
    if leaves:
        client.hang_up()
        await server.until(lambda: server.registry.get("CP1") is None)
    else:
        client.stop_reading()
    client = await server.charge_point()
    assert server.socket_of("CP1").bucket is bucket
    assert (await client.ask("more"))[0] == 3
    assert "rate" in server.socket_of("CP1")._holds
    held = server.socket_of("CP1")
    await server.charge_point()
    assert server.socket_of("CP1") is not held
    assert "rate" in server.socket_of("CP1")._holds, "what was taken too much is waited for before the first CALL"
    server.socket_of("CP1").unhold("rate")


@pytest.mark.parametrize("coalesced", [False, True])
@pytest_twisted.ensureDeferred
async def test_the_rate_limit_pauses_reading_and_loses_nothing(serve, coalesced):
    server = await serve(calls_per_second=1000, calls_burst=5)
    client = await server.charge_point()
    began = reactor.seconds()
    frames = [frame(call(str(number))) for number in range(105)]
    for piece in [b"".join(frames)] if coalesced else frames:
        client.send(piece)
    await client.answer("104")
    assert [message[1] for message in client.messages] == [str(number) for number in range(105)]
    assert reactor.seconds() - began > 0.09
    assert client.closed_with is None


@pytest_twisted.ensureDeferred
async def test_a_full_queue_pauses_reading_and_loses_nothing(serve):
    """600 CALLs in one write, each of which has to be committed."""
    server = await serve(calls_burst=1000)
    client = await server.booted()
    statuses = [
        {"connectorId": 1 + number % 200, "errorCode": "NoError", "status": "Available"} for number in range(600)
    ]
    pieces = [frame(call(str(number), "StatusNotification", status)) for number, status in enumerate(statuses)]
    client.send(b"".join(pieces))
    await client.answer("599")
    answers = [message for message in client.messages if message[1] != "boot"]
    assert answers == [[3, str(number), {}] for number in range(600)]
