"""Our rooms without the ledger: websocket, RPC, validation and dispatch, with handlers that only answer, as the peer's do.

``python benchmarks/answer_only.py --port N`` prints READY and serves until it is terminated.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import txaio
from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import serverFromString

from csms import reactor as lean_reactor
from csms.chargepoint.dispatch import Dispatcher
from csms.chargepoint.registry import Registry
from csms.chargepoint.shared import Shared
from csms.events.identity import event_id
from csms.handlers.request import Reply, Request
from csms.ledger.state import ChargePoint, ChargePointState, Credentials
from csms.metrics import Counters
from csms.ocppj.versions import V16
from csms.passwords.attempts import Attempts
from csms.passwords.passwords import Passwords
from csms.passwords.threads import Threads
from csms.store import queries
from csms.websocket.door import Door
from csms.websocket.factory import ChargePointFactory
from csms.websocket.limits import Limits

_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Answers:
    """The seven actions of the mix, answered as the peer answers them."""

    @on(Action.boot_notification)
    def on_boot_notification(self, request: Request, **_members: Any) -> Reply:
        return Reply(call_result.BootNotification(current_time=_now(request), interval=300, status="Accepted"))

    @on(Action.heartbeat)
    def on_heartbeat(self, request: Request, **_members: Any) -> Reply:
        return Reply(call_result.Heartbeat(current_time=_now(request)))

    @on(Action.status_notification)
    def on_status_notification(self, _request: Request, **_members: Any) -> Reply:
        return Reply(call_result.StatusNotification())

    @on(Action.meter_values)
    def on_meter_values(self, _request: Request, **_members: Any) -> Reply:
        return Reply(call_result.MeterValues())

    @on(Action.authorize)
    def on_authorize(self, _request: Request, **_members: Any) -> Reply:
        return Reply(call_result.Authorize(id_tag_info={"status": "Accepted"}))

    @on(Action.start_transaction)
    def on_start_transaction(self, _request: Request, **_members: Any) -> Reply:
        return Reply(call_result.StartTransaction(transaction_id=17, id_tag_info={"status": "Accepted"}))

    @on(Action.stop_transaction)
    def on_stop_transaction(self, _request: Request, **_members: Any) -> Reply:
        return Reply(call_result.StopTransaction(id_tag_info={"status": "Accepted"}))


def _now(request: Request) -> str:
    return request.context.now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class NoLedger:
    """A ledger that knows every charge point and forgets everything."""

    available = True

    def commit(self, _decision: Any) -> Deferred[None]:
        return succeed(None)

    def commit_for(self, _decision: Any, waiter: Any) -> None:
        waiter.callback(None)

    def read(self, query: Any, client_id: str, *_arguments: Any) -> Deferred[Any]:
        if query is queries.credentials:
            return succeed(Credentials(is_known=True))
        charge_point = ChargePoint(
            client_id=client_id, registration="Accepted", booted_at=_LONG_AGO, booted_as="Accepted"
        )
        state = ChargePointState(charge_point=charge_point, sequence=0, readings_known_since=_LONG_AGO)
        return succeed((Credentials(is_known=True), state) if query is queries.arrival else state)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    lean_reactor.install()
    from twisted.internet import reactor

    txaio.config.loop = reactor
    reactor.seconds = time.monotonic
    shared = Shared(
        clock=reactor,
        now=lambda: datetime.now(UTC),
        new_event_id=lambda kind, now: event_id(kind, now, random.getrandbits),
        gateway_id="bench",
        ledger=NoLedger(),
        dispatchers={V16: Dispatcher.of(V16, [Answers()])},
        counters=Counters(),
    )
    limits = Limits(calls_per_second=10_000, calls_burst=10_000)
    door = Door(Passwords(Threads(reactor, 1, 128), b"", Attempts(time.monotonic)))
    factory = ChargePointFactory(reactor, shared, Registry(shared), limits, door, path="/ocpp/")
    listening = serverFromString(reactor, f"tcp:{port}:interface=127.0.0.1:backlog=4096").listen(factory)
    listening.addCallback(lambda _: print("READY", flush=True))
    reactor.run()


if __name__ == "__main__":
    main()
